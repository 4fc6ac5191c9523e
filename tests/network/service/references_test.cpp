// By what a network is found, for which other one it must not be taken, and what finding it costs.
#include <gmock/gmock.h>

#include "network/service/keys.h"
#include "network/service/records.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

using network::NetworkId;
using network::NetworkText;
using network::RuntimeNetworkId;
using ::testing::HasSubstr;

const std::string kDockers = std::string(32, '6') + std::string(32, 'c');
const std::string kOther = std::string(64, 'd');

template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << result.error().text;
  return std::move(*result);
}
void must(const Status& done) { EXPECT_TRUE(done) << done.error().text; }

NetworkName name(const std::string& text) { return NetworkName::parse(text).value(); }

class References : public ::testing::Test {
 protected:
  References() { host_.open(); }

  network::NetworkService& service() { return *host_.service; }
  network::Network create(const std::string& text, const std::string& subnet,
                          const std::string& id = "") {
    network::NetworkSpec spec{.name = name(text), .id = id};
    spec.subnets.push_back({.subnet = Cidr::parse(subnet).value()});
    return must(service().create_network(spec));
  }
  // An older version let a network have another one's id as its name.
  void rename(const network::Network& network, const std::string& to) {
    auto renamed = network;
    renamed.name = name(to);
    const state::Txn txn{
        .preconditions = {},
        .puts = {{network::keys::network(network.id), network::encode(renamed)},
                 {network::keys::network_name(to), network::encode_id(network.id)}},
        .deletes = {network::keys::network_name(network.name.str())}};
    ASSERT_TRUE(host_.store.commit(txn));
  }
  network::EndpointRef endpoint_at(network::NetworkRef network) {
    network::EndpointSpec spec{.network = std::move(network), .id = "e1", .runtime = "docker"};
    must(service().create_endpoint(spec));
    return {spec.network, "e1"};
  }
  static network::IntoNetns into() {
    return {.fd = FakeHost::kNetns, .ifname = IfName::parse("eth0").value()};
  }
  std::size_t reads_of_join(const network::EndpointRef& endpoint) {
    const std::size_t before = host_.store.reads();
    must(service().join(endpoint, into()));
    return host_.store.reads() - before;
  }

  FakeHost host_;
};

TEST_F(References, ANameInTheFormOfAnIdIsRefused) {
  create("docker-6", "10.81.0.0/24", kDockers);
  for (const std::string& id : {kDockers, kOther}) {
    network::NetworkSpec spec{.name = name(id)};
    spec.subnets.push_back({.subnet = Cidr::parse("10.82.0.0/24").value()});
    const auto made = service().create_network(spec);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::kInvalid);
    EXPECT_THAT(made.error().text, HasSubstr("the form of an id; choose another name"));
  }
}

TEST_F(References, NoNetworkIsTakenForAnotherOneWhoseIdIsItsName) {
  const auto dockers = create("docker-6", "10.81.0.0/24", kDockers);
  const auto other = create("lab", "10.82.0.0/24");
  rename(other, kDockers);
  for (const network::NetworkRef& ref : std::vector<network::NetworkRef>{
           NetworkId{kDockers}, RuntimeNetworkId{kDockers}, NetworkText{kDockers}})
    EXPECT_EQ(must(service().inspect_network(ref)).subnets, dockers.subnets);
  EXPECT_EQ(must(service().inspect_network(name(kDockers))).subnets, other.subnets);

  const auto made = must(service().create_endpoint(
      {.network = RuntimeNetworkId{kDockers}, .id = "e1", .runtime = "docker"}));
  EXPECT_EQ(made.addresses.front().to_string(), "10.81.0.2/24");
  must(service().remove_endpoint({RuntimeNetworkId{kDockers}, "e1"}));
  must(service().remove_network(RuntimeNetworkId{kDockers}));
  EXPECT_TRUE(service().inspect_network(NetworkId{other.id}));
}

TEST_F(References, ANameIsNoIdAndAnIdNoName) {
  const auto shop = create("shop", "10.81.0.0/24");
  must(service().bind_network(kOther, shop.name));
  const auto finds = [&](const network::NetworkRef& ref) {
    const auto found = service().inspect_network(ref);
    EXPECT_TRUE(found || found.error().code == Code::kNotFound) << found.error().text;
    return found.has_value();
  };
  EXPECT_TRUE(finds(NetworkId{shop.id}));
  EXPECT_FALSE(finds(NetworkId{"shop"}));
  EXPECT_FALSE(finds(NetworkId{kOther}));
  EXPECT_FALSE(finds(NetworkId{""}));
  EXPECT_TRUE(finds(RuntimeNetworkId{shop.id}));
  EXPECT_TRUE(finds(RuntimeNetworkId{kOther}));
  EXPECT_FALSE(finds(RuntimeNetworkId{"shop"}));
  EXPECT_FALSE(finds(RuntimeNetworkId{"../shop"}));
  EXPECT_FALSE(finds(RuntimeNetworkId{shop.id.substr(0, 12)}));
  EXPECT_TRUE(finds(name("shop")));
  EXPECT_FALSE(finds(name(shop.id.substr(0, 12))));
  EXPECT_TRUE(finds(NetworkText{"shop"}));
  EXPECT_TRUE(finds(NetworkText{kOther}));
  EXPECT_TRUE(finds(NetworkText{shop.id.substr(0, 3)}));
  EXPECT_FALSE(finds(NetworkText{shop.id.substr(0, 2)}));
}

// And whether policies select endpoints, and who answers names.
TEST_F(References, AJoinReadsTheNetworkAndTheEndpoint) {
  create("docker-6", "10.81.0.0/24", kDockers);
  EXPECT_EQ(reads_of_join(endpoint_at(RuntimeNetworkId{kDockers})), 4U);
}

TEST_F(References, AJoinOfABoundNetworkAlsoReadsWhatItIsBoundTo) {
  create("shop", "10.81.0.0/24");
  must(service().bind_network(kOther, name("shop")));
  EXPECT_EQ(reads_of_join(endpoint_at(RuntimeNetworkId{kOther})), 6U);
}

TEST_F(References, CreatingANetworkAgainWaitsForNobody) {
  create("shop", "10.81.0.0/24");
  const auto busy = host_.locks.lock("networks", std::chrono::milliseconds(100));
  ASSERT_TRUE(busy);
  create("shop", "10.81.0.0/24");
}

}  // namespace
}  // namespace fairlead::testing
