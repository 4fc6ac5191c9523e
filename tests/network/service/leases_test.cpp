// Whose each address is, in Docker's order of calls and out of it; and what belongs to nobody. Over
// a kernel in memory.
#include <thread>

#include "tests/network/service/addresses_fixture.h"

namespace fairlead::testing {
namespace {

using network::AddressSource;
using network::AddressUse;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class Addresses : public AddressesOfHost {};

TEST_F(Addresses, AreTheEndpointsFromTheMomentThatItNamesThem) {
  docker_network("net", {kV4, kV6});
  const auto v4 = must(request(kV4)), v6 = must(request(kV6));
  EXPECT_THAT(owner_of(kV4, "10.20.0.2"), StartsWith("docker "));
  start("net", "web", {v4, v6});
  EXPECT_EQ(owner_of(kV4, "10.20.0.2"), "web");
  EXPECT_EQ(owner_of(kV6, "fd20::2"), "web");
  host_.now += kLong;
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(reconcile(), IsEmpty());
  EXPECT_EQ(owner_of(kV4, "10.20.0.2"), "web");
}

TEST_F(Addresses, OfAContainerThatWentUnseenAreFreeAfterReconcile) {
  docker_network("net", {kV4, kV6});
  start("net", "web", {must(request(kV4, "10.20.0.50")), must(request(kV6, "fd20::50"))});
  dies("net", "web");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("endpoint web of network net lost its container")));
  EXPECT_THAT(reconcile(), Contains(HasSubstr("its container is gone")));
  EXPECT_EQ(owner_of(kV4, "10.20.0.50"), "");
  EXPECT_EQ(owner_of(kV6, "fd20::50"), "");
  must(request(kV4, "10.20.0.50"));
  must(request(kV6, "fd20::50"));
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Addresses, ThatLedToNoEndpointAreFreedAndNamedAfterAWhile) {
  docker_network("net", {kV4, kV6});
  must(request(kV4));
  must(request(kV6));
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(reconcile(), IsEmpty());
  host_.now += kLong;
  EXPECT_THAT(
      problems(),
      ElementsAre(HasSubstr("no container has addresses 10.20.0.2, fd20::2 of network net")));
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("freed address 10.20.0.2 of network net"),
                                       HasSubstr("freed address fd20::2 of network net")));
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_EQ(owner_of(kV4, "10.20.0.2"), "");
  EXPECT_EQ(owner_of(kV4, "10.20.0.1"), "gateway");
  EXPECT_EQ(owner_of(kV6, "fd20::1"), "gateway");
}

TEST_F(Addresses, AClockThatWasSetBackKeepsNothingForEver) {
  docker_network("net", {kV4});
  must(request(kV4));
  host_.now -= 3600;
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("freed address 10.20.0.2")));
}

TEST_F(Addresses, StayTheRuntimesUntilItReleasesThem) {
  docker_network("net", {kV4});
  start("net", "web", {must(request(kV4, "10.20.0.50"))});
  must(service().leave({network::NetworkText{"net"}, "web"}));
  must(service().remove_endpoint({network::NetworkText{"net"}, "web"}));
  const auto taken = request(kV4, "10.20.0.50");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kExists);
  EXPECT_THAT(taken.error().text,
              HasSubstr("taken by Docker, for a container that is starting or"));
  EXPECT_THAT(reconcile(), IsEmpty());
  must(pools().release_address(kV4, ip("10.20.0.50")));
  must(request(kV4, "10.20.0.50"));
}

TEST_F(Addresses, OfAnEndpointThatWasRemovedAndNeverReleasedAreFreedAfterAWhile) {
  docker_network("net", {kV4});
  start("net", "web", {must(request(kV4))});
  host_.now += 3600;
  must(service().remove_endpoint({network::NetworkText{"net"}, "web"}));
  EXPECT_THAT(reconcile(), IsEmpty());  // the release may be on its way
  host_.now += kLong;
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("freed address 10.20.0.2")));
}

TEST_F(Addresses, OfALivingEndpointAreNotTakenByALateRelease) {
  docker_network("net", {kV4});
  start("net", "old", {must(request(kV4, "10.20.0.50"))});
  dies("net", "old");
  reconcile();
  start("net", "new", {must(request(kV4, "10.20.0.50"))});
  must(service().remove_endpoint({network::NetworkText{"net"}, "old"}));
  must(pools().release_address(kV4, ip("10.20.0.50")));  // of the old one
  EXPECT_EQ(owner_of(kV4, "10.20.0.50"), "new");
}

TEST_F(Addresses, OfADeadEndpointAreReleasedByTheRuntimeAtOnce) {
  docker_network("net", {kV4});
  start("net", "old", {must(request(kV4, "10.20.0.50"))});
  dies("net", "old");
  must(pools().release_address(kV4, ip("10.20.0.50")));
  start("net", "new", {must(request(kV4, "10.20.0.50"))});
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("removed endpoint old of network net")));
  EXPECT_EQ(owner_of(kV4, "10.20.0.50"), "new");
}

TEST_F(Addresses, OfADeadEndpointAreGivenToWhoAsksForThem) {
  docker_network("net", {kV4});
  start("net", "old", {must(request(kV4, "10.20.0.50"))});
  const auto taken = request(kV4, "10.20.0.50");
  EXPECT_THAT(taken.error().text, HasSubstr("taken by endpoint old of network net (docker)"));
  dies("net", "old");
  start("net", "new", {must(request(kV4, "10.20.0.50"))});
  EXPECT_EQ(must(service().list_endpoints(network::NetworkText{"net"})).size(), 1U);
}

TEST_F(Addresses, OfOthersAreRefusedToAnEndpointThatOnlyNamesThem) {
  docker_network("net", {kV4});
  start("net", "web", {must(request(kV4, "10.20.0.50"))});
  const Status second = create_endpoint("net", "thief", {cidr("10.20.0.50/24")});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kExists);
  must(create_endpoint("net", "slow",
                       {cidr("10.20.0.60/24")}));  // its lease was lost: it is taken anew
  EXPECT_EQ(owner_of(kV4, "10.20.0.60"), "slow");
}

TEST_F(Addresses, OfAPoolAreGivenAgainWhenTheirHoldersAreDead) {
  network::NetworkSpec spec{.name = NetworkName::parse("small").value()};
  spec.subnets.push_back({.subnet = cidr("10.20.0.0/30")});
  must(service().create_network(spec));
  must(attach("small", "a"));
  EXPECT_EQ(attach("small", "b").error().code, Code::kExhausted);
  dies("small", network::endpoint_id("a", "eth0"));
  must(attach("small", "b"));
  EXPECT_EQ(attach("small", "c", {}, {cidr("10.20.0.2/32")}).error().text,
            "address 10.20.0.2 of 10.20.0.0/30 is taken by container b of network small (cni)");
  dies("small", network::endpoint_id("b", "eth0"));
  must(attach("small", "c", {}, {cidr("10.20.0.2/32")}));
  dies("small", network::endpoint_id("c", "eth0"));
  must(attach("small", "c"));  // the same container again: nobody has removed it before
}

TEST_F(Addresses, OfNetworksOfOtherDriversAreNeverFreed) {
  const auto pool = must(pools().request_pool({.subnet = cidr(kV4)}));
  must(request(pool.id, "10.20.0.50"));
  docker_network("net", {"10.21.0.0/24"});
  host_.now += 10 * kLong;
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(reconcile(), IsEmpty());
  EXPECT_THAT(owner_of(kV4, "10.20.0.50"), StartsWith("docker "));
  must(pools().release_address(pool.id, ip("10.20.0.50")));
  EXPECT_EQ(owner_of(kV4, "10.20.0.50"), "");
}

TEST_F(Addresses, SetAsideOnABoundNetworkStayUntilTheyAreReleased) {
  const auto shop = docker_network("shop", {kV4});
  must(request(kV4, "10.20.0.9"));
  must(service().bind_network(std::string(64, 'd'), shop.name));
  must(service().reserve_addresses(network::RuntimeNetworkId{std::string(64, 'd')},
                                   {{"printer", ip("10.20.0.9")}}));
  host_.now += kLong;
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(reconcile(), IsEmpty());
  EXPECT_FALSE(request(kV4, "10.20.0.9"));
  must(pools().release_address(kV4, ip("10.20.0.9")));
  EXPECT_EQ(owner_of(kV4, "10.20.0.9"), "");
}

TEST_F(Addresses, OfAnEarlierVersionAreGivenToTheirEndpointsOrFreed) {
  docker_network("net", {kV4, kV6});
  start("net", "web", {must(request(kV4, "10.20.0.50")), must(request(kV6, "fd20::50"))});
  const json::Json before{{"owner", "docker c402cdfa"}, {"use", "endpoint"}, {"boot", "boot-1"}};
  put(lease_key(kV4, "10.20.0.50"), before);
  put(lease_key(kV6, "fd20::50"), before);
  put(lease_key(kV4, "10.20.0.51"), before);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("no container has address 10.20.0.51")));
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("gave 2 leases of network net to the endpoints"),
                                       HasSubstr("freed address 10.20.0.51")));
  EXPECT_EQ(owner_of(kV4, "10.20.0.50"), "web");
  EXPECT_EQ(owner_of(kV6, "fd20::50"), "web");
}

TEST_F(Addresses, OfAnEarlierVersionGoWithTheirEndpoint) {
  docker_network("net", {kV4});
  start("net", "web", {must(request(kV4, "10.20.0.50"))});
  put(lease_key(kV4, "10.20.0.50"),
      {{"owner", "docker c402cdfa"}, {"use", "endpoint"}, {"boot", "boot-1"}});
  must(service().remove_endpoint({network::NetworkText{"net"}, "web"}));
  must(pools().release_address(kV4, ip("10.20.0.50")));
  EXPECT_EQ(owner_of(kV4, "10.20.0.50"), "");
}

TEST_F(Addresses, WhoseEndpointHasNoRecordAreFreed) {
  must(attach((docker_network("net", {kV4}), "net"), "web"));
  put(lease_key(kV4, "10.20.0.7"), {{"owner", std::string(32, 'e')},
                                    {"use", "endpoint"},
                                    {"boot", "boot-1"},
                                    {"since", host_.now}});
  EXPECT_THAT(reconcile(), IsEmpty());
  host_.now += kLong;
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("freed address 10.20.0.7")));
}

class HostPorts : public Addresses {
 protected:
  static network::PortSpec port(std::uint16_t host) {
    return {.host_port = host, .container_port = 80};
  }
};

TEST_F(HostPorts, OfADeadContainerGoToWhoAsksForThem) {
  docker_network("one", {kV4});
  docker_network("two", {"10.21.0.0/24"});
  must(attach("one", "old", {port(8080), port(8081)}));
  EXPECT_THAT(attach("two", "new", {port(8080)}).error().text,
              HasSubstr("published by container old of network one (cni)"));
  dies("one", network::endpoint_id("old", "eth0"));
  must(attach("two", "new", {port(8080)}));
  must(service().publish({network::NetworkText{"two"}, network::endpoint_id("new", "eth0")},
                         std::vector{port(8081)}));
  EXPECT_THAT(must(service().list_ports()), SizeIs(1));
  EXPECT_FALSE(attach("one", "third", {port(8081)}));
}

TEST_F(HostPorts, OnTheSameNetworkToo) {
  docker_network("one", {kV4});
  must(attach("one", "old", {port(8080)}));
  dies("one", network::endpoint_id("old", "eth0"));
  must(attach("one", "new", {port(8080)}));
}

TEST_F(HostPorts, WithoutAnEndpointAreSaidAndFreed) {
  docker_network("one", {kV4});
  must(attach("one", "web", {port(8080)}));
  const auto claims = must(host_.store.get(network::keys::port(network::Proto::kTcp, 8080)));
  put(network::keys::port(network::Proto::kTcp, 8081), *json::parse(claims->value));
  EXPECT_THAT(problems(),
              ElementsAre(HasSubstr("no container publishes 1 host port that is taken")));
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("freed 1 host port that no container publishes")));
  EXPECT_THAT(problems(), IsEmpty());
  must(attach("one", "other", {port(8081)}));
  EXPECT_FALSE(attach("one", "third", {port(8080)}));
}

TEST_F(HostPorts, OfAnEndpointWhoseNetworkIsGoneAreFreedWithIt) {
  const auto gone = docker_network("gone", {"10.21.0.0/24"});
  docker_network("one", {kV4});
  must(attach("gone", "web", {port(8080)}));
  must(host_.store.commit(
      {.deletes = {network::keys::network(gone.id), network::keys::network_name("gone")}}));
  EXPECT_THAT(reconcile(),
              AllOf(Contains(HasSubstr("its network is gone")),
                    Contains(HasSubstr("freed 1 host port that no container publishes"))));
  EXPECT_THAT(must(service().list_endpoints(std::nullopt)), IsEmpty());
  EXPECT_THAT(reconcile(), IsEmpty());
  must(attach("one", "web", {port(8080)}));
}

// A removal that comes while the network of its endpoint is being made.
class Turns : public Addresses {};

TEST_F(Turns, ARemovalWaitsForTheNetworkThatIsBeingMade) {
  const auto made = docker_network("net", {kV4});
  const std::string key = network::keys::network(made.id);
  const std::string ready = must(host_.store.get(key))->value;
  auto creating = *json::parse(ready);
  creating["phase"] = "creating";
  put(key, creating);
  Status removed = fail(Code::kInternal, "not yet");
  std::thread removal;
  {
    const auto creation = must(host_.locks.lock("networks", std::chrono::seconds(1)));
    removal = std::thread([&] {
      removed = service().remove_endpoint({network::NetworkText{"net"}, "web"});
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    put(key, *json::parse(ready));
  }
  removal.join();
  must(removed);
  must(attach("net", "web"));  // the network is there
}

TEST_F(Turns, ACheckAndAnAttachWaitForTheNetworkThatIsBeingMade) {
  const auto made = docker_network("net", {kV4});
  must(attach("net", "web"));
  const std::string key = network::keys::network(made.id);
  const std::string ready = must(host_.store.get(key))->value;
  auto creating = *json::parse(ready);
  creating["phase"] = "creating";
  put(key, creating);
  Status checked = fail(Code::kInternal, "not yet"), attached = checked;
  std::thread check, attachment;
  {
    const auto creation = must(host_.locks.lock("networks", std::chrono::seconds(1)));
    check = std::thread([&] {
      checked =
          service().check({network::NetworkText{"net"}, network::endpoint_id("web", "eth0")}, {});
    });
    attachment = std::thread([&] { attached = status_of(attach("net", "db")); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    put(key, *json::parse(ready));
  }
  check.join();
  attachment.join();
  must(checked);
  must(attached);
}

TEST_F(Turns, ANetworkThatACrashLeftHalfMadeIsNotWaitedFor) {
  const auto made = docker_network("net", {kV4});
  const std::string key = network::keys::network(made.id);
  auto creating = *json::parse(must(host_.store.get(key))->value);
  creating["phase"] = "creating";
  put(key, creating);
  EXPECT_THAT(attach("net", "web").error().text, HasSubstr("network net is creating"));
  must(service().remove_endpoint({network::NetworkText{"net"}, "web"}));
  EXPECT_THAT(must(service().list_networks()), IsEmpty());
}

TEST_F(Turns, OfOneEndpointAreTakenOneAfterTheOtherByAllProcesses) {
  NamedLocks other_process(host_.folder.string());
  auto first = must(service().take_turn("web"));
  const auto same =
      other_process.lock("endpoint-" + hash_hex("web", 3), std::chrono::milliseconds(50));
  EXPECT_FALSE(same);
  bool done = false;
  std::thread second([&] {
    must(service().take_turn("web"));
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(done);
  must(service().take_turn("db"));
  first.reset();
  second.join();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace fairlead::testing
