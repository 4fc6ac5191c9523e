#include "plugin-api/metrics/call_meter.h"

#include <array>
#include <chrono>

namespace fairlead::metrics {

namespace {

constexpr const char* kOther = "other";
constexpr std::array<const char*, kOutcomes> kOutcomeNames{"ok", "refused", "failed"};

}  // namespace

Outcome outcome_of_status(const http::Response& response) {
  if (response.status < 400) return Outcome::kOk;
  return response.status < 500 ? Outcome::kRefused : Outcome::kFailed;
}

CallMeter::Calls& CallMeter::Meter::calls_of(const http::Request& request) {
  const auto found = verbs.find(protocol.verb_of(request));
  return found == verbs.end() ? verbs.find(kOther)->second : found->second;
}

http::Handler CallMeter::measured(Protocol protocol, http::Handler next) {
  auto meter = std::make_shared<Meter>();
  meter->protocol = std::move(protocol);
  for (const std::string& verb : meter->protocol.verbs) meter->verbs[verb];
  meter->verbs[kOther];
  meters_.push_back(meter);
  return [meter = std::move(meter), next = std::move(next)](const http::Request& request) {
    const auto start = std::chrono::steady_clock::now();
    http::Response response = next(request);
    Calls& calls = meter->calls_of(request);
    calls.took.observe(std::chrono::steady_clock::now() - start);
    calls.by_outcome[static_cast<std::size_t>(meter->protocol.outcome_of(response))].add();
    return response;
  };
}

Families CallMeter::collect() const {
  Family calls{.name = "fairlead_calls",
               .help = "Calls that were answered, by protocol, verb and outcome.",
               .type = Type::kCounter};
  Family took{.name = "fairlead_call_duration_seconds",
              .help = "How long the calls took, from the whole request to the answer.",
              .type = Type::kHistogram};
  for (const auto& meter : meters_)
    for (const auto& [verb, counted] : meter->verbs) {
      std::uint64_t all = 0;
      for (const Counter& outcome : counted.by_outcome) all += outcome.value();
      if (all == 0) continue;
      const Labels labels{{"protocol", meter->protocol.name}, {"verb", verb}};
      took.add(labels, counted.took);
      for (std::size_t i = 0; i < kOutcomes; ++i) {
        Labels with_outcome = labels;
        with_outcome.emplace_back("outcome", kOutcomeNames[i]);
        calls.add(std::move(with_outcome), static_cast<double>(counted.by_outcome[i].value()));
      }
    }
  return {std::move(calls), std::move(took)};
}

Collector CallMeter::collector() const {
  return {"calls", [this]() -> Result<Families> { return collect(); }};
}

}  // namespace fairlead::metrics
