// Counts the calls of runtimes, by protocol and verb, and how long they took.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/http/message.h"
#include "plugin-api/metrics/collectors.h"

namespace fairlead::metrics {

enum class Outcome {
  kOk,
  kRefused,  // the caller asked for what cannot be
  kFailed,
};
inline constexpr std::size_t kOutcomes = 3;

// By the status: 4xx is refused, 5xx failed.
Outcome outcome_of_status(const http::Response& response);

struct Protocol {
  std::string name;  // "docker"
  // Known before the first call, so that counting takes no lock and no caller makes up series. What
  // is not among them counts as "other".
  std::vector<std::string> verbs;
  std::function<std::string(const http::Request&)> verb_of;
  std::function<Outcome(const http::Response&)> outcome_of = outcome_of_status;
};

// All protocols are added before the first call.
class CallMeter {
 public:
  // What answers as `next` does, and is counted. The meter must outlive it.
  http::Handler measured(Protocol protocol, http::Handler next);
  Collector collector() const;

 private:
  struct Calls {
    std::array<Counter, kOutcomes> by_outcome;
    LatencyHistogram took;
  };
  struct Meter {
    Protocol protocol;
    std::map<std::string, Calls, std::less<>> verbs;
    Calls& calls_of(const http::Request& request);
  };

  Families collect() const;

  std::vector<std::shared_ptr<Meter>> meters_;
};

}  // namespace fairlead::metrics
