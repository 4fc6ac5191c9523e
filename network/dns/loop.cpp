#include "network/dns/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace fairlead::dns {

namespace {

constexpr std::uint64_t kWake = 0;  // the id of the descriptor that other threads write to
constexpr int kEvents = 64;
constexpr std::chrono::milliseconds kLongestWait{60'000};

Status control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll, operation, fd, &event) != 0)
    return fail_errno(errno, "watch a descriptor");
  return {};
}

}  // namespace

Loop::Watch& Loop::Watch::operator=(Watch&& other) noexcept {
  if (this == &other) return *this;
  end();
  loop_ = std::exchange(other.loop_, nullptr);
  fd_ = std::exchange(other.fd_, -1);
  id_ = other.id_;
  events_ = other.events_;
  return *this;
}

void Loop::Watch::want(std::uint32_t events) {
  if (loop_ == nullptr || events == events_) return;
  events_ = events;
  (void)control(loop_->epoll_.get(), EPOLL_CTL_MOD, fd_, events, id_);
}

void Loop::Watch::end() {
  if (loop_ == nullptr) return;
  (void)control(loop_->epoll_.get(), EPOLL_CTL_DEL, fd_, 0, id_);
  loop_->watches_.erase(id_);
  loop_ = nullptr;
}

void Loop::Timer::set(Clock::time_point when) {
  cancel();
  when_ = when;
  set_ = true;
  loop_.timers_.emplace(when_, this);
}

void Loop::Timer::cancel() {
  if (!set_) return;
  set_ = false;
  loop_.timers_.erase({when_, this});
}

Result<std::unique_ptr<Loop>> Loop::make() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno(errno, "start to wait for events");
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno(errno, "start to wait for events");
  TRY_STATUS(control(epoll.get(), EPOLL_CTL_ADD, wake.get(), EPOLLIN, kWake));
  return std::unique_ptr<Loop>(new Loop(std::move(epoll), std::move(wake)));
}

void Loop::run() {
  std::array<epoll_event, kEvents> events{};
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEvents, milliseconds_to_wait());
    now_ = Clock::now();
    for (int i = 0; i < count; ++i) {
      const epoll_event event = events[static_cast<std::size_t>(i)];
      dispatch(event.data.u64, event.events);
    }
    run_due();
    run_posted();
    const std::scoped_lock lock(mutex_);
    if (stopped_) return;
  }
}

void Loop::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  (void)::eventfd_write(wake_.get(), 1);
}

void Loop::post(std::function<void()> work) {
  {
    const std::scoped_lock lock(mutex_);
    posted_.push_back(std::move(work));
  }
  (void)::eventfd_write(wake_.get(), 1);
}

Result<Loop::Watch> Loop::watch(int fd, std::uint32_t events, Ready ready) {
  const std::uint64_t id = next_id_++;
  TRY_STATUS(control(epoll_.get(), EPOLL_CTL_ADD, fd, events, id));
  watches_.emplace(id, std::make_shared<Ready>(std::move(ready)));
  return Watch(*this, fd, id, events);
}

int Loop::milliseconds_to_wait() const {
  auto wait = kLongestWait;
  if (!timers_.empty())
    wait = std::min(
        wait, std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now()));
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(wait.count(), 0));
}

void Loop::dispatch(std::uint64_t id, std::uint32_t events) {
  if (id == kWake) {
    eventfd_t count = 0;
    (void)::eventfd_read(wake_.get(), &count);
    return;
  }
  const auto found = watches_.find(id);
  if (found == watches_.end()) return;
  const std::shared_ptr<Ready> ready = found->second;
  (*ready)(events);
}

// A timer that is set anew while the due ones run has to wait for the next turn, so that descriptors get theirs.
void Loop::run_due() {
  const auto now = now_;
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Timer* timer = timers_.begin()->second;
    timer->cancel();
    const auto due = timer->due_;
    // One that sets itself to a time that is over comes again in the next turn.
    now_ = std::max(now, Clock::now());
    (*due)();
  }
}

void Loop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    const std::scoped_lock lock(mutex_);
    work.swap(posted_);
  }
  for (const auto& each : work) each();
}

}  // namespace fairlead::dns
