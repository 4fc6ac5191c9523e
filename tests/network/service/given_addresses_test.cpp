// Addresses that another program gives after the link was made. Over a kernel in memory.
#include <gmock/gmock.h>

#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

using network::AddressSource;
using network::Attachment;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << result.error().text;
  return std::move(*result);
}
void must(const Status& done) { EXPECT_TRUE(done) << done.error().text; }

class GivenAddresses : public ::testing::Test {
 protected:
  GivenAddresses() { host_.open(); }

  network::NetworkService& service() { return *host_.service; }
  network::Network make(const std::string& name, AddressSource source,
                        const char* subnet = nullptr) {
    network::NetworkSpec spec{.name = NetworkName::parse(name).value(), .address_source = source};
    if (subnet != nullptr) spec.subnets = {{.subnet = Cidr::parse(subnet).value()}};
    return must(service().create_network(spec));
  }
  // Of its own name, because all are in one namespace.
  static network::IntoNetns inside(const std::string& id) {
    return {FakeHost::kNetns, *IfName::parse(id)};
  }
  network::EndpointRef ref(const std::string& name, const std::string& id = "web") {
    return {network::NetworkText{name}, id};
  }
  Result<Attachment> link(const std::string& name, const std::string& id = "web",
                          AddressSource source = AddressSource::kPlugin) {
    return service().attach({.network = network::NetworkText{name},
                             .id = id,
                             .container = id,
                             .runtime = "cni",
                             .address_source = source},
                            inside(id));
  }
  Result<Attachment> give(const std::string& name, const std::string& address,
                          const std::string& id = "web") {
    return service().give_addresses(ref(name, id),
                                    {.addresses = {Cidr::parse(address).value()},
                                     .ports = ports_,
                                     .routes = {},
                                     .digest = "d1",
                                     .allocation = "its words"},
                                    inside(id));
  }
  std::vector<std::string> leased(const std::string& name) {
    std::vector<std::string> texts;
    for (const auto& lease : must(service().list_leases(network::NetworkText{name})))
      if (lease.use == network::AddressUse::kEndpoint)
        texts.push_back(fmt::format("{} {}", lease.address.to_string(), lease.endpoint_id));
    return texts;
  }

  FakeHost host_;
  std::vector<network::PortSpec> ports_;
};

TEST_F(GivenAddresses, ANetworkMayHaveNoSubnet) {
  EXPECT_THAT(make("wire", AddressSource::kPlugin).subnets, IsEmpty());
  EXPECT_THAT(must(link("wire")).endpoint.addresses, IsEmpty());
  const Attachment given = must(give("wire", "192.168.7.9/24"));
  EXPECT_EQ(given.endpoint.addresses.front().to_string(), "192.168.7.9/24");
  EXPECT_THAT(given.endpoint.gateways, IsEmpty());
  EXPECT_EQ(given.endpoint.allocation, "its words");
  EXPECT_EQ(must(service().inspect_endpoint(ref("wire"))), given.endpoint);
  host_.open();
  EXPECT_EQ(must(service().inspect_endpoint(ref("wire"))), given.endpoint);
  EXPECT_THAT(must(service().status()).problems, IsEmpty());
  must(service().remove_endpoint(ref("wire")));
  must(service().remove_network(network::NetworkText{"wire"}));
}

TEST_F(GivenAddresses, TheSubnetsGatewayIsTheWayOut) {
  make("net", AddressSource::kPlugin, "10.1.0.0/24");
  EXPECT_THAT(must(link("net")).routes, IsEmpty());
  const Attachment given = must(give("net", "10.1.0.9/24"));
  ASSERT_EQ(given.routes.size(), 1U);
  EXPECT_EQ(given.routes.front().via, IpAddress::parse("10.1.0.1").value());
  EXPECT_THAT(leased("net"), IsEmpty());
}

TEST_F(GivenAddresses, TheyAreGivenOnce) {
  make("net", AddressSource::kPlugin);
  EXPECT_EQ(give("net", "10.1.0.9/24").error().code, Code::kNotFound);
  must(link("net"));
  must(give("net", "10.1.0.9/24"));
  EXPECT_EQ(give("net", "10.1.0.8/24").error().code, Code::kExists);
  EXPECT_EQ(link("net").error().code, Code::kExists);
}

TEST_F(GivenAddresses, InAFairleadNetworkTheyAreLeasedToTheEndpoint) {
  make("shop", AddressSource::kFairlead, "10.1.0.0/24");
  must(link("shop"));
  must(give("shop", "10.1.0.9/28"));  // another prefix length than the subnet's
  EXPECT_THAT(leased("shop"), ::testing::ElementsAre("10.1.0.9 web"));
  must(link("shop", "db", AddressSource::kFairlead));
  must(link("shop", "cache"));
  const auto taken = give("shop", "10.1.0.9/24", "cache");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kExists);
  must(service().remove_endpoint(ref("shop", "cache")));
  must(service().remove_endpoint(ref("shop")));
  EXPECT_EQ(leased("shop").size(), 1U) << "that of db";
  EXPECT_THAT(must(service().status()).problems, IsEmpty());
}

TEST_F(GivenAddresses, PortsArePublishedWithThem) {
  make("net", AddressSource::kPlugin, "10.1.0.0/24");
  ports_ = {{.host_port = 8080, .container_port = 80}};
  must(link("net"));
  EXPECT_EQ(must(give("net", "10.1.0.9/24")).endpoint.ports.size(), 1U);
  EXPECT_EQ(must(host_.firewall.elements("published_any_v4")).size(), 1U);
  must(service().check(ref("net"), {.netns_fd = FakeHost::kNetns, .ifname = "web"}));
  must(link("net", "db"));
  EXPECT_EQ(give("net", "10.1.0.8/24", "db").error().code, Code::kInUse);
  must(service().remove_endpoint(ref("net", "db")));
  must(service().remove_endpoint(ref("net")));
  EXPECT_THAT(must(host_.firewall.elements("published_any_v4")), IsEmpty());
  EXPECT_THAT(must(service().list_ports()), IsEmpty());
  EXPECT_THAT(must(service().status()).problems, IsEmpty());
}

TEST_F(GivenAddresses, NobodyElseGetsAddressesOfSuchANetwork) {
  make("net", AddressSource::kPlugin, "10.1.0.0/24");
  const auto refused = link("net", "db", AddressSource::kFairlead);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_THAT(refused.error().text, HasSubstr("another IPAM plugin"));
  const auto kept = service().reserve(
      network::NetworkText{"net"}, {.container = "db", .address = *IpAddress::parse("10.1.0.5")});
  EXPECT_EQ(kept.error().code, Code::kUnsupported);
}

TEST_F(GivenAddresses, WithoutThemAnEndpointMayAskADhcpServerAndNothingElse) {
  make("net", AddressSource::kPlugin);
  const auto linked = must(link("net"));
  const auto elements = [&](const char* set) {
    return must(host_.bridge_firewall.elements(set)).size();
  };
  EXPECT_EQ(elements("dhcp_clients"), 1U);
  EXPECT_EQ(elements("senders_v4"), 0U);
  must(give("net", "10.1.0.9/24"));
  EXPECT_EQ(elements("dhcp_clients"), 1U) << "to ask again before it runs out";
  EXPECT_EQ(elements("senders_v4"), 1U);
  must(service().remove_endpoint(ref("net")));
  EXPECT_EQ(elements("dhcp_clients") + elements("senders_v4") + elements("senders"), 0U);
}

}  // namespace
}  // namespace fairlead::testing
