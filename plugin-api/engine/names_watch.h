// Keeps the names of Docker's networks and containers up to date: all of them when dockerd comes,
// then what its events tell of.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "network/api/names.h"
#include "plugin-api/engine/names_client.h"

namespace fairlead::engine {

struct WatchTimes {
  std::chrono::milliseconds first_pause{1000}, longest_pause{60'000};  // between two connections
  std::chrono::milliseconds second_look{100};  // at a container that lacks its endpoint yet
  // For so long after Docker's last call dockerd counts as running.
  std::chrono::milliseconds awake{120'000};
};

// What is to be looked up. Not thread-safe; bounded: what is too much becomes "all".
class NamesDue {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMost = 4096;
  static constexpr unsigned kMostLooks = 8;

  struct Look {
    std::string network;  // that the container is to be in; empty: any
    unsigned looks = 0;   // so far
  };
  struct Work {
    bool all = false;
    std::set<std::string> networks;
    std::map<std::string, Look> containers;

    bool empty() const { return !all && networks.empty() && containers.empty(); }
  };

  void add(const NameEvent& event, Clock::time_point now);
  void add_all(Clock::time_point due);
  // Once more, later; not any more after kMostLooks.
  void again(const std::string& container, Look look, Clock::time_point due);
  // When something is due; std::nullopt: nothing is waiting.
  std::optional<Clock::time_point> due() const;
  Work take(Clock::time_point now);  // what is due

 private:
  struct Waiting {
    Look look;
    Clock::time_point due;
  };
  std::optional<Clock::time_point> all_;
  std::set<std::string> networks_;
  std::map<std::string, Waiting> containers_;
};

// Two threads of its own, which sleep while nothing happens: one listens, one looks up, so that a
// slow answer does not hold up the events. `names` must outlive it.
//
// It connects only where dockerd is known to run: systemd starts a dockerd that was stopped on
// purpose when somebody connects to docker.socket.
class NamesWatch {
 public:
  NamesWatch(std::unique_ptr<NamesClient> client, network::NameService& names,
             std::function<bool()> docker_runs, WatchTimes times = {});
  ~NamesWatch();
  NamesWatch(const NamesWatch&) = delete;
  NamesWatch& operator=(const NamesWatch&) = delete;

  // Docker has called, so it runs. From any thread; costs nothing while it is connected.
  void wake();

 private:
  using Clock = NamesDue::Clock;

  void listen(const std::stop_token& stop);
  void await_docker(const std::stop_token& stop, std::chrono::milliseconds pause);
  bool may_connect();
  void connected(bool is);
  void look_up(const std::stop_token& stop);
  Status keep_all(const std::stop_token& stop);
  Status work_off(const NamesDue::Work& work, const std::stop_token& stop);
  Status look_at(const std::string& container, NamesDue::Look look, const std::stop_token& stop);

  const std::unique_ptr<NamesClient> client_;
  network::NameService& names_;
  const std::function<bool()> docker_runs_;
  const WatchTimes times_;
  std::atomic<bool> connected_{false};

  std::mutex guard_;
  std::condition_variable_any wake_;
  NamesDue due_;
  Clock::time_point awake_until_{};
  bool woken_ = false;

  std::jthread listener_, worker_;
};

}  // namespace fairlead::engine
