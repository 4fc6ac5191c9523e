// A driver without a service: nothing is stored, and a network has no endpoints but those at hand.
#pragma once

#include "network/api/driver.h"

namespace fairlead::testing {

class NoService : public network::NetworkContext {
 public:
  Status remember(const network::Network&) override { return {}; }
  Result<bool> any_publisher(const network::Network&,
                             const std::function<bool(const network::Endpoint&)>&) override {
    return false;
  }
};

// The record of an endpoint's veth pair, as the bridge driver writes it.
inline network::DriverRecord veth(const std::string& host_side) {
  return {.shown = {{"host_ifname", host_side}}};
}

}  // namespace fairlead::testing
