// Policies over a kernel in memory: what they mean at each moment, in elements of the table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/api/options.h"
#include "network/nat/describe.h"
#include "network/nat/nat.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

using network::Policy;
using network::PolicyAction;
using network::PolicySpec;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().text);
}

class PolicyVerbs : public ::testing::Test {
 protected:
  PolicyVerbs() { host_.open(); }

  network::NetworkService& service() { return *host_.service; }

  network::Network create(const std::string& name, const std::string& subnet,
                          const std::map<std::string, std::string>& options = {}) {
    return must(try_create(name, subnet, options));
  }
  Result<network::Network> try_create(const std::string& name, const std::string& subnet,
                                      const std::map<std::string, std::string>& options) {
    network::NetworkSpec spec{.name = must(NetworkName::parse(name))};
    spec.subnets.push_back({.subnet = must(Cidr::parse_subnet(subnet))});
    TRY(spec.options, network::parse_options(options));
    return service().create_network(spec);
  }
  network::EndpointRef ref(const std::string& net, const std::string& container) {
    return {network::NetworkText{net}, network::endpoint_id(container, "eth0")};
  }
  std::string attach(const std::string& net, const std::string& container,
                     const std::map<std::string, std::string>& labels = {}) {
    network::EndpointSpec spec{.network = network::NetworkText{net},
                               .id = network::endpoint_id(container, "eth0"),
                               .container = container,
                               .runtime = "test"};
    spec.labels = labels;
    const auto made =
        must(service().attach(spec, network::IntoNetns{.fd = FakeHost::kNetns + next_++,
                                                       .ifname = must(IfName::parse("eth0"))}));
    return made.endpoint.addresses.at(0).address().to_string();
  }
  static PolicySpec spec(PolicyAction action, const std::string& from, const std::string& to,
                         const std::vector<std::string>& ports = {}) {
    PolicySpec spec{.action = action,
                    .from = must(network::parse_policy_end(from)),
                    .to = must(network::parse_policy_end(to)),
                    .ports = {}};
    for (const std::string& port : ports)
      spec.ports.push_back(must(network::parse_policy_port(port)));
    return spec;
  }
  Policy allow(const std::string& from, const std::string& to,
               const std::vector<std::string>& ports = {}) {
    return must(service().add_policy(spec(PolicyAction::kAllow, from, to, ports), false));
  }
  Policy deny(const std::string& from, const std::string& to,
              const std::vector<std::string>& ports = {}) {
    return must(service().add_policy(spec(PolicyAction::kDeny, from, to, ports), false));
  }
  Error refusal(PolicyAction action, const std::string& from, const std::string& to,
                const std::vector<std::string>& ports = {}) {
    const auto added = service().add_policy(spec(action, from, to, ports), false);
    if (added) throw std::runtime_error("it was added");
    return added.error();
  }
  // The elements of all maps of policies, in words.
  std::vector<std::string> elements() {
    std::vector<std::string> words;
    for (const std::string_view set : nat::policy_set_names()) {
      if (set == "policies") continue;
      for (const auto& element : must(host_.firewall.elements(set)))
        words.push_back(nat::describe(element));
    }
    return words;
  }
  static IpAddress ip(const std::string& text) { return must(IpAddress::parse(text)); }
  void refresh() { must(host_.core->refresh_names()); }
  void expect_no_difference() { EXPECT_THAT(must(service().status()).problems, IsEmpty()); }

  FakeHost host_;
  int next_ = 0;
};

TEST_F(PolicyVerbs, BareNamesAreLookedUp) {
  create("shop", "10.1.0.0/24");
  create("db", "10.2.0.0/24");
  const std::string web = attach("shop", "web");
  const Policy policy = allow("shop", "db", {"5432/tcp"});
  EXPECT_EQ(policy.id, "1");
  EXPECT_EQ(to_string(policy.spec.from), "net:shop");
  EXPECT_THAT(elements(), ElementsAre("10.1.0.0/24 . 10.2.0.0/24 . tcp . 5432 : goto permitted"));
  EXPECT_EQ(to_string(deny("web", "db").spec.from), "container:web");
  EXPECT_EQ(to_string(allow("shop", "github.com", {"443/tcp"}).spec.to), "dns:github.com");
  expect_no_difference();
  EXPECT_EQ(refusal(PolicyAction::kAllow, "shoq", "db").code, Code::kNotFound);
  EXPECT_EQ(refusal(PolicyAction::kAllow, "net:shoq", "db").code, Code::kNotFound);
  attach("db", "shop");
  EXPECT_THAT(refusal(PolicyAction::kAllow, "shop", "db").text,
              HasSubstr("net:shop or container:shop"));
}

TEST_F(PolicyVerbs, TheSameTwiceIsOne) {
  create("shop", "10.1.0.0/24");
  EXPECT_EQ(deny("shop", "192.0.2.0/24").id, "1");
  EXPECT_EQ(deny("net:shop", "192.0.2.0/24").id, "1");
  EXPECT_THAT(must(service().list_policies()), SizeIs(1));
  must(service().remove_policy("1"));
  EXPECT_EQ(service().remove_policy("1").error().code, Code::kNotFound);
  EXPECT_EQ(deny("shop", "192.0.2.0/24").id, "2");
}

TEST_F(PolicyVerbs, ADryRunChangesNothing) {
  create("shop", "10.1.0.0/24");
  EXPECT_EQ(
      to_string(must(service().add_policy(spec(PolicyAction::kDeny, "shop", "192.0.2.1"), true))
                    .spec.from),
      "net:shop");
  EXPECT_THAT(must(service().list_policies()), IsEmpty());
  EXPECT_THAT(elements(), IsEmpty());
}

TEST_F(PolicyVerbs, LabelsAndContainersAreThoseOfTheMoment) {
  create("shop", "10.1.0.0/24");
  create("db", "10.2.0.0/24");
  allow("label:role=web", "container:pg", {"5432/tcp"});
  EXPECT_THAT(elements(), IsEmpty());
  const std::string web = attach("shop", "web", {{"role", "web"}});
  attach("shop", "other", {{"role", "cron"}});
  EXPECT_THAT(elements(), IsEmpty());
  const std::string pg = attach("db", "pg");
  EXPECT_THAT(elements(), ElementsAre(web + " . " + pg + " . tcp . 5432 : goto permitted"));
  expect_no_difference();
  must(service().set_endpoint_labels(ref("shop", "web"), {}));
  EXPECT_THAT(elements(), IsEmpty());
  must(service().set_endpoint_labels(ref("shop", "web"), {{"role", "web"}}));
  EXPECT_THAT(elements(), SizeIs(1));
  expect_no_difference();
  must(service().remove_endpoint(ref("db", "pg")));
  EXPECT_THAT(elements(), IsEmpty());
  expect_no_difference();
}

// Docker names its containers after it has made their endpoints.
TEST_F(PolicyVerbs, WhatDockerCallsAContainerAndItsLabelsSelectIt) {
  create("db", "10.20.0.0/24");
  const std::string id(64, 'a');
  network::NetworkSpec made{.name = must(NetworkName::parse("docker-aaaaaaaaaaaa")), .id = id};
  made.subnets.push_back({.subnet = must(Cidr::parse_subnet("10.30.0.0/24"))});
  must(status_of(service().create_network(made)));
  const auto web = must(service().create_endpoint(
      {.network = network::RuntimeNetworkId{id}, .id = "e1", .runtime = "docker"}));
  const std::string address = web.addresses.at(0).address().to_string();
  allow("label:com.docker.compose.service=web", "db", {"5432/tcp"});
  EXPECT_THAT(elements(), IsEmpty());
  const std::vector<network::RuntimeNetwork> networks{{id, "shop_default", "shop"}};
  must(host_.core->names().keep(networks));
  const std::vector<network::NamedEndpoint> named{
      {id,
       "e1",
       std::string(64, 'c'),
       {.name = "web-1", .labels = {{"com.docker.compose.service", "web"}}}}};
  must(host_.core->names().keep(named));
  EXPECT_THAT(elements(), Contains(HasSubstr(address)));
  const auto denied = deny("web-1", "outside");
  EXPECT_EQ(denied.spec.from.kind, network::PolicyEnd::Kind::kContainer);
  EXPECT_EQ(deny("shop_default", "10.99.0.0/16").spec.from.name, "docker-aaaaaaaaaaaa");
}

TEST_F(PolicyVerbs, WhatIsOutsideDependsOnTheNetworks) {
  create("shop", "10.1.0.0/24");
  deny("outside", "shop", {"icmp"});
  EXPECT_THAT(elements(), ::testing::Contains("0.0.0.0-10.0.255.255 . 10.1.0.0/24 . 1 : drop"));
  create("db", "10.1.1.0/24");
  EXPECT_THAT(elements(), ::testing::Contains("10.1.2.0-255.255.255.255 . 10.1.0.0/24 . 1 : drop"));
  expect_no_difference();
  must(service().remove_network(network::NetworkText{"db"}));
  EXPECT_THAT(elements(), ::testing::Contains("10.1.1.0-255.255.255.255 . 10.1.0.0/24 . 1 : drop"));
  expect_no_difference();
}

// Clouds answer there to whoever asks in the name of the host.
TEST_F(PolicyVerbs, AllowingTheOutsideLeavesOutLinkLocalAddresses) {
  create("shop", "10.1.0.0/24", {{"egress", "deny"}});
  allow("shop", "outside", {"80/tcp"});
  EXPECT_THAT(elements(), ::testing::Contains(HasSubstr("10.1.1.0-169.253.255.255")));
  EXPECT_THAT(elements(), ::testing::Contains(HasSubstr("169.255.0.0-255.255.255.255")));
  allow("shop", "169.254.169.254", {"80/tcp"});
  EXPECT_THAT(elements(), ::testing::Contains(HasSubstr(". 169.254.169.254 .")));
}

TEST_F(PolicyVerbs, ANetworkBringsItsListAndTakesItAlong) {
  create("builds", "10.1.0.0/24",
         {{"egress", "deny"}, {"egress_allow", "192.0.2.0/24:443/tcp, 198.51.100.7"}});
  EXPECT_THAT(elements(), ElementsAre("10.1.0.0/24 . 198.51.100.7 . 0-255 : goto permitted",
                                      "10.1.0.0/24 . 192.0.2.0/24 . tcp . 443 : goto permitted"));
  EXPECT_THAT(must(host_.firewall.elements("no_egress")), SizeIs(1));
  EXPECT_THAT(must(host_.firewall.elements("confined")), SizeIs(1));
  expect_no_difference();
  create("other", "10.2.0.0/24");
  must(service().remove_network(network::NetworkText{"builds"}));
  EXPECT_THAT(elements(), IsEmpty());
  EXPECT_THAT(must(host_.firewall.elements("no_egress")), IsEmpty());
  expect_no_difference();
}

TEST_F(PolicyVerbs, ANameIsTheAddressesThatItHasNowAndHadALittleAgo) {
  create("shop", "10.1.0.0/24", {{"egress", "deny"}});
  host_.resolver.names["git.example"] = {.addresses = {ip("192.0.2.1"), ip("2001:db8::1")},
                                         .ttl = std::chrono::seconds(60)};
  EXPECT_THAT(allow("shop", "git.example", {"443/tcp"}).addresses, SizeIs(2));
  EXPECT_THAT(elements(), ElementsAre("10.1.0.0/24 . 192.0.2.1 . tcp . 443 : goto permitted"));
  host_.resolver.names["git.example"].addresses = {ip("192.0.2.2")};
  refresh();
  EXPECT_EQ(host_.resolver.questions, 1);
  host_.now += 61;
  refresh();
  EXPECT_EQ(host_.resolver.questions, 2);
  EXPECT_THAT(elements(), ElementsAre("10.1.0.0/24 . 192.0.2.1 . tcp . 443 : goto permitted",
                                      "10.1.0.0/24 . 192.0.2.2 . tcp . 443 : goto permitted"));
  expect_no_difference();
  host_.now += 4 * 3600;
  refresh();
  EXPECT_THAT(elements(), ElementsAre("10.1.0.0/24 . 192.0.2.2 . tcp . 443 : goto permitted"));
  host_.resolver.is_away = true;
  host_.now += 30 * 24 * 3600;
  refresh();
  EXPECT_THAT(elements(), ElementsAre("10.1.0.0/24 . 192.0.2.2 . tcp . 443 : goto permitted"));
  must(service().remove_policy("1"));
  refresh();
  EXPECT_THAT(elements(), IsEmpty());
  EXPECT_THAT(must(host_.store.list("policy-name/", "", 0)), IsEmpty());
}

// Whoever has a name may give it any address: that of the host, of a neighbour, of a cloud's metadata.
TEST_F(PolicyVerbs, ANameOpensNothingThatIsNotOfTheInternet) {
  create("shop", "10.1.0.0/24", {{"egress", "deny"}});
  host_.resolver.names["evil.example"] = {
      .addresses = {ip("127.0.0.1"), ip("10.2.0.7"), ip("169.254.169.254"), ip("192.168.1.1"),
                    ip("172.16.0.1"), ip("100.64.0.1"), ip("0.0.0.0"), ip("224.0.0.1"),
                    ip("255.255.255.255"), ip("::1"), ip("fe80::1"), ip("fd00::1"),
                    ip("::ffff:10.0.0.1"), ip("64:ff9b::a00:1"), ip("2002:a00:1::1"),
                    ip("ff02::1")},
      .ttl = std::chrono::seconds(1)};
  EXPECT_THAT(allow("shop", "evil.example").addresses, IsEmpty());
  EXPECT_THAT(elements(), IsEmpty());
  EXPECT_THAT(deny("shop", "evil.example").addresses, SizeIs(16));
  EXPECT_THAT(elements(), ::testing::Contains(HasSubstr("169.254.169.254")));
  allow("shop", "192.168.1.1");
}

TEST_F(PolicyVerbs, NamesInTheListOfANetworkAreAskedForByReconcileAndNeverByAnAttach) {
  host_.resolver.names["git.example"] = {.addresses = {ip("192.0.2.1")},
                                         .ttl = std::chrono::seconds(60)};
  create("builds", "10.1.0.0/24", {{"egress", "deny"}, {"egress_allow", "git.example:443/tcp"}});
  attach("builds", "web");
  EXPECT_EQ(host_.resolver.questions, 0);
  must(service().reconcile());
  EXPECT_THAT(elements(), ElementsAre("10.1.0.0/24 . 192.0.2.1 . tcp . 443 : goto permitted"));
}

TEST_F(PolicyVerbs, AFlushedTableComesBackWithPolicies) {
  create("builds", "10.1.0.0/24", {{"egress", "deny"}});
  deny("builds", "192.0.2.0/24");
  const auto before = elements();
  must(host_.firewall.run("add table inet fairlead\ndelete table inet fairlead\n"));
  must(service().reconcile());
  EXPECT_EQ(elements(), before);
  EXPECT_THAT(must(host_.firewall.elements("no_egress")), SizeIs(1));
}

TEST_F(PolicyVerbs, WhatNoFirewallCouldKeepIsRefused) {
  create("shop", "10.1.0.0/24");
  create("db", "10.2.0.0/24");
  attach("shop", "web");
  attach("shop", "cache");
  using enum PolicyAction;
  EXPECT_EQ(refusal(kDeny, "web", "cache").code, Code::kUnsupported);
  EXPECT_THAT(refusal(kDeny, "web", "cache").text, HasSubstr("icc=false"));
  EXPECT_EQ(refusal(kDeny, "shop", "10.1.0.7").code, Code::kUnsupported);
  EXPECT_EQ(refusal(kDeny, "host", "shop").code, Code::kUnsupported);
  EXPECT_EQ(refusal(kDeny, "dns:github.com", "shop").code, Code::kUnsupported);
  EXPECT_EQ(refusal(kDeny, "shop", "shop").code, Code::kInvalid);
  EXPECT_THAT(elements(), IsEmpty());
}

TEST_F(PolicyVerbs, StatusSaysWhatDoesNotHoldAnyMore) {
  create("shop", "10.1.0.0/24");
  create("db", "10.2.0.0/24");
  deny("label:role=web", "label:role=db");
  deny("shop", "db");
  attach("shop", "web", {{"role", "web"}});
  attach("db", "pg", {{"role", "db"}});
  expect_no_difference();
  attach("shop", "pg2", {{"role", "db"}});
  EXPECT_THAT(must(service().status()).problems,
              ElementsAre(HasSubstr("does not hold between containers of network shop")));
  must(service().remove_endpoint(ref("db", "pg")));
  must(service().remove_network(network::NetworkText{"db"}));
  EXPECT_THAT(must(service().status()).notes,
              ::testing::Contains(HasSubstr("there is no network db")));
}

TEST_F(PolicyVerbs, EgressIsRefusedWhereItWouldNotHold) {
  const auto alone = try_create("a", "10.1.0.0/24", {{"egress_allow", "192.0.2.1"}});
  EXPECT_EQ(alone.error().code, Code::kInvalid);
  host_.links.put(
      {.name = "uplink0", .mac = MacAddress::from_hash("uplink0"), .mtu = 1500, .up = true});
  for (const char* mode : {"macvlan", "ipvlan", "host-device"}) {
    std::map<std::string, std::string> options{{"mode", mode}, {"parent", "uplink0"}};
    options["egress"] = "deny";
    const auto refused = try_create("b", "10.1.0.0/24", options);
    ASSERT_FALSE(refused) << mode;
    EXPECT_THAT(refused.error().text, HasSubstr("egress=deny does not hold in mode")) << mode;
  }
  EXPECT_THAT(must(service().list_networks()), IsEmpty());
}

}  // namespace
}  // namespace fairlead::testing
