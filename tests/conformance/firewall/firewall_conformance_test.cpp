// One suite for the kernel's firewall and the one in memory.
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <thread>

#include "network/kernel/firewall/batch.h"
#include "network/kernel/firewall/firewall.h"
#include "network/kernel/host/netns.h"
#include "network/nat/nat.h"
#include "tests/support/fake_firewall.h"

namespace fairlead::kernel {

void PrintTo(const ElementBytes& bytes, std::ostream* out) {
  *out << fmt::format("{:02x}/{}", fmt::join(bytes.bytes(), ""), bytes.fields());
}

void PrintTo(const Element& element, std::ostream* out) {
  *out << element.set << " ";
  PrintTo(element.key, out);
  *out << "-";
  PrintTo(element.key_end, out);
  *out << " : ";
  PrintTo(element.data, out);
  if (element.verdict)
    *out << " " << static_cast<int>(element.verdict->kind) << " " << element.verdict->chain;
}

namespace {

using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr std::string_view kTableText = R"(
add table inet fairlead
delete table inet fairlead
table inet fairlead {
	comment "test 1"
	set names {
		type ifname
	}
	map ports {
		type inet_proto . inet_service : ipv4_addr . inet_service
	}
	map verdicts {
		type nf_proto . ifname : verdict
	}
	set subnets {
		type ipv4_addr
		flags interval
	}
	set pairs {
		type ifname . ipv4_addr
		flags interval
	}
	chain elsewhere {
		drop
	}
}
)";

// The environment that a kind of firewall needs.
class World {
 public:
  virtual ~World() = default;
  Firewall& firewall() { return *firewall_; }
  virtual std::unique_ptr<Firewall> open(TableName table) = 0;

 protected:
  std::unique_ptr<Firewall> firewall_;
};

class FakeWorld : public World {
 public:
  FakeWorld() { firewall_ = open({"fairlead"}); }
  std::unique_ptr<Firewall> open(TableName table) override {
    return std::make_unique<fairlead::testing::FakeFirewall>(std::move(table));
  }
};

class KernelWorld : public World {
 public:
  explicit KernelWorld(Removal removal) : removal_(removal) {
    auto netns = new_netns();
    if (!netns) return;
    netns_ = std::move(*netns);
    firewall_ = open({"fairlead"});
  }
  std::unique_ptr<Firewall> open(TableName table) override {
    std::unique_ptr<Firewall> firewall;
    const Status opened = in_netns(netns_.get(), [&]() -> Status {
      TRY(firewall, open_nft_firewall(std::move(table), false, removal_));
      return {};
    });
    if (!opened) firewall.reset();
    return firewall;
  }
  bool usable() const { return firewall_ != nullptr; }

 private:
  const Removal removal_;
  UniqueFd netns_;
};

enum class Which { kFake, kKernel, kOlderKernel };  // the last without NFT_MSG_DESTROYSETELEM

class FirewallConformance : public ::testing::TestWithParam<Which> {
 protected:
  void SetUp() override {
    if (GetParam() == Which::kFake) {
      world_ = std::make_unique<FakeWorld>();
      return;
    }
    auto world = std::make_unique<KernelWorld>(GetParam() == Which::kKernel ? Removal::kDestroy
                                                                            : Removal::kDelete);
    if (!world->usable()) GTEST_SKIP() << "no network namespace or no nf_tables here";
    world_ = std::move(world);
  }
  World& world() { return *world_; }
  Firewall& firewall() { return world_->firewall(); }
  void write_table() {
    const Status written = firewall().run(kTableText);
    ASSERT_TRUE(written) << written.error().text;
  }
  std::vector<Element> present(std::string_view set) {
    auto list = firewall().elements(set);
    EXPECT_TRUE(list) << list.error().text;
    return list ? *list : std::vector<Element>{};
  }

 private:
  std::unique_ptr<World> world_;
};

IfName ifname(const char* name) { return *IfName::parse(name); }
IpAddress ip(const char* address) { return *IpAddress::parse(address); }

Element name(const char* text) {
  return {.set = "names", .key = ElementBytes().ifname(ifname(text))};
}

Element port(std::uint16_t host, const char* target, std::uint16_t container = 80) {
  return {.set = "ports",
          .key = ElementBytes().proto(6).port(host),
          .data = ElementBytes().address(ip(target)).port(container)};
}

Element verdict(const char* bridge, Verdict say) {
  return {.set = "verdicts",
          .key = ElementBytes().family(Family::kV6).ifname(ifname(bridge)),
          .verdict = say};
}

Element subnet(const char* text) {
  const Cidr cidr = *Cidr::parse(text);
  return {.set = "subnets",
          .key = ElementBytes().address(cidr.first()),
          .key_end = ElementBytes().address(cidr.last())};
}

Element pair(const char* bridge, const char* text) {
  const Cidr cidr = *Cidr::parse(text);
  return {.set = "pairs",
          .key = ElementBytes().ifname(ifname(bridge)).address(cidr.first()),
          .key_end = ElementBytes().ifname(ifname(bridge)).address(cidr.last())};
}

ElementChange add(Element element) {
  return {.kind = ElementChange::Kind::kAdd, .element = std::move(element)};
}
ElementChange remove(Element element) {
  return {.kind = ElementChange::Kind::kRemove, .element = std::move(element)};
}

Status apply(Firewall& firewall, std::vector<ElementChange> changes) {
  return firewall.apply(changes);
}

TEST_P(FirewallConformance, ElementsOfEveryKindOfSetAreReadAsTheyWereWritten) {
  write_table();
  const Element accept = verdict("fl-a", {.kind = Verdict::Kind::kAccept});
  const Element elsewhere = verdict("fl-b", {.kind = Verdict::Kind::kGoto, .chain = "elsewhere"});
  const Status applied = apply(
      firewall(), {add(name("fl-a")), add(port(8080, "10.1.0.2")), add(accept), add(elsewhere),
                   add(subnet("10.1.0.0/24")), add(pair("fl-a", "10.1.0.0/24"))});
  ASSERT_TRUE(applied) << applied.error().text;
  EXPECT_THAT(present("names"), UnorderedElementsAre(name("fl-a")));
  EXPECT_THAT(present("ports"), UnorderedElementsAre(port(8080, "10.1.0.2")));
  EXPECT_THAT(present("verdicts"), UnorderedElementsAre(accept, elsewhere));
  EXPECT_THAT(present("subnets"), UnorderedElementsAre(subnet("10.1.0.0/24")));
  EXPECT_THAT(present("pairs"), UnorderedElementsAre(pair("fl-a", "10.1.0.0/24")));
}

TEST_P(FirewallConformance, AddingTheSameAgainSucceeds) {
  write_table();
  const std::vector<ElementChange> changes = {add(name("fl-a")), add(port(8080, "10.1.0.2")),
                                              add(verdict("fl-a", {.kind = Verdict::Kind::kDrop})),
                                              add(subnet("10.1.0.0/24")),
                                              add(pair("fl-a", "10.1.0.0/24"))};
  ASSERT_TRUE(firewall().apply(changes));
  const Status again = firewall().apply(changes);
  EXPECT_TRUE(again) << again.error().text;
  EXPECT_EQ(present("ports").size(), 1U);
}

TEST_P(FirewallConformance, RemovingWhatIsNotThereSucceeds) {
  write_table();
  ASSERT_TRUE(apply(firewall(), {add(port(1, "10.1.0.2")), add(subnet("10.1.0.0/24"))}));
  const Status removed =
      apply(firewall(), {remove(name("fl-a")), remove(port(1, "10.1.0.2")),
                         remove(port(2, "10.1.0.2")), remove(subnet("10.9.0.0/24")),
                         remove(pair("fl-a", "10.1.0.0/24")), remove(subnet("10.1.0.0/24"))});
  ASSERT_TRUE(removed) << removed.error().text;
  EXPECT_THAT(present("ports"), UnorderedElementsAre());
  EXPECT_THAT(present("subnets"), UnorderedElementsAre());
}

TEST_P(FirewallConformance, AKeyWithOtherDataIsRefusedAndNothingIsChanged) {
  write_table();
  ASSERT_TRUE(apply(firewall(), {add(port(8080, "10.1.0.2"))}));
  const Status refused = apply(
      firewall(),
      {add(port(8081, "10.1.0.2")), add(port(8080, "10.1.0.3")), add(port(8082, "10.1.0.2"))});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_THAT(refused.error().text, ::testing::HasSubstr("ports"));
  EXPECT_THAT(present("ports"), UnorderedElementsAre(port(8080, "10.1.0.2")));
}

TEST_P(FirewallConformance, AVerdictThatDiffersIsRefused) {
  write_table();
  ASSERT_TRUE(apply(firewall(), {add(verdict("fl-a", {.kind = Verdict::Kind::kAccept}))}));
  const Status refused = apply(
      firewall(), {add(verdict("fl-a", {.kind = Verdict::Kind::kGoto, .chain = "elsewhere"}))});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExists);
}

TEST_P(FirewallConformance, AKeyIsReplacedInOneTransaction) {
  write_table();
  ASSERT_TRUE(apply(firewall(), {add(port(8080, "10.1.0.2"))}));
  const Status replaced =
      apply(firewall(), {remove(port(8080, "10.1.0.2")), add(port(8080, "10.1.0.3"))});
  ASSERT_TRUE(replaced) << replaced.error().text;
  EXPECT_THAT(present("ports"), UnorderedElementsAre(port(8080, "10.1.0.3")));
}

TEST_P(FirewallConformance, OverlappingIntervalsAreRefused) {
  write_table();
  ASSERT_TRUE(apply(firewall(), {add(subnet("10.1.0.0/16")), add(pair("fl-a", "10.1.0.0/16"))}));
  const Status inside = apply(firewall(), {add(subnet("10.1.5.0/24"))});
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().code, Code::kExists);
  const Status pairs = apply(firewall(), {add(pair("fl-a", "10.1.5.0/24"))});
  ASSERT_FALSE(pairs);
  EXPECT_EQ(pairs.error().code, Code::kExists);
  EXPECT_TRUE(apply(firewall(), {add(pair("fl-b", "10.1.5.0/24"))}));
}

TEST_P(FirewallConformance, NeighbouringIntervalsAndTheLastOneStayApart) {
  write_table();
  ASSERT_TRUE(apply(firewall(), {add(subnet("10.1.0.0/24")), add(subnet("10.1.1.0/24")),
                                 add(subnet("255.255.255.0/24"))}));
  EXPECT_THAT(present("subnets"), UnorderedElementsAre(subnet("10.1.0.0/24"), subnet("10.1.1.0/24"),
                                                       subnet("255.255.255.0/24")));
  const Status removed =
      apply(firewall(), {remove(subnet("10.1.0.0/24")), remove(subnet("255.255.255.0/24"))});
  ASSERT_TRUE(removed) << removed.error().text;
  EXPECT_THAT(present("subnets"), UnorderedElementsAre(subnet("10.1.1.0/24")));
}

TEST_P(FirewallConformance, AMissingTableSetOrChainIsNotFound) {
  EXPECT_EQ(apply(firewall(), {add(name("fl-a"))}).error().code, Code::kNotFound);
  EXPECT_EQ(apply(firewall(), {remove(name("fl-a"))}).error().code, Code::kNotFound);
  EXPECT_EQ(firewall().elements("names").error().code, Code::kNotFound);
  write_table();
  Element other = name("fl-a");
  other.set = "others";
  EXPECT_EQ(apply(firewall(), {add(name("fl-a")), add(other)}).error().code, Code::kNotFound);
  EXPECT_EQ(apply(firewall(), {remove(other)}).error().code, Code::kNotFound);
  EXPECT_EQ(
      apply(firewall(), {add(verdict("fl-a", {.kind = Verdict::Kind::kGoto, .chain = "nowhere"}))})
          .error()
          .code,
      Code::kNotFound);
  EXPECT_TRUE(present("names").empty());
}

TEST_P(FirewallConformance, TheTableIsKnownByItsComment) {
  EXPECT_FALSE(*firewall().present("test 1"));
  EXPECT_FALSE(*firewall().comment());
  EXPECT_EQ(*firewall().list_text(), "");
  write_table();
  EXPECT_TRUE(*firewall().present("test 1"));
  EXPECT_FALSE(*firewall().present("test 2"));
  EXPECT_EQ(*firewall().comment(), "test 1");
  EXPECT_THAT(*firewall().list_text(), ::testing::HasSubstr("map ports"));
}

TEST_P(FirewallConformance, TextThatIsRefusedChangesNothing) {
  write_table();
  ASSERT_TRUE(apply(firewall(), {add(name("fl-a"))}));
  const Status refused = firewall().run("delete table inet fairlead\nnonsense\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().text, ::testing::HasSubstr("syntax error"));
  EXPECT_THAT(present("names"), UnorderedElementsAre(name("fl-a")));
}

TEST_P(FirewallConformance, WritingTheTableAgainEmptiesItsSets) {
  write_table();
  ASSERT_TRUE(apply(firewall(), {add(name("fl-a"))}));
  write_table();
  EXPECT_TRUE(present("names").empty());
}

TEST_P(FirewallConformance, TenThousandElementsAreOneTransaction) {
  write_table();
  std::vector<ElementChange> changes;
  for (std::uint16_t i = 1; i <= 10'000; ++i) changes.push_back(add(port(i, "10.1.0.2", i)));
  changes.push_back(add(port(5'000, "10.1.0.3")));
  EXPECT_EQ(firewall().apply(changes).error().code, Code::kExists);
  EXPECT_EQ(present("ports").size(), 0U);

  changes.pop_back();
  const Status added = firewall().apply(changes);
  ASSERT_TRUE(added) << added.error().text;
  EXPECT_EQ(present("ports").size(), 10'000U);

  for (ElementChange& change : changes) change.kind = ElementChange::Kind::kRemove;
  const Status removed = firewall().apply(changes);
  ASSERT_TRUE(removed) << removed.error().text;
  EXPECT_EQ(present("ports").size(), 0U);
}

TEST_P(FirewallConformance, ThreadsDoNotDisturbEachOther) {
  write_table();
  std::vector<std::thread> threads;
  for (std::uint16_t t = 0; t < 4; ++t)
    threads.emplace_back([this, t] {
      for (std::uint16_t i = 0; i < 50; ++i) {
        const auto number = static_cast<std::uint16_t>(1 + t * 50 + i);
        EXPECT_TRUE(apply(firewall(), {add(port(number, "10.1.0.2"))}));
        EXPECT_TRUE(firewall().present("test 1"));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(present("ports").size(), 200U);
}

// Rendering all elements at once gives the same as applying them one by one.
TEST_P(FirewallConformance, RenderedTextAndAppliedElementsAreTheSame) {
  const std::vector<nat::NatNetwork> networks = {
      {.bridge = ifname("fl-a"),
       .subnets = {*Cidr::parse("10.1.0.0/24"), *Cidr::parse("fd00:1::/64")}},
      {.bridge = ifname("fl-b"), .subnets = {*Cidr::parse("10.2.0.0/24")}, .icc = false},
      {.bridge = ifname("fl-c"), .subnets = {*Cidr::parse("10.3.0.0/24")}, .internal = true},
      {.bridge = ifname("fl-d"),
       .subnets = {*Cidr::parse("10.4.0.0/24"), *Cidr::parse("fd00:4::/64")},
       .snat_v4 = ip("192.0.2.7"),
       .snat_v6 = ip("2001:db8::7"),
       .snat_ports = network::PortRange{20000, 29999},
       .masquerade_exclude = {*Cidr::parse("10.244.0.0/16"), *Cidr::parse("192.168.0.0/16"),
                              *Cidr::parse("fd00::/8")}}};
  const std::vector<nat::NatPort> ports = {{.host_port = 8080,
                                            .container_port = 80,
                                            .target_v4 = ip("10.1.0.2"),
                                            .target_v6 = ip("fd00:1::2")},
                                           {.proto = network::Proto::kUdp,
                                            .host_ip = ip("127.0.0.1"),
                                            .host_port = 53,
                                            .container_port = 5353,
                                            .target_v4 = ip("10.1.0.2"),
                                            .mode_v4 = network::GatewayMode::kNatUnprotected},
                                           {.host_port = 9000,
                                            .container_port = 90,
                                            .target_v6 = ip("fd00:1::3"),
                                            .mode_v6 = network::GatewayMode::kRouted}};
  const nat::NatUnderlay underlay{
      .tunnels = {{.vni = 42}, {.vni = 0xabcdef, .port = 8472, .encrypted = true}},
      .hosts = {ip("192.0.2.2"), ip("fd5c::2")},
      .wireguard_links = {ifname("flwg0")}};
  const Cidr lan = *Cidr::parse("192.0.2.0/24");
  const nat::NatHost host{
      .uplinks = {{ifname("eth1"), ip("198.51.100.1"), 0x10000000},
                  {ifname("eth1"), ip("2001:db8::1"), 0x20000000}},
      .broadcasts = {{ifname("eth0"), lan, ip("192.0.2.255"), ip("192.0.2.1")},
                     {ifname("eth0"), lan, ip("255.255.255.255"), ip("192.0.2.1")}}};
  const nat::NatState state{
      .networks = networks, .ports = ports, .underlay = underlay, .host = host};
  const std::vector<ElementChange> changes = nat::difference({}, state);

  const Status rendered = firewall().run(nat::render(state));
  ASSERT_TRUE(rendered) << rendered.error().text;
  std::map<std::string, std::vector<Element>> as_text;
  for (const ElementChange& change : changes)
    as_text[change.element.set] = present(change.element.set);
  ASSERT_TRUE(firewall().run(nat::render_chains()));
  const Status applied = firewall().apply(changes);
  ASSERT_TRUE(applied) << applied.error().text;
  for (const auto& [set, elements] : as_text)
    EXPECT_THAT(present(set), ::testing::UnorderedElementsAreArray(elements)) << set;
  EXPECT_TRUE(*firewall().present(nat::version()));
}

// The bridges' table has a fake and a kernel of its own.
TEST_P(FirewallConformance, RenderedTextAndAppliedElementsOfBridgesAreTheSame) {
  constexpr TableFamily kFamily = TableFamily::kBridge;
  const std::unique_ptr<Firewall> frames = world().open({"fairlead", kFamily});
  const nat::NatState state{
      .senders = {{.port = ifname("flh0123456789ab"),
                   .mac = *MacAddress::parse("02:fa:0a:01:00:02"),
                   .addresses = {ip("10.1.0.2"), ip("fd00:1::2")}},
                  {.port = ifname("flhrouter"), .mac = {}, .addresses = {}, .checked = false}}};
  const std::vector<ElementChange> changes = nat::difference({}, state, kFamily);
  ASSERT_THAT(changes, Not(IsEmpty()));
  const auto contents = [&] {
    std::vector<Element> all;
    for (const std::string_view set : nat::set_names(kFamily)) {
      const auto elements = frames->elements(set);
      EXPECT_TRUE(elements) << elements.error().text;
      if (elements) all.insert(all.end(), elements->begin(), elements->end());
    }
    return all;
  };
  const Status rendered = frames->run(nat::render(state, {}, kFamily));
  ASSERT_TRUE(rendered) << rendered.error().text;
  const std::vector<Element> as_text = contents();
  EXPECT_THAT(as_text, ::testing::UnorderedElementsAreArray(nat::elements_of(state, kFamily)));
  ASSERT_TRUE(frames->run(nat::render_chains({}, kFamily)));
  const Status applied = frames->apply(changes);
  ASSERT_TRUE(applied) << applied.error().text;
  EXPECT_THAT(contents(), ::testing::UnorderedElementsAreArray(as_text));
  EXPECT_TRUE(*frames->present(nat::version(kFamily)));
  EXPECT_THAT(*frames->differences(nat::render_chains({}, kFamily)), IsEmpty());
  EXPECT_EQ(firewall().comment().value(), std::nullopt);  // the other table of that name
  ASSERT_TRUE(frames->run("flush chain bridge fairlead own_v4\n"));
  EXPECT_THAT(*frames->differences(nat::render_chains({}, kFamily)),
              ::testing::ElementsAre(::testing::HasSubstr("of chain own_v4 are missing")));
}

// Any change of the table by others is a difference, and rendering removes it.
TEST_P(FirewallConformance, EveryAlterationOfTheTableIsADifference) {
  const std::string wanted = nat::render_chains();
  EXPECT_THAT(*firewall().differences(wanted), Not(IsEmpty()));
  const nat::NatNetwork network{.bridge = ifname("fl-a"), .subnets = {*Cidr::parse("10.1.0.0/24")}};
  const auto render = [&] { return firewall().run(nat::render({.networks = {network}})); };
  for (const char* alteration :
       {"flush table inet fairlead\n", "flush chain inet fairlead forward\n",
        "flush chain inet fairlead no_icc\n", "add rule inet fairlead forward accept\n",
        "insert rule inet fairlead forward accept\n", "add chain inet fairlead evil\n",
        "add chain inet fairlead evil { type filter hook input priority 0; policy accept; }\n",
        "add chain inet fairlead forward { policy drop; }\n",
        "add set inet fairlead evil { type ipv4_addr; }\n",
        "add table inet fairlead { flags dormant; }\n", "delete table inet fairlead\n"}) {
    ASSERT_TRUE(render());
    EXPECT_THAT(*firewall().differences(wanted), IsEmpty()) << alteration;
    const Status altered = firewall().run(alteration);
    ASSERT_TRUE(altered) << alteration << altered.error().text;
    EXPECT_THAT(*firewall().differences(wanted), Not(IsEmpty())) << alteration;
  }
  ASSERT_TRUE(render());
  EXPECT_THAT(*firewall().differences(wanted), IsEmpty());
}

TEST_P(FirewallConformance, ElementsAreNoDifference) {
  ASSERT_TRUE(firewall().run(nat::render_chains()));
  const nat::NatNetwork network{.bridge = ifname("fl-a"), .subnets = {*Cidr::parse("10.1.0.0/24")}};
  ASSERT_TRUE(apply(firewall(), nat::difference({}, {.networks = {network}})));
  EXPECT_THAT(*firewall().differences(nat::render_chains()), IsEmpty());
  ASSERT_TRUE(apply(firewall(), nat::difference({.networks = {network}}, {})));
  EXPECT_THAT(*firewall().differences(nat::render_chains()), IsEmpty());
}

// As TableSync has them: made beside the table, led to by elements, and deleted when none does.
TEST_P(FirewallConformance, AChainThatCountsConnectionsComesAndGoes) {
  const nat::NatPort web{.host_port = 8080,
                         .container_port = 80,
                         .target_v4 = ip("10.1.0.2"),
                         .target_v6 = ip("fd00:1::2"),
                         .max_connections = 7};
  const nat::NatState state{.ports = {web}};
  const std::vector<std::string> chains = nat::limits_of(state);
  ASSERT_THAT(chains, ::testing::ElementsAre("limit_7"));
  EXPECT_FALSE(firewall().run(nat::render_limits(chains))) << "there is no table";
  EXPECT_EQ(firewall().comment().value(), std::nullopt);
  ASSERT_TRUE(firewall().run(nat::render_chains()));
  EXPECT_EQ(apply(firewall(), nat::difference({}, state)).error().code, Code::kNotFound);
  EXPECT_EQ(*firewall().chain_uses("limit_7"), 0U);
  for (int again = 0; again < 2; ++again) {
    const Status made = firewall().run(nat::render_limits(chains));
    ASSERT_TRUE(made) << made.error().text;
    EXPECT_EQ(*firewall().chain_uses("limit_7"), again == 0 ? 1U : 5U) << "its own rule";
    const Status applied = apply(firewall(), nat::difference({}, state));
    ASSERT_TRUE(applied) << applied.error().text;
    EXPECT_THAT(*firewall().differences(nat::render_chains({}, TableFamily::kInet, state)),
                IsEmpty());
    EXPECT_EQ(*firewall().chain_uses("limit_7"), 5U) << "and the elements of four maps";
    EXPECT_FALSE(firewall().run(nat::render_no_limit("limit_7"))) << "it is needed";
  }
  ASSERT_TRUE(apply(firewall(), nat::difference(state, {})));
  EXPECT_EQ(*firewall().chain_uses("limit_7"), 1U);
  const Status gone = firewall().run(nat::render_no_limit("limit_7"));
  ASSERT_TRUE(gone) << gone.error().text;
  EXPECT_THAT(*firewall().differences(nat::render_chains()), IsEmpty());
  EXPECT_EQ(*firewall().chain_uses("refused"), 2U);
}

TEST_P(FirewallConformance, ADifferenceIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"add chain inet fairlead evil\n", "chain evil is nobody's"},
      {"add set inet fairlead evil { type ipv4_addr; }\n", "set evil is nobody's"},
      {"add chain inet fairlead forward { policy drop; }\n", "chain forward is not as written"},
      {"insert rule inet fairlead published_only accept\n",
       "rule 1 of chain published_only is nobody's"},
      {"add rule inet fairlead published_only accept\n",
       "rule 3 of chain published_only is nobody's"},
      {"flush chain inet fairlead published_only\n",
       "rules 1 to 2 of chain published_only are missing"},
      {"add table inet fairlead { flags dormant; }\n", "the table is not as written"},
      {"delete table inet fairlead\n", "the table is missing"}};
  for (const auto& [alteration, words] : cases) {
    ASSERT_TRUE(firewall().run(nat::render_chains()));
    ASSERT_TRUE(firewall().run(alteration)) << alteration;
    const auto found = firewall().differences(nat::render_chains());
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_THAT(*found, ::testing::ElementsAre(words)) << alteration;
  }
}

std::string name_of(const ::testing::TestParamInfo<Which>& which) {
  constexpr const char* kNames[] = {"Fake", "Kernel", "OlderKernel"};
  return kNames[static_cast<int>(which.param)];
}

INSTANTIATE_TEST_SUITE_P(All, FirewallConformance,
                         ::testing::Values(Which::kFake, Which::kKernel, Which::kOlderKernel),
                         name_of);

}  // namespace
}  // namespace fairlead::kernel
