// Which of several servers is asked first: what is remembered of how they have answered. Pure: its clock is the caller's.
// Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/ip.h"

namespace fairlead::dns {

// A server that is asked.
struct Upstream {
  IpAddress address;
  std::string zone{};  // of a link-local address
  std::uint16_t port = 53;

  auto operator<=>(const Upstream&) const = default;
  std::string to_string() const;  // "192.0.2.1", "fe80::1%eth0"
};

class UpstreamHealth {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Change { kNone, kSilent, kBack };  // for people

  // In the order in which they are to be asked: those that answer before those that have left three questions unanswered,
  // which get one question after 1, 2, 4 up to 30 seconds to show that they are back. Of those that answer, one is asked
  // before another that is at least 50 ms slower; else in the order given, which is what whoever wrote it has meant.
  std::vector<Upstream> order(std::vector<Upstream> servers, Clock::time_point now);

  // It has said something, whatever that was.
  Change answered(const Upstream& server, Clock::duration after);
  // It has not answered, or another one had to.
  Change missed(const Upstream& server, Clock::time_point now);
  // How long an answer takes; zero: it is not known.
  Clock::duration usual_time(const Upstream& server) const;

 private:
  struct State {
    Clock::duration smoothed{0};
    unsigned misses = 0;
    Clock::time_point silent_until{};
  };

  State& state_of(const Upstream& server);
  int rank(const Upstream& server, Clock::time_point now);

  std::map<Upstream, State> states_;
};

}  // namespace fairlead::dns
