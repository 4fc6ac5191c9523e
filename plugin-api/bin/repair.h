// Watches the kernel for the daemon: what others break is repaired within a second, and everything
// is reconciled from time to time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "network/kernel/events/monitor.h"
#include "network/service/mender.h"

namespace fairlead {

// Runs `work` on a thread of its own every `period`, and when asked to. Stops when destroyed.
// Thread-safe.
class Periodic {
 public:
  Periodic(std::function<void()> work, std::chrono::seconds period);
  ~Periodic();
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

  void set_period(std::chrono::seconds period);
  void soon();

 private:
  void run();

  const std::function<void()> work_;
  std::mutex guard_;
  std::condition_variable wake_;
  std::chrono::seconds period_;
  bool wanted_ = false, stopping_ = false;
  std::thread thread_;
};

// Gathers the damage that events of the kernel tell of, until it is due to be repaired. An altered
// firewall is repaired at once. Other damage waits for the end of a burst: a bridge that is deleted
// loses its ports first, and a container that ends takes its link down before it is gone, which is
// no damage. Not thread-safe; `now` never goes back.
class DamageQueue {
 public:
  using Clock = std::chrono::steady_clock;

  // Returns false for an event that means that everything has to be looked at.
  bool take(const kernel::KernelEvent& event, Clock::time_point now);
  // When the next damage is due; std::nullopt: there is none.
  std::optional<Clock::time_point> due() const;
  // Removes and returns what is due.
  network::Damage remove(Clock::time_point now);
  // Puts damage back that could not be repaired.
  void put_back(const network::Damage& damage, Clock::time_point now);

 private:
  void add(network::Damage damage, Clock::time_point due);

  std::optional<Clock::time_point> table_due_, rest_due_;
  network::Damage rest_;
  std::map<int, network::LinkDamage> ports_;  // of containers, by the index of the link
};

// Runs `mend` on a thread of its own for the damage of events, not more often than every 50 ms, so
// that whoever alters the firewall all the time keeps a part of one processor busy and no more.
// `mend` returns whether everything is repaired; otherwise it is called again after a second.
// `check_everything` is called when events were lost. Stops when destroyed.
class Repairer {
 public:
  Repairer(std::function<bool(const network::Damage&)> mend,
           std::function<void()> check_everything);
  ~Repairer();
  Repairer(const Repairer&) = delete;
  Repairer& operator=(const Repairer&) = delete;

  void on_event(const kernel::KernelEvent& event);  // thread-safe

 private:
  void run();
  void await_work(std::unique_lock<std::mutex>& hold, DamageQueue::Clock::time_point earliest);

  const std::function<bool(const network::Damage&)> mend_;
  const std::function<void()> check_everything_;
  std::mutex guard_;
  std::condition_variable wake_;
  DamageQueue queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fairlead
