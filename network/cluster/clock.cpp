#include "network/cluster/clock.h"

#include <ctime>

#include "base/host.h"

namespace fairlead::network::cluster {

Clock system_clock() {
  const auto running = [] {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::milliseconds(std::chrono::seconds(now.tv_sec)) +
           std::chrono::milliseconds(now.tv_nsec / 1'000'000);
  };
  return {.running = running, .unix_time = &fairlead::unix_time};
}

}  // namespace fairlead::network::cluster
