// One thread that waits for descriptors and times: epoll(7). Only post() and stop() may be called from other threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::dns {

class Loop {
 public:
  using Clock = std::chrono::steady_clock;
  // Gets the events of epoll: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP. It may end any watch, its own too.
  using Ready = std::function<void(std::uint32_t events)>;

  // A descriptor that is watched as long as this lives; it has to be open as long.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept { *this = std::move(other); }
    Watch& operator=(Watch&& other) noexcept;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { end(); }

    // What is waited for from now on. Errors and hang-ups are always told.
    void want(std::uint32_t events);
    void end();
    explicit operator bool() const { return loop_ != nullptr; }

   private:
    friend class Loop;
    Watch(Loop& loop, int fd, std::uint64_t id, std::uint32_t events)
        : loop_(&loop), fd_(fd), id_(id), events_(events) {}

    Loop* loop_ = nullptr;
    int fd_ = -1;
    std::uint64_t id_ = 0;
    std::uint32_t events_ = 0;
  };

  // Calls `due` once at each time that is set; not any more when this is gone, or cancelled.
  class Timer {
   public:
    Timer(Loop& loop, std::function<void()> due)
        : loop_(loop), due_(std::make_shared<std::function<void()>>(std::move(due))) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { cancel(); }

    void set(Clock::time_point when);  // in place of the time before
    void set_in(Clock::duration rest) { set(loop_.now() + rest); }
    void cancel();
    bool is_set() const { return set_; }

   private:
    friend class Loop;
    Loop& loop_;
    std::shared_ptr<std::function<void()>> due_;
    Clock::time_point when_{};
    bool set_ = false;
  };

  static Result<std::unique_ptr<Loop>> make();

  // Until stop(). Watches and timers have to be gone before the loop is.
  void run();
  void stop();
  // Runs `work` in the loop's thread, soon.
  void post(std::function<void()> work);

  Result<Watch> watch(int fd, std::uint32_t events, Ready ready);
  // When the events that are handled now were found.
  Clock::time_point now() const { return now_; }

 private:
  Loop(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

  int milliseconds_to_wait() const;
  void dispatch(std::uint64_t id, std::uint32_t events);
  void run_due();
  void run_posted();

  UniqueFd epoll_, wake_;
  // By a number that is never used again: events that were found before a watch has ended meet nobody.
  std::unordered_map<std::uint64_t, std::shared_ptr<Ready>> watches_;
  std::uint64_t next_id_ = 1;
  std::set<std::pair<Clock::time_point, Timer*>> timers_;
  Clock::time_point now_ = Clock::now();

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  bool stopped_ = false;
};

}  // namespace fairlead::dns
