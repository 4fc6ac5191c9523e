// Verbs for tests of the allocator: pools and addresses as text.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/state/memory_store.h"
#include "network/ipam/ipam.h"

namespace fairlead::network {

inline Cidr subnet(std::string_view text) { return Cidr::parse(text).value(); }
inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

class IpamTest : public ::testing::Test {
 protected:
  Ipam ipam(const std::string& boot = "boot-1") {
    return Ipam(*store_, {.boot_id = boot, .ula_seed = "a host"});
  }

  PoolRecord make_pool(std::string_view text, std::string_view range = {},
                       std::string_view gateway = {}) {
    NewPool request{.subnet = subnet(text), .owner = "shop"};
    if (!range.empty()) request.range = subnet(range);
    if (!gateway.empty()) request.gateway = ip(gateway);
    auto made = ipam().create_pool(request);
    EXPECT_TRUE(made) << made.error().text;
    return made ? *made : PoolRecord{};
  }
  // The address given, or the code of the refusal.
  std::string give_as(std::string_view pool, const AddressRequest& request,
                      const std::string& boot = "boot-1") {
    auto given = ipam(boot).allocate(subnet(pool), request);
    if (given) return given->to_string();
    refusal_ = given.error().text;
    return std::string(to_string(given.error().code));
  }
  std::string give(std::string_view pool, const std::string& owner = "web") {
    return give_as(pool, {.owner = owner});
  }
  std::string want(std::string_view pool, std::string_view address,
                   const std::string& owner = "web", AddressUse use = AddressUse::kEndpoint) {
    return give_as(pool, {.owner = owner, .use = use, .wanted = ip(address)});
  }
  void take_back(std::string_view pool, std::string_view address, std::string_view owner = {}) {
    const auto done = ipam().release(subnet(pool), ip(address), owner);
    EXPECT_TRUE(done) << done.error().text;
  }
  std::vector<std::string> leases(std::string_view pool, const std::string& boot = "boot-1") {
    std::vector<std::string> found;
    auto listed = ipam(boot).list_leases(subnet(pool));
    EXPECT_TRUE(listed);
    for (const LeaseRecord& lease : *listed) found.push_back(lease.address.to_string());
    return found;
  }

  std::unique_ptr<state::Store> store_ = state::make_memory_store();
  std::string refusal_;
};

}  // namespace fairlead::network
