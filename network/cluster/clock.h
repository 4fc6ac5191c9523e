// The two clocks of the control plane. They are passed in, so that tests can set them.
#pragma once

#include <chrono>
#include <functional>

namespace fairlead::network::cluster {

struct Clock {
  // The time since some point in the past. It never jumps, and includes the time in which the
  // machine was suspended: what was proved before a suspension must count as old after it.
  std::function<std::chrono::milliseconds()> running;
  // Unix seconds. Hosts compare each other's times only with margins of minutes.
  std::function<long long()> unix_time;
};

Clock system_clock();  // CLOCK_BOOTTIME and CLOCK_REALTIME

}  // namespace fairlead::network::cluster
