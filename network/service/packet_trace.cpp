// ServiceExplainer::trace: a real packet, and the rules that the kernel says it passes.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "network/explain/packet.h"
#include "network/explain/ruleset.h"
#include "network/kernel/events/trace_events.h"
#include "network/kernel/firewall/listing.h"
#include "network/kernel/firewall/trace_table.h"
#include "network/kernel/host/netns.h"
#include "network/kernel/host/probe.h"
#include "network/service/explainer.h"

namespace fairlead::network {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// TCP sends its SYN again after a second; the trace is of one packet.
constexpr milliseconds kAnswerTime{800};
// Between the last rule of a packet that was waited for and the end of its trace.
constexpr milliseconds kQuietTime{200};
constexpr milliseconds kLook{50};

kernel::Probe::Kind kind_of(const ExplainPath& path) {
  switch (path.port.kind) {
    case ExplainPort::Kind::kTcp:
      return kernel::Probe::Kind::kTcp;
    case ExplainPort::Kind::kUdp:
      return kernel::Probe::Kind::kUdp;
    case ExplainPort::Kind::kPing:
      break;
  }
  return kernel::Probe::Kind::kPing;
}

kernel::TraceFilter filter_of(const ExplainPath& path) {
  kernel::TraceFilter filter{.destination = path.destination, .port = path.port.port};
  switch (path.port.kind) {
    case ExplainPort::Kind::kTcp:
      filter.proto = explain::kTcp;
      break;
    case ExplainPort::Kind::kUdp:
      filter.proto = explain::kUdp;
      break;
    case ExplainPort::Kind::kPing:
      filter.proto = path.destination.is_v4() ? explain::kIcmp : explain::kIcmpv6;
  }
  return filter;
}

// The rules' texts, by "inet fairlead 116".
std::string text_of(const explain::Ruleset& rules, const kernel::TraceEvent& event) {
  if (event.handle == 0) return "the policy of the chain";
  const explain::Table* table = rules.find(event.family, event.table);
  if (table == nullptr) return {};
  const auto chain = table->chains.find(event.chain);
  if (chain == table->chains.end()) return {};
  const auto rule = std::ranges::find(chain->second.rules, event.handle, &explain::Rule::handle);
  return rule == chain->second.rules.end() ? std::string() : rule->text;
}

class Tracing {
 public:
  Tracing(const ExplainPath& path, milliseconds wait, const std::function<bool()>& stop)
      : path_(path), end_(Clock::now() + wait), stop_(stop) {}

  Result<PacketTrace> run() {
    TRY(events_, kernel::TraceEvents::listen());
    TRY_STATUS(path_.can_send ? send() : await());
    TRY_STATUS(collect());
    TRY_STATUS(put_in_words());
    return std::move(trace_);
  }

 private:
  Status send() {
    UniqueFd netns;
    if (!path_.netns_path.empty()) {
      TRY(netns, kernel::open_netns(path_.netns_path));
    }
    TRY(auto probe, kernel::Probe::open(netns ? netns.get() : -1, kind_of(path_), path_.family()));
    kernel::TraceFilter filter = filter_of(path_);
    filter.sender = probe.sender();
    TRY(const auto table, kernel::TraceTable::make(filter));
    trace_.sent = true;
    if (const Status sent = probe.send(path_.destination, path_.port.port); !sent) {
      trace_.said = sent.error().text;
      trace_.answered = false;
      return {};
    }
    return await_answer(probe);
  }

  Status await_answer(kernel::Probe& probe) {
    const auto deadline = std::min(end_, Clock::now() + kAnswerTime);
    while (Clock::now() < deadline && !stopped()) {
      if (has_come(probe.fd(), path_.port.kind == ExplainPort::Kind::kTcp ? POLLOUT : POLLIN)) {
        if (const auto outcome = probe.outcome()) {
          trace_.answered = outcome->answered;
          trace_.said = outcome->said;
          return {};
        }
      }
      TRY_STATUS(collect());
      if (trace_.dropped) break;
    }
    trace_.answered = false;
    trace_.said = "no answer";
    return {};
  }

  // Somebody else has to send it.
  Status await() {
    kernel::TraceFilter filter = filter_of(path_);
    TRY(const auto table, kernel::TraceTable::make(filter));
    std::optional<Clock::time_point> last;
    while (Clock::now() < end_ && !stopped()) {
      if (has_come(events_->fd(), POLLIN)) last = Clock::now();
      TRY_STATUS(collect());
      if (trace_.dropped || (last && Clock::now() - *last > kQuietTime)) break;
    }
    if (found_.empty()) trace_.said = "no such packet has come";
    return {};
  }

  bool stopped() const { return stop_ && stop_(); }

  static bool has_come(int fd, int what) {
    pollfd polled{.fd = fd, .events = static_cast<short>(what), .revents = 0};
    return ::poll(&polled, 1, static_cast<int>(kLook.count())) > 0;
  }

  Status collect() {
    TRY(const auto events, events_->take());
    for (const kernel::TraceEvent& event : events) {
      if (event.table.starts_with(kernel::kTraceTable)) continue;
      trace_.dropped = trace_.dropped || event.drops();
      found_.push_back(event);
    }
    return {};
  }

  // What has no verdict changes nothing, and chains that end without one are followed by what does.
  static bool is_worth_telling(const kernel::TraceEvent& event) {
    return event.verdict != "continue";
  }

  Status put_in_words() {
    TRY(const auto listing, kernel::list_ruleset());
    TRY(const auto rules, explain::parse_ruleset(listing.json, listing.text));
    for (const kernel::TraceEvent& event : found_)
      if (is_worth_telling(event))
        trace_.steps.push_back({.table = fmt::format("{} {}", event.family, event.table),
                                .chain = event.chain,
                                .rule = text_of(rules, event),
                                .verdict = event.verdict});
    return {};
  }

  const ExplainPath& path_;
  const Clock::time_point end_;
  const std::function<bool()>& stop_;
  std::optional<kernel::TraceEvents> events_;
  std::vector<kernel::TraceEvent> found_;
  PacketTrace trace_;
};

}  // namespace

Result<PacketTrace> ServiceExplainer::trace(const ExplainPath& path, milliseconds wait,
                                            const std::function<bool()>& stop) {
  return Tracing(path, wait, stop).run();
}

}  // namespace fairlead::network
