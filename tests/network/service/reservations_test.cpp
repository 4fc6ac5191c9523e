// Addresses that are kept for containers by their names; and the verbs that show and free addresses.
// Over a kernel in memory.
#include "tests/network/service/addresses_fixture.h"

namespace fairlead::testing {
namespace {

using network::AddressLease;
using network::AddressUse;
using network::NetworkText;
using network::Reservation;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Reservations : public AddressesOfHost {
 protected:
  network::Network make(const std::string& subnet = kV4) {
    network::NetworkSpec spec{.name = NetworkName::parse("net").value()};
    spec.subnets = {{.family = cidr(subnet).family(), .subnet = cidr(subnet)}};
    return must(service().create_network(spec));
  }
  Result<network::Network> keep(const std::string& container, const std::string& address) {
    return service().reserve(NetworkText{"net"}, {container, ip(address)});
  }
  std::string address_of(const std::string& container) {
    const auto endpoint =
        service().inspect_endpoint({NetworkText{"net"}, network::endpoint_id(container, "eth0")});
    return endpoint && !endpoint->addresses.empty()
               ? endpoint->addresses.front().address().to_string()
               : "";
  }
  std::string attached(const std::string& container) {
    const auto made = attach("net", container);
    return made ? made->endpoint.addresses.front().address().to_string() : made.error().text;
  }
  void detach(const std::string& container) {
    must(service().remove_endpoint({NetworkText{"net"}, network::endpoint_id(container, "eth0")}));
  }
  std::vector<std::string> shown() {
    std::vector<std::string> lines;
    for (const AddressLease& lease : must(service().list_leases(std::nullopt)))
      lines.push_back(fmt::format("{} {}{}", lease.address.to_string(), lease.holder,
                                  lease.reserved_for.empty() ? "" : " /" + lease.reserved_for));
    return lines;
  }
  void reboot() { host_.open_in("boot-2"); }
};

TEST_F(Reservations, AreGivenToTheContainerOfThatNameAndToNobodyElse) {
  make("10.20.0.0/29");  // .1 is the gateway, .2 to .6 are for containers
  must(keep("web", "10.20.0.3"));
  EXPECT_EQ(attached("a"), "10.20.0.2");
  EXPECT_EQ(attached("b"), "10.20.0.4");
  EXPECT_EQ(attached("web"), "10.20.0.3");
  EXPECT_EQ(attached("c"), "10.20.0.5");
  EXPECT_EQ(attached("d"), "10.20.0.6");
  detach("web");
  EXPECT_THAT(attached("e"), HasSubstr("no address of 10.20.0.0/29 is free"));
  EXPECT_THAT(attach("net", "e", {}, {cidr("10.20.0.3/29")}).error().text,
              HasSubstr("address 10.20.0.3 of 10.20.0.0/29 is kept for container web"));
  EXPECT_EQ(attached("web"), "10.20.0.3");
}

TEST_F(Reservations, SurviveReboots) {
  make();
  must(keep("web", "10.20.0.3"));
  EXPECT_EQ(attached("web"), "10.20.0.3");
  reboot();
  EXPECT_EQ(attached("a"), "10.20.0.2");
  EXPECT_EQ(attached("b"), "10.20.0.4");
  reconcile();
  EXPECT_THAT(attach("net", "c", {}, {cidr("10.20.0.3/24")}).error().text,
              HasSubstr("kept for container web"));
  EXPECT_EQ(attached("web"), "10.20.0.3");
  EXPECT_THAT(shown(), Contains("10.20.0.3 container web of network net (cni) /web"));
}

TEST_F(Reservations, AreFoundByEachNameOfTheContainer) {
  make();
  must(keep("shop/web-0", "10.20.0.7"));
  network::EndpointSpec spec{.network = NetworkText{"net"},
                             .id = "e1",
                             .container = "3f2a9c",
                             .known_as = {"web-0", "shop/web-0"},
                             .runtime = "cni"};
  const auto made = must(service().attach(spec, into()));
  EXPECT_EQ(made.endpoint.addresses.front().address(), ip("10.20.0.7"));
}

TEST_F(Reservations, OfBothFamiliesAreGivenTogether) {
  docker_network("net", {kV4, kV6});
  must(keep("web", "10.20.0.7"));
  must(keep("web", "fd20::7"));
  const auto made = must(attach("net", "web"));
  EXPECT_THAT(made.endpoint.addresses, ElementsAre(cidr("10.20.0.7/24"), cidr("fd20::7/64")));
}

TEST_F(Reservations, AreForTheContainerAndNotForEachOfItsInterfaces) {
  make();
  must(keep("web", "10.20.0.7"));
  EXPECT_EQ(attached("web"), "10.20.0.7");
  network::EndpointSpec second{.network = NetworkText{"net"},
                               .id = network::endpoint_id("web", "eth1"),
                               .container = "web",
                               .runtime = "cni"};
  const auto made = must(service().attach(
      second, network::IntoNetns{.fd = next_netns_++, .ifname = IfName::parse("eth1").value()}));
  EXPECT_EQ(made.endpoint.addresses.front().address(), ip("10.20.0.2"));
}

TEST_F(Reservations, WaitForTheContainersOwnDeadEndpoint) {
  make();
  must(keep("web", "10.20.0.7"));
  EXPECT_EQ(attached("web"), "10.20.0.7");
  dies("net", network::endpoint_id("web", "eth0"));
  EXPECT_EQ(attached("web"), "10.20.0.7");
}

TEST_F(Reservations, CanBeMadeOfWhatTheContainerHas) {
  make();
  EXPECT_EQ(attached("web"), "10.20.0.2");
  EXPECT_EQ(attached("db"), "10.20.0.3");
  must(keep("web", "10.20.0.2"));
  EXPECT_THAT(keep("web", "10.20.0.3").error().text,
              AllOf(HasSubstr("keep 10.20.0.3 of network net for container web"),
                    HasSubstr("taken by container db of network net (cni)")));
  detach("web");
  EXPECT_EQ(attached("other"), "10.20.0.4");
  EXPECT_EQ(attached("web"), "10.20.0.2");
}

TEST_F(Reservations, ThatCannotBeAreRefused) {
  make();
  must(keep("web", "10.20.0.7"));
  must(keep("web", "10.20.0.7"));  // the same again
  EXPECT_THAT(keep("db", "10.20.0.7").error().text, HasSubstr("is kept for container web"));
  EXPECT_THAT(keep("db", "10.20.0.1").error().text, HasSubstr("is the gateway of 10.20.0.0/24"));
  EXPECT_THAT(keep("db", "10.21.0.7").error().text, HasSubstr("is in no subnet of the network"));
  EXPECT_THAT(keep("db", "10.20.0.255").error().text, HasSubstr("is the broadcast address"));
  EXPECT_EQ(keep("", "10.20.0.8").error().code, Code::kInvalid);
  EXPECT_EQ(keep("a b", "10.20.0.8").error().code, Code::kInvalid);
  EXPECT_EQ(keep("*", "10.20.0.8").error().code, Code::kInvalid);
  EXPECT_EQ(service().reserve(NetworkText{"nosuch"}, {"web", ip("10.20.0.8")}).error().code,
            Code::kNotFound);
  EXPECT_THAT(must(service().inspect_network(NetworkText{"net"})).reservations,
              ElementsAre(Reservation{"web", ip("10.20.0.7")}));
}

TEST_F(Reservations, EndAndTheAddressIsFreeOrStaysWhoHasIts) {
  make();
  must(keep("web", "10.20.0.2"));
  must(keep("db", "10.20.0.3"));
  EXPECT_EQ(attached("web"), "10.20.0.2");
  for (const char* address : {"10.20.0.2", "10.20.0.3", "10.20.0.3", "10.99.0.1"})
    must(service().unreserve(NetworkText{"net"}, ip(address)));
  EXPECT_EQ(address_of("web"), "10.20.0.2");
  EXPECT_EQ(attached("a"), "10.20.0.3");
  detach("web");
  EXPECT_EQ(attach("net", "b", {}, {cidr("10.20.0.2/24")})->endpoint.addresses.size(), 1U);
  EXPECT_THAT(must(service().inspect_network(NetworkText{"net"})).reservations, IsEmpty());
}

TEST_F(Reservations, OfANewNetworkAreThereFromTheBeginning) {
  network::NetworkSpec spec{.name = NetworkName::parse("net").value()};
  spec.subnets = {{.subnet = cidr(kV4)}};
  spec.reservations = {{"web", ip("10.20.0.2")}};
  must(service().create_network(spec));
  must(service().create_network(spec));
  EXPECT_EQ(attached("a"), "10.20.0.3");
  EXPECT_EQ(attached("web"), "10.20.0.2");
  spec.reservations.push_back({"db", ip("10.20.0.9")});
  EXPECT_THAT(service().create_network(spec).error().text,
              HasSubstr("it does not keep 10.20.0.9 for container db"));
  spec.name = NetworkName::parse("other").value();
  spec.subnets = {{.subnet = cidr("10.21.0.0/24")}};
  EXPECT_THAT(service().create_network(spec).error().text,
              HasSubstr("in no subnet of the network"));
  EXPECT_THAT(must(service().list_networks()), ::testing::SizeIs(1));
}

// Docker tells no names: there a container gets what is kept by asking for it.
TEST_F(Reservations, AreGivenToDockersContainerThatNamesTheAddress) {
  docker_network("net", {kV4});
  must(keep("web", "10.20.0.2"));
  EXPECT_EQ(must(request(kV4)), cidr("10.20.0.3/24"));
  start("net", "e1", {must(request(kV4, "10.20.0.2"))});
  EXPECT_EQ(owner_of(kV4, "10.20.0.2"), "e1");
  must(service().remove_endpoint({NetworkText{"net"}, "e1"}));
  must(pools().release_address(kV4, ip("10.20.0.2")));
  EXPECT_EQ(must(request(kV4)), cidr("10.20.0.4/24"));
  EXPECT_THAT(shown(), Contains("10.20.0.2 kept for container web /web"));
}

TEST_F(Reservations, GoWithTheNetwork) {
  make();
  must(keep("web", "10.20.0.2"));
  must(service().remove_network(NetworkText{"net"}));
  make();
  EXPECT_EQ(attached("a"), "10.20.0.2");
}

// ---- lease ls and rm

TEST_F(Reservations, WhatIsTakenIsShownWithItsHolder) {
  network::NetworkSpec spec{.name = NetworkName::parse("net").value()};
  spec.subnets = {{.subnet = cidr(kV4), .aux = {{"printer", ip("10.20.0.9")}}}};
  must(service().create_network(spec));
  must(keep("db", "10.20.0.5"));
  EXPECT_EQ(attached("web"), "10.20.0.2");
  EXPECT_THAT(shown(),
              ElementsAre("10.20.0.1 gateway", "10.20.0.2 container web of network net (cni)",
                          "10.20.0.5 kept for container db /db", "10.20.0.9 reserved printer"));
  const auto leases = must(service().list_leases(NetworkText{"net"}));
  EXPECT_EQ(leases[1].container, "web");
  EXPECT_EQ(leases[1].since, host_.now);
  EXPECT_EQ(leases[1].use, AddressUse::kEndpoint);
  EXPECT_EQ(service().list_leases(NetworkText{"nosuch"}).error().code, Code::kNotFound);
}

TEST_F(Reservations, WhatALiveContainerHasIsFreedByForceOnlyAndWithItsEndpoint) {
  make();
  EXPECT_EQ(attached("web"), "10.20.0.2");
  const Status refused = service().release_lease(ip("10.20.0.2"), false);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("container web of network net (cni) has it"));
  must(service().release_lease(ip("10.20.0.2"), true));
  EXPECT_EQ(address_of("web"), "");
  EXPECT_EQ(owner_of(kV4, "10.20.0.2"), "");
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Reservations, WhatADeadContainerHadIsFreedWithoutForce) {
  make();
  EXPECT_EQ(attached("web"), "10.20.0.2");
  dies("net", network::endpoint_id("web", "eth0"));
  must(service().release_lease(ip("10.20.0.2"), false));
  EXPECT_EQ(owner_of(kV4, "10.20.0.2"), "");
  EXPECT_EQ(service().release_lease(ip("10.20.0.2"), false).error().code, Code::kNotFound);
}

TEST_F(Reservations, WhatNobodyMayTakeAwayIsNeverFreed) {
  network::NetworkSpec spec{.name = NetworkName::parse("net").value()};
  spec.subnets = {{.subnet = cidr(kV4), .aux = {{"printer", ip("10.20.0.9")}}}};
  must(service().create_network(spec));
  must(keep("db", "10.20.0.5"));
  for (const bool force : {false, true}) {
    EXPECT_THAT(service().release_lease(ip("10.20.0.1"), force).error().text, HasSubstr("gateway"));
    EXPECT_THAT(service().release_lease(ip("10.20.0.9"), force).error().text, HasSubstr("printer"));
    EXPECT_THAT(service().release_lease(ip("10.20.0.5"), force).error().text,
                HasSubstr("`fairlead network unreserve net 10.20.0.5` ends that"));
  }
  EXPECT_EQ(service().release_lease(ip("192.0.2.1"), true).error().code, Code::kNotFound);
}

TEST_F(Reservations, WhatDockerHasJustAskedForIsFreedByForceOrAfterAWhile) {
  docker_network("net", {kV4});
  must(request(kV4));
  EXPECT_THAT(service().release_lease(ip("10.20.0.2"), false).error().text,
              HasSubstr("Docker asked for it less than a minute ago"));
  must(service().release_lease(ip("10.20.0.2"), true));
  must(request(kV4, "10.20.0.2"));
  host_.now += kLong;
  must(service().release_lease(ip("10.20.0.2"), false));
}

TEST_F(Reservations, AnAddressThatIsKeptStaysKeptWhenItsHolderIsRemoved) {
  make();
  must(keep("web", "10.20.0.2"));
  EXPECT_EQ(attached("web"), "10.20.0.2");
  must(service().release_lease(ip("10.20.0.2"), true));
  EXPECT_EQ(attached("a"), "10.20.0.3");
  EXPECT_EQ(attached("web"), "10.20.0.2");
}

// ---- a process that dies at any step: each verb is one commit, which happens or does not

TEST_F(Reservations, AVerbThatFailsAtItsCommitIsRepeatedOrUndone) {
  using When = FailingStore::When;
  make();
  for (const When when : {When::kBefore, When::kAfter}) {
    host_.store.fail_commit(1, when);
    EXPECT_FALSE(keep("web", "10.20.0.5"));
    must(keep("web", "10.20.0.5"));
    host_.store.fail_commit(1, when);
    EXPECT_FALSE(service().unreserve(NetworkText{"net"}, ip("10.20.0.5")));
    must(service().unreserve(NetworkText{"net"}, ip("10.20.0.5")));
    EXPECT_THAT(shown(), ElementsAre("10.20.0.1 gateway"));
    host_.store.fail_commit(1, when);
    EXPECT_FALSE(keep("web", "10.20.0.5"));
    must(service().unreserve(NetworkText{"net"}, ip("10.20.0.5")));  // the opposite verb at once
    EXPECT_THAT(shown(), ElementsAre("10.20.0.1 gateway"));
    EXPECT_NE(attached("web"), "10.20.0.5");
    const IpAddress address = ip(address_of("web"));
    host_.store.fail_commit(1, when);
    EXPECT_FALSE(service().release_lease(address, true));
    host_.store.heal();
    const Status again = service().release_lease(address, true);
    EXPECT_TRUE(again || again.error().code == Code::kNotFound);
    EXPECT_THAT(shown(), ElementsAre("10.20.0.1 gateway"));
    EXPECT_THAT(reconcile(), IsEmpty());
  }
}

TEST_F(Reservations, ANetworkWhoseMakingFailsAtAnyCommitKeepsNothing) {
  network::NetworkSpec spec{.name = NetworkName::parse("net").value()};
  spec.subnets = {{.subnet = cidr(kV4)}, {.subnet = cidr("10.21.0.0/24")}};
  spec.reservations = {{"web", ip("10.20.0.5")}, {"web", ip("10.21.0.5")}};
  for (int nth = 1; nth <= 20; ++nth) {
    host_.store.fail_commit(nth, FailingStore::When::kBefore);
    const auto made = service().create_network(spec);
    host_.store.heal();
    if (made) {
      EXPECT_GT(nth, 6);
      EXPECT_THAT(shown(), ::testing::SizeIs(4));
      return;
    }
    EXPECT_THAT(must(service().list_networks()), IsEmpty()) << nth;
    EXPECT_THAT(must(host_.store.list("lease/", "", 100)), IsEmpty()) << nth;
  }
  FAIL() << "it was never made";
}

// ---- endpoints that lost their leases or claims

class LostRecords : public Reservations {};

TEST_F(LostRecords, AnEndpointWithoutItsLeaseIsSaidAndLeasedAgain) {
  make();
  EXPECT_EQ(attached("web"), "10.20.0.2");
  must(host_.store.commit({.deletes = {lease_key(kV4, "10.20.0.2")}}));
  EXPECT_THAT(
      problems(),
      ElementsAre(HasSubstr("containers of network net have address 10.20.0.2 without a lease")));
  EXPECT_THAT(
      reconcile(),
      ElementsAre(HasSubstr("leased 10.20.0.2 to container web of network net (cni) again")));
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(attach("net", "b", {}, {cidr("10.20.0.2/24")}).error().text,
              HasSubstr("taken by container web"));
}

TEST_F(LostRecords, TwoEndpointsWithOneAddressAreToldByName) {
  make();
  EXPECT_EQ(attached("web"), "10.20.0.2");
  must(host_.store.commit({.deletes = {lease_key(kV4, "10.20.0.2")}}));
  must(attach("net", "thief", {}, {cidr("10.20.0.2/24")}));
  const auto report = must(service().reconcile());
  EXPECT_THAT(report.failures,
              ElementsAre(AllOf(HasSubstr("address 10.20.0.2 of container web of network net"),
                                HasSubstr("taken by container thief of network net"))));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("address 10.20.0.2 without a lease")));
}

TEST_F(LostRecords, AStrayLeaseOfAnEndpointsAddressIsFreedAndLeasedAgain) {
  make();
  EXPECT_EQ(attached("web"), "10.20.0.2");
  put(lease_key(kV4, "10.20.0.2"), {{"owner", std::string(32, 'e')},
                                    {"use", "endpoint"},
                                    {"boot", "boot-1"},
                                    {"since", host_.now - kLong}});
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("freed address 10.20.0.2 of network net")));
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("leased 10.20.0.2 to container web")));
  EXPECT_THAT(reconcile(), IsEmpty());
}

TEST_F(LostRecords, AnEndpointWithoutItsClaimIsSaidAndClaimedAgain) {
  make();
  must(attach("net", "web", {{.host_port = 8080, .container_port = 80}}));
  must(host_.store.commit({.deletes = {network::keys::port(network::Proto::kTcp, 8080)}}));
  EXPECT_THAT(problems(),
              ElementsAre(HasSubstr("host port 8080/tcp is published without a claim")));
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("claimed port 8080/tcp of container web")));
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(attach("net", "b", {{.host_port = 8080, .container_port = 80}}).error().text,
              HasSubstr("published by container web"));
}

TEST_F(LostRecords, ARangeIsOneClaimWhetherItIsThereOrLost) {
  make();
  must(attach("net", "web",
              {{.host_port = 7000,
                .host_port_end = 7099,
                .container_port = 7000,
                .container_port_end = 7099}}));
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(reconcile(), IsEmpty());
  must(host_.store.commit({.deletes = {network::keys::port_ranges(network::Proto::kTcp)}}));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("published without a claim")));
  EXPECT_THAT(reconcile(), ElementsAre(HasSubstr("claimed port 7000/tcp of container web")));
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_FALSE(attach("net", "b", {{.host_port = 7050, .container_port = 80}}));
}

TEST_F(LostRecords, AClaimThatAnotherHasGotMeanwhileIsToldByName) {
  make();
  must(attach("net", "web", {{.host_port = 8080, .container_port = 80}}));
  must(host_.store.commit({.deletes = {network::keys::port(network::Proto::kTcp, 8080)}}));
  must(attach("net", "thief", {{.host_port = 8080, .container_port = 80}}));
  const auto report = must(service().reconcile());
  EXPECT_THAT(report.failures,
              ElementsAre(AllOf(HasSubstr("port 8080/tcp of container web of network net"),
                                HasSubstr("published by container thief"))));
}

// ---- what comes up over a network's subnet

TEST_F(LostRecords, ALaterOverlapIsAProblemAndTheNetworkStaysWhereItIs) {
  const auto network = make();
  must(host_.links.ensure_bridge(
      {.name = IfName::parse("docker7").value(), .addresses = {cidr("10.20.0.129/25")}}, false));
  EXPECT_THAT(problems(), ElementsAre(AllOf(HasSubstr("interface docker7 has 10.20.0.128/25"),
                                            HasSubstr("subnet 10.20.0.0/24 of network net"))));
  EXPECT_THAT(reconcile(), IsEmpty());
  EXPECT_EQ(must(service().inspect_network(NetworkText{"net"})), network);
}

}  // namespace
}  // namespace fairlead::testing
