#include "plugin-api/bin/repair.h"

#include <algorithm>

namespace fairlead {

namespace {
constexpr std::chrono::milliseconds kSettle{100};
constexpr std::chrono::milliseconds kPause{50};
constexpr std::chrono::milliseconds kRetry{1000};
}  // namespace

// ---- Periodic

Periodic::Periodic(std::function<void()> work, std::chrono::seconds period)
    : work_(std::move(work)), period_(period), thread_([this] { run(); }) {}

Periodic::~Periodic() {
  {
    const std::scoped_lock hold(guard_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Periodic::set_period(std::chrono::seconds period) {
  {
    const std::scoped_lock hold(guard_);
    period_ = period;
  }
  wake_.notify_all();
}

void Periodic::soon() {
  {
    const std::scoped_lock hold(guard_);
    wanted_ = true;
  }
  wake_.notify_all();
}

void Periodic::run() {
  std::unique_lock hold(guard_);
  auto last = std::chrono::steady_clock::now();
  while (!stopping_) {
    const bool due = wanted_ || std::chrono::steady_clock::now() >= last + period_;
    if (!due) {
      wake_.wait_until(hold, last + period_);
      continue;
    }
    wanted_ = false;
    hold.unlock();
    work_();
    hold.lock();
    last = std::chrono::steady_clock::now();
  }
}

// ---- DamageQueue

bool DamageQueue::take(const kernel::KernelEvent& event, Clock::time_point now) {
  using Kind = kernel::KernelEvent::Kind;
  const network::LinkDamage link{event.name, event.bridge, event.what};
  switch (event.kind) {
    case Kind::kTableChanged:
      if (!table_due_) table_due_ = now;
      break;
    case Kind::kFilterChanged:
      add({.other_firewalls = true}, now + kSettle);
      break;
    case Kind::kForwardingOff:
      add({.forwarding = true}, now + kSettle);
      break;
    case Kind::kRoutesChanged:
      add({.routes = true}, now + kSettle);
      break;
    case Kind::kSettingChanged:
      add({.settings = {event.name}}, now + kSettle);
      break;
    case Kind::kLinkChanged:
      if (event.of_container) ports_.insert_or_assign(event.index, link);
      add(event.of_container ? network::Damage{} : network::Damage{.links = {link}}, now + kSettle);
      break;
    case Kind::kLinkGone:
      if (event.of_container)
        ports_.erase(event.index);
      else if (!event.bridge.empty())
        add({.links = {link}}, now + kSettle);
      break;
    case Kind::kOverrun:
      return false;
  }
  return true;
}

void DamageQueue::add(network::Damage damage, Clock::time_point due) {
  rest_.other_firewalls |= damage.other_firewalls;
  rest_.forwarding |= damage.forwarding;
  rest_.routes |= damage.routes;
  rest_.settings.merge(damage.settings);
  for (network::LinkDamage& link : damage.links)
    if (std::ranges::find(rest_.links, link) == rest_.links.end())
      rest_.links.push_back(std::move(link));
  if (!rest_due_) rest_due_ = due;
}

std::optional<DamageQueue::Clock::time_point> DamageQueue::due() const {
  if (!table_due_ || !rest_due_) return table_due_ ? table_due_ : rest_due_;
  return std::min(*table_due_, *rest_due_);
}

network::Damage DamageQueue::remove(Clock::time_point now) {
  network::Damage damage;
  if (rest_due_ && *rest_due_ <= now) {
    damage = std::exchange(rest_, {});
    for (auto& [index, port] : std::exchange(ports_, {})) damage.links.push_back(std::move(port));
    rest_due_.reset();
  }
  if (table_due_ && *table_due_ <= now) {
    damage.table = true;
    table_due_.reset();
  }
  return damage;
}

void DamageQueue::put_back(const network::Damage& damage, Clock::time_point now) {
  if (damage.table && !table_due_) table_due_ = now + kRetry;
  network::Damage rest = damage;
  rest.table = false;
  if (!rest.empty()) add(std::move(rest), now + kRetry);
}

// ---- Repairer

Repairer::Repairer(std::function<bool(const network::Damage&)> mend,
                   std::function<void()> check_everything)
    : mend_(std::move(mend)),
      check_everything_(std::move(check_everything)),
      thread_([this] { run(); }) {}

Repairer::~Repairer() {
  {
    const std::scoped_lock hold(guard_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Repairer::on_event(const kernel::KernelEvent& event) {
  bool known = false;
  {
    const std::scoped_lock hold(guard_);
    known = queue_.take(event, DamageQueue::Clock::now());
  }
  if (!known) return check_everything_();
  wake_.notify_all();
}

// Returns when something is due, at `earliest`, or when the thread is to stop.
void Repairer::await_work(std::unique_lock<std::mutex>& hold,
                          DamageQueue::Clock::time_point earliest) {
  for (;;) {
    const auto due = queue_.due();
    if (stopping_ || (due && std::max(*due, earliest) <= DamageQueue::Clock::now())) return;
    if (due)
      wake_.wait_until(hold, std::max(*due, earliest));
    else
      wake_.wait(hold);
  }
}

void Repairer::run() {
  std::unique_lock hold(guard_);
  DamageQueue::Clock::time_point earliest{};
  for (;;) {
    await_work(hold, earliest);
    if (stopping_) return;
    const network::Damage damage = queue_.remove(DamageQueue::Clock::now());
    hold.unlock();
    const bool done = damage.empty() || mend_(damage);
    hold.lock();
    earliest = DamageQueue::Clock::now() + kPause;
    if (!done) queue_.put_back(damage, DamageQueue::Clock::now());
  }
}

}  // namespace fairlead
