// The two clocks of the control plane, injected so that tests turn them.
#pragma once

#include <chrono>
#include <functional>

namespace fairlead::network::cluster {

struct Clock {
  // Since some point in the past; never jumps, and counts the time the machine was suspended: what
  // was proved before a pause must be seen to be old after it.
  std::function<std::chrono::milliseconds()> running;
  // Unix seconds. Compared between hosts, with margins of minutes only.
  std::function<long long()> unix_time;
};

Clock system_clock();  // CLOCK_BOOTTIME and CLOCK_REALTIME

}  // namespace fairlead::network::cluster
