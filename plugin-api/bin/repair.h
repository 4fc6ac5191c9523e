// Watches the kernel for the daemon: what others break is repaired within a second, and everything
// is reconciled from time to time.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "network/kernel/events/monitor.h"

namespace fairlead {

// Runs `reconcile_all` on a thread of its own: shortly after a kernel event that may mean damage
// (once for a burst of events), and every `period`. Stops when destroyed.
class Repairer {
 public:
  Repairer(std::function<void()> reconcile_all, std::chrono::seconds period);
  ~Repairer();
  Repairer(const Repairer&) = delete;
  Repairer& operator=(const Repairer&) = delete;

  // Thread-safe. Ignores events that cannot mean damage.
  void on_event(const kernel::KernelEvent& event);
  void set_period(std::chrono::seconds period);

 private:
  void run();

  std::function<void()> reconcile_all_;
  std::mutex guard_;
  std::condition_variable wake_;
  std::chrono::seconds period_;
  bool wanted_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace fairlead
