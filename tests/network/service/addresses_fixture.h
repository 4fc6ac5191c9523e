// A host in memory on which runtimes ask for addresses, in Docker's order of calls and out of it.
#pragma once

#include <gmock/gmock.h>

#include "base/json/json.h"
#include "network/drivers/bridge.h"
#include "network/ipam/records.h"
#include "network/service/keys.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {

inline constexpr const char* kV4 = "10.20.0.0/24";
inline constexpr const char* kV6 = "fd20::/64";
inline constexpr long long kLong = 61;  // seconds: longer than a runtime may take

inline Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }
inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << result.error().text;
  return std::move(result.value());
}
inline void must(const Status& done) { EXPECT_TRUE(done) << done.error().text; }

class AddressesOfHost : public ::testing::Test {
 protected:
  AddressesOfHost() { host_.open(); }

  network::NetworkService& service() { return *host_.service; }
  network::PoolService& pools() { return host_.core->pools(); }

  // As `docker network create --ipam-driver fairlead` does.
  network::Network docker_network(const std::string& name, std::vector<std::string> subnets) {
    network::NetworkSpec spec{.name = NetworkName::parse(name).value()};
    for (const std::string& subnet : subnets) {
      const auto pool = must(pools().request_pool({.subnet = cidr(subnet)}));
      const auto gateway =
          must(pools().request_address(pool.id, {}, network::AddressUse::kGateway));
      spec.subnets.push_back({.family = gateway.family(),
                              .subnet = cidr(subnet),
                              .range = {},
                              .gateway = gateway.address(),
                              .aux = {}});
    }
    return must(service().create_network(spec));
  }
  Result<Cidr> request(const std::string& pool, const std::string& wanted = "") {
    return pools().request_address(pool, wanted.empty() ? std::optional<IpAddress>() : ip(wanted),
                                   network::AddressUse::kEndpoint);
  }
  Status create_endpoint(const std::string& net, const std::string& id,
                         std::vector<Cidr> addresses) {
    network::EndpointSpec spec{.network = network::NetworkText{net},
                               .id = id,
                               .runtime = "docker",
                               .addresses = std::move(addresses),
                               .address_source = network::AddressSource::kRuntime};
    return status_of(service().create_endpoint(spec));
  }
  // Docker starts a container whose interface is in its namespace then.
  void start(const std::string& net, const std::string& id, std::vector<Cidr> addresses) {
    must(create_endpoint(net, id, std::move(addresses)));
    must(service().join(
        {network::NetworkText{net}, id},
        network::IntoNetns{.fd = next_netns_++, .ifname = IfName::parse("eth0").value()}));
  }
  static network::IntoNetns into() {
    return {.fd = FakeHost::kNetns, .ifname = IfName::parse("eth0").value()};
  }
  // Its namespace goes, and the interface with it; nobody has told us.
  void dies(const std::string& net, const std::string& id) {
    const auto endpoint = must(service().inspect_endpoint({network::NetworkText{net}, id}));
    must(host_.links.remove(host_side_of(endpoint)));
  }
  Result<network::Attachment> attach(const std::string& net, const std::string& container,
                                     std::vector<network::PortSpec> ports = {},
                                     std::vector<Cidr> addresses = {}) {
    network::EndpointSpec spec{.network = network::NetworkText{net},
                               .id = network::endpoint_id(container, "eth0"),
                               .container = container,
                               .runtime = "cni",
                               .addresses = std::move(addresses),
                               .ports = std::move(ports)};
    return service().attach(
        spec, network::IntoNetns{.fd = next_netns_++, .ifname = IfName::parse("eth0").value()});
  }
  std::vector<std::string> reconcile() {
    const auto report = must(service().reconcile());
    EXPECT_THAT(report.failures, ::testing::IsEmpty());
    return report.actions;
  }
  std::vector<std::string> problems() { return must(service().status()).problems; }

  std::string lease_key(const std::string& subnet, const std::string& address) {
    return network::records::lease_key(cidr(subnet), ip(address));
  }
  // "" when the address is free.
  std::string owner_of(const std::string& subnet, const std::string& address) {
    const auto record = must(host_.store.get(lease_key(subnet, address)));
    return record ? must(network::records::decode_lease(*record)).owner : "";
  }
  void put(const std::string& key, const json::Json& value) {
    must(host_.store.commit({.puts = {{key, json::dump(value)}}}));
  }

  FakeHost host_;
  int next_netns_ = FakeHost::kNetns + 1;
};

}  // namespace fairlead::testing
