#include "plugin-api/bin/repair.h"

namespace fairlead {

namespace {
// Events come in bursts (a flush deletes many things). This waits for the end of a burst and still
// repairs within a second.
constexpr std::chrono::milliseconds kSettle{150};
}  // namespace

Repairer::Repairer(std::function<void()> reconcile_all, std::chrono::seconds period)
    : reconcile_all_(std::move(reconcile_all)), period_(period), thread_([this] { run(); }) {}

Repairer::~Repairer() {
  {
    const std::scoped_lock hold(guard_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Repairer::on_event(const kernel::KernelEvent& event) {
  using Kind = kernel::KernelEvent::Kind;
  // Endpoints' links come and go all the time by our own actions. Those that a runtime lost are
  // found in the next periodic round.
  const bool own_veth = event.name.starts_with("flh") || event.name.starts_with("flc");
  if (own_veth && event.kind != Kind::kOverrun) return;
  const bool own_link = event.name.starts_with("fl-") || event.name.starts_with("flx");
  if (event.kind == Kind::kLinkChanged && own_link) return;
  {
    const std::scoped_lock hold(guard_);
    wanted_ = true;
  }
  wake_.notify_all();
}

void Repairer::set_period(std::chrono::seconds period) {
  {
    const std::scoped_lock hold(guard_);
    period_ = period;
  }
  wake_.notify_all();
}

void Repairer::run() {
  std::unique_lock hold(guard_);
  auto last = std::chrono::steady_clock::now();
  while (!stopping_) {
    wake_.wait_until(hold, last + period_, [&] {
      return wanted_ || stopping_ || std::chrono::steady_clock::now() >= last + period_;
    });
    if (wanted_ && !stopping_) wake_.wait_for(hold, kSettle, [&] { return stopping_; });
    if (stopping_) return;
    if (!wanted_ && std::chrono::steady_clock::now() < last + period_) continue;
    wanted_ = false;
    hold.unlock();
    reconcile_all_();
    hold.lock();
    last = std::chrono::steady_clock::now();
  }
}

}  // namespace fairlead
