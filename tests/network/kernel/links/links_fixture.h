// Links on the host of a KernelFixture.
#pragma once

#include <string>

#include "network/kernel/links/links.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {

class Links : public KernelFixture {
 protected:
  kernel::VethSpec veth_spec(const std::string& host_name, const std::string& container,
                             int master = 0) {
    return {.host_name = ifname(host_name),
            .peer_name = ifname("eth0"),
            .peer_netns_fd = netns(container),
            .peer_mac = must(MacAddress::parse("02:fa:00:00:00:09")),
            .master = master};
  }
};

}  // namespace fairlead::testing
