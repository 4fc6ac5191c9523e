// Whole hosts, with kernels in memory, over one shared store: what one attaches, the others can
// reach.
#include "network/agent/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "base/state/memory_store.h"
#include "base/state/store_changes.h"
#include "network/cluster/records.h"
#include "network/service/events.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_wireguard_links.h"

namespace fairlead::network {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }
IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

// The shared store, as far away as the test says.
class FarStore : public state::Store, public state::Leases {
 public:
  std::atomic<bool> is_reachable = true;
  std::atomic<bool> holds_withdrawals = false;  // of endpoints: their commits wait
  std::atomic<int> held = 0;

  Result<std::optional<state::Record>> get(std::string_view key) override {
    if (!is_reachable) return far();
    return inner->get(key);
  }
  Result<std::vector<state::Record>> list(std::string_view prefix, std::string_view after,
                                          std::size_t limit) override {
    if (!is_reachable) return far();
    return inner->list(prefix, after, limit);
  }
  Result<state::CommitResult> commit(const state::Txn& txn) override {
    if (!is_reachable) return far();
    const bool withdraws = !txn.deletes.empty() && txn.deletes[0].find("/ep/") != std::string::npos;
    if (withdraws && holds_withdrawals) ++held;
    while (withdraws && holds_withdrawals)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return inner->commit(txn);
  }
  Result<std::unique_ptr<state::Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<state::Event>&)> on_events) override {
    if (!is_reachable) return far();
    return inner->watch(prefix, after, std::move(on_events));
  }
  Result<std::int64_t> revision() override {
    if (!is_reachable) return far();
    return inner->revision();
  }
  Result<state::LeaseId> grant(std::chrono::seconds ttl) override {
    if (!is_reachable) return far();
    return inner->grant(ttl);
  }
  Result<bool> heartbeat(state::LeaseId lease) override {
    if (!is_reachable) return far();
    return inner->heartbeat(lease);
  }
  Status revoke(state::LeaseId lease) override {
    if (!is_reachable) return far();
    return inner->revoke(lease);
  }

  std::unique_ptr<state::MemoryStore> inner = state::make_memory_store();

  std::size_t endpoints() const {  // that are published
    const auto all = inner->list("in/").value();
    return static_cast<std::size_t>(std::ranges::count_if(all, [](const state::Record& record) {
      return record.key.find("/ep/") != std::string::npos;
    }));
  }

 private:
  static tl::unexpected<Error> far() { return fail(Code::kUnavailable, "nobody answers"); }
};

class TestHost {
 public:
  // `id`: of which host it says to be, when not of the one with its number.
  TestHost(FarStore& shared, int number, bool is_encrypted = true, int id = 0)
      : number_(number), id_(id == 0 ? number : id), is_encrypted_(is_encrypted), shared_(shared) {
    local_ = ip(fmt::format("192.0.2.{}", number));
    fake.tunnels.add_underlay(local_, 1500);
    start();
  }
  ~TestHost() { stop(); }

  void start() {
    cluster::HostInfo info{
        .id = id(), .name = fmt::format("node{}", number_), .vtep = local_, .underlay_mtu = 1500};
    const std::string snapshots = fake.folder / "cluster";
    std::filesystem::create_directories(snapshots);
    std::optional<WireguardPart> wireguard;
    if (is_encrypted_) {
      const std::vector<std::uint8_t> bytes(kernel::kKeySize, static_cast<std::uint8_t>(number_));
      kernel::WireguardLinkSpec spec{.name = IfName::parse("flw0").value(),
                                     .private_key = kernel::PrivateKey::from_bytes(bytes).value(),
                                     .addresses = {kernel::wireguard_address("test", info.id)}};
      EXPECT_TRUE(wireguard_links.ensure(spec));
      fake.tunnels.add_underlay(spec.addresses[0].address(), 1440);
      info.wireguard = {wireguard_links.public_key(spec.private_key).to_string(), spec.port,
                        spec.addresses[0].address()};
      wireguard.emplace(WireguardPart{wireguard_links, spec});
    }
    changes_ = state::make_change_feed(fake.store, {network_changes_in(fake.store)});
    agent = make_agent({.local = fake.store,
                        .changes = *changes_,
                        .shared = shared_,
                        .leases = shared_,
                        .tunnels = fake.tunnels,
                        .cluster = "test",
                        .host = info,
                        .wireguard = wireguard,
                        .snapshots = snapshots,
                        .boot_id = "boot-1",
                        .members = [this] {
                          return std::vector<cluster::StoreMember>{
                              {.endpoint = endpoint,
                               .error = shared_.is_reachable ? "" : "far",
                               .has_leader = true}};
                        }});
    fake.open(agent.get(), [this](const std::string& id) { agent->on_tunnel_made(id); });
    agent->start(*fake.service, fake.core->underlay());
  }
  void stop() {
    if (agent) agent->stop();
    fake.close();
    agent.reset();
    changes_.reset();
  }

  Result<Network> make(const std::string& name, const std::string& subnet = "",
                       bool encrypted = false) {
    NetworkSpec spec{.name = NetworkName::parse(name).value()};
    spec.options.mode = "overlay";
    spec.options.encrypted = encrypted;
    if (!subnet.empty()) spec.subnets.push_back({.subnet = cidr(subnet)});
    return fake.service->create_network(spec);
  }
  Result<Attachment> attach(const std::string& network, const std::string& container,
                            const std::string& wanted = "") {
    EndpointSpec spec{.network = NetworkText{network},
                      .id = endpoint_id(container, "eth0"),
                      .container = container,
                      .runtime = "test"};
    if (!wanted.empty()) spec.addresses.push_back(cidr(wanted + "/32"));
    return fake.service->attach(
        spec, IntoNetns{.fd = testing_netns(), .ifname = IfName::parse("eth0").value()});
  }
  std::string id() const { return fmt::format("{:0<32x}", id_); }
  IpAddress wireguard_address() const { return kernel::wireguard_address("test", id()).address(); }
  Status detach(const std::string& network, const std::string& container) {
    return fake.service->remove_endpoint({NetworkText{network}, endpoint_id(container, "eth0")});
  }
  // "10.9.0.2 -> 192.0.2.1" for each entry of the network's tunnel.
  std::vector<std::string> entries(const std::string& network) {
    const auto found = fake.service->inspect_network(NetworkText{network});
    if (!found) return {};
    std::vector<std::string> texts;
    const auto dumped = fake.tunnels.dump(overlay_device(*found->overlay));
    if (!dumped) return {dumped.error().text};
    for (const auto& entry : *dumped)
      texts.push_back(entry.ip.to_string() + " -> " + entry.vtep.to_string());
    return texts;
  }

  ::fairlead::testing::FakeHost fake;
  ::fairlead::testing::FakeWireguardLinks wireguard_links{fake.links};
  std::unique_ptr<Agent> agent;
  std::string endpoint = "https://10.0.0.1:2379";  // as it is told, of the shared store

 private:
  int testing_netns() { return ::fairlead::testing::FakeHost::kNetns + ++containers_; }

  const int number_, id_;
  const bool is_encrypted_;
  int containers_ = 0;
  FarStore& shared_;
  std::unique_ptr<ChangeFeed> changes_;
  IpAddress local_;
};

template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds within = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::string address_of(const Attachment& attachment) {
  return attachment.endpoint.addresses.at(0).address().to_string();
}

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    for (const TestHost* host : {&a_, &b_})
      EXPECT_TRUE(eventually([&] { return host->agent->status().joined; }));
  }
  FarStore shared_;
  TestHost a_{shared_, 1}, b_{shared_, 2};
};

TEST_F(AgentTest, WhatOneHostAttachesTheOtherCanReachUntilItIsDetached) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(b_.make("shop"));
  const auto web = a_.attach("shop", "web");
  ASSERT_TRUE(web) << web.error().text;
  const auto expected = address_of(*web) + " -> 192.0.2.1";
  EXPECT_TRUE(eventually([&] { return b_.entries("shop") == std::vector{expected}; }));
  EXPECT_THAT(a_.entries("shop"), IsEmpty()) << "its own are not remote";
  const auto db = b_.attach("shop", "db");
  ASSERT_TRUE(db) << db.error().text;
  EXPECT_NE(address_of(*db), address_of(*web));
  EXPECT_TRUE(eventually([&] { return a_.entries("shop").size() == 1; }));
  ASSERT_TRUE(a_.detach("shop", "web"));
  EXPECT_TRUE(eventually([&] { return b_.entries("shop").empty(); }));
}

TEST_F(AgentTest, TwoHostsMayHaveContainersOfOneName) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(b_.make("shop"));
  ASSERT_TRUE(a_.attach("shop", "web"));
  ASSERT_TRUE(b_.attach("shop", "web"));
  EXPECT_TRUE(
      eventually([&] { return a_.entries("shop").size() == 1 && b_.entries("shop").size() == 1; }));
}

TEST_F(AgentTest, ANetworkIsTheSameOnAllHostsAndGoesWithTheLast) {
  const auto made = a_.make("shop", "10.9.0.0/20");
  ASSERT_TRUE(made) << made.error().text;
  const auto joined = b_.make("shop");
  ASSERT_TRUE(joined) << joined.error().text;
  EXPECT_EQ(made->id, joined->id);
  EXPECT_EQ(made->overlay->vni, joined->overlay->vni);
  EXPECT_EQ(made->mtu, 1450U);
  EXPECT_EQ(b_.make("shop")->id, made->id) << "again";
  EXPECT_EQ(b_.make("shop", "10.10.0.0/20").error().code, Code::kConflict);
  ASSERT_TRUE(a_.fake.service->remove_network(NetworkText{"shop"}));
  ASSERT_TRUE(eventually([&] { return shared_.inner->list("joined/")->size() == 1; }));
  EXPECT_EQ(shared_.inner->list("net/")->size(), 1U);
  ASSERT_TRUE(b_.fake.service->remove_network(NetworkText{"shop"}));
  EXPECT_TRUE(eventually([&] { return shared_.inner->list("net/")->empty(); }));
}

TEST_F(AgentTest, AnAddressOfASmallNetworkIsGivenToOneHostAndCanBeHadAgain) {
  ASSERT_TRUE(a_.make("small", "10.9.0.0/24"));
  ASSERT_TRUE(b_.make("small"));
  ASSERT_TRUE(a_.attach("small", "web", "10.9.0.50"));
  const auto refused = b_.attach("small", "other", "10.9.0.50");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExists);
  ASSERT_TRUE(a_.detach("small", "web"));
  const auto given = b_.attach("small", "other", "10.9.0.50");
  EXPECT_TRUE(given) << given.error().text;
}

TEST_F(AgentTest, WithoutTheSharedStoreContainersStartAndTheOthersAreToldLater) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(b_.make("shop"));
  ASSERT_TRUE(a_.attach("shop", "first"));  // brings a block
  ASSERT_TRUE(eventually([&] { return b_.entries("shop").size() == 1; }));
  shared_.is_reachable = false;
  const auto second = a_.attach("shop", "second");
  ASSERT_TRUE(second) << second.error().text;
  ASSERT_TRUE(a_.detach("shop", "first"));
  EXPECT_TRUE(eventually([&] { return !a_.agent->status().problems.empty(); }));
  EXPECT_EQ(b_.entries("shop").size(), 1U);
  shared_.is_reachable = true;
  const auto expected = address_of(*second) + " -> 192.0.2.1";
  EXPECT_TRUE(eventually([&] { return b_.entries("shop") == std::vector{expected}; }));
  EXPECT_TRUE(eventually([&] { return a_.agent->status().problems.empty(); }));
}

TEST_F(AgentTest, AStoreThatIsAskedWithoutTlsIsAProblem) {
  EXPECT_THAT(a_.agent->status().problems, IsEmpty());
  a_.endpoint = "http://10.0.0.1:2379";
  EXPECT_THAT(a_.agent->status().problems, ElementsAre(HasSubstr("without TLS")));
}

// With another host's address inside of WireGuard it would get that host's packets.
TEST_F(AgentTest, AHostIsNotBelievedAboutAWireguardAddressThatIsNotOfItsId) {
  using namespace cluster;
  const std::string id(32, 'f');
  HostRecord evil{.info = {.id = id, .name = "evil", .vtep = ip("192.0.2.66")}};
  const auto put = [&](const IpAddress& inside) {
    evil.info.wireguard = {
        .key = kernel::PublicKey::from_bytes(std::vector<std::uint8_t>(kernel::kKeySize, 9))
                   .value()
                   .to_string(),
        .port = 51820,
        .address = inside};
    ASSERT_TRUE(shared_.commit({.puts = {{"host/" + id, encode(evil)}}}));
  };
  const auto peers = [&] {
    return a_.wireguard_links.dump(IfName::parse("flw0").value())->peers.size();
  };
  ASSERT_TRUE(eventually([&] { return peers() == 1; }));
  put(kernel::wireguard_address("test", id).address());
  EXPECT_TRUE(eventually([&] { return peers() == 2; }));
  put(kernel::wireguard_address("test", std::string(32, 'e')).address());
  EXPECT_TRUE(eventually([&] { return peers() == 1; }));
  EXPECT_THAT(a_.agent->status().peers.refused, ElementsAre(HasSubstr("WireGuard address")));
}

// As `docker compose down` does it.
TEST_F(AgentTest, ANetworkThatGoesRightBehindItsContainersIsGoneFromTheCluster) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(a_.attach("shop", "web"));
  ASSERT_TRUE(eventually([&] { return shared_.endpoints() == 1; }));
  shared_.is_reachable = false;  // the publisher meets both at once
  ASSERT_TRUE(a_.detach("shop", "web"));
  ASSERT_TRUE(a_.fake.service->remove_network(NetworkText{"shop"}));
  shared_.is_reachable = true;
  for (const char* prefix : {"in/", "joined/", "net/"})
    EXPECT_TRUE(eventually([&] { return shared_.inner->list(prefix)->empty(); })) << prefix;
  EXPECT_TRUE(eventually([&] { return a_.agent->status().problems.empty(); }));
  ASSERT_TRUE(a_.make("other", "10.10.0.0/20"));
  ASSERT_TRUE(a_.attach("other", "web"));
  EXPECT_TRUE(eventually([&] { return shared_.endpoints() == 1; }));
}

// The agent sees the old network and the new one as one: they have the same id.
TEST_F(AgentTest, ANetworkThatIsMadeAgainBeforeTheAgentSawItGoIsLeftLater) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(b_.make("shop"));
  ASSERT_TRUE(a_.attach("shop", "web"));
  ASSERT_TRUE(eventually([&] { return shared_.endpoints() == 1; }));
  shared_.holds_withdrawals = true;
  ASSERT_TRUE(a_.detach("shop", "web"));
  ASSERT_TRUE(eventually([&] { return shared_.held == 1; }));
  ASSERT_TRUE(a_.fake.service->remove_network(NetworkText{"shop"}));
  ASSERT_TRUE(a_.make("shop"));
  shared_.holds_withdrawals = false;
  ASSERT_TRUE(eventually([&] { return shared_.endpoints() == 0; }));
  ASSERT_TRUE(a_.attach("shop", "web"));
  ASSERT_TRUE(eventually([&] { return b_.entries("shop").size() == 1; }));
  ASSERT_TRUE(a_.detach("shop", "web"));
  ASSERT_TRUE(a_.fake.service->remove_network(NetworkText{"shop"}));
  EXPECT_TRUE(eventually([&] { return shared_.inner->list("joined/")->size() == 1; }));
  ASSERT_TRUE(b_.fake.service->remove_network(NetworkText{"shop"}));
  EXPECT_TRUE(eventually([&] { return shared_.inner->list("net/")->empty(); }));
}

TEST_F(AgentTest, ATunnelThatWasDeletedGetsItsEntriesBack) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  const auto here = b_.make("shop");
  ASSERT_TRUE(here);
  ASSERT_TRUE(a_.attach("shop", "web"));
  ASSERT_TRUE(eventually([&] { return b_.entries("shop").size() == 1; }));
  ASSERT_TRUE(b_.fake.tunnels.remove(overlay_device(*here->overlay)));
  ASSERT_TRUE(b_.fake.service->reconcile());
  EXPECT_TRUE(eventually([&] { return b_.entries("shop").size() == 1; }));
}

TEST_F(AgentTest, ADaemonThatStartsAgainGoesOnWhereItWas) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(b_.make("shop"));
  ASSERT_TRUE(a_.attach("shop", "web"));
  ASSERT_TRUE(eventually([&] { return b_.entries("shop").size() == 1; }));
  b_.stop();
  const auto fresh = a_.attach("shop", "new");
  ASSERT_TRUE(fresh) << fresh.error().text;
  ASSERT_TRUE(a_.detach("shop", "web"));
  b_.start();
  ASSERT_TRUE(b_.attach("shop", "db")) << "at once, out of its own block or after joining";
  EXPECT_TRUE(eventually([&] { return a_.entries("shop").size() == 1; }));
  // What went meanwhile is swept half a minute later, when the watches have told everything.
  EXPECT_TRUE(eventually([&] {
    const auto entries = b_.entries("shop");
    return std::ranges::find(entries, address_of(*fresh) + " -> 192.0.2.1") != entries.end();
  }));
}

TEST_F(AgentTest, AHostThatWasRemovedGivesUpItsContainersAndJoinsAnew) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(b_.make("shop"));
  ASSERT_TRUE(b_.attach("shop", "web"));
  ASSERT_TRUE(eventually([&] { return a_.entries("shop").size() == 1; }));
  const auto removal = a_.agent->remove_host("node2");
  ASSERT_TRUE(removal) << removal.error().text;
  EXPECT_TRUE(eventually([&] { return a_.entries("shop").empty(); }));
  EXPECT_TRUE(
      eventually([&] { return b_.fake.service->list_endpoints(NetworkText{"shop"})->empty(); }));
  ASSERT_TRUE(eventually([&] { return b_.agent->status().joined; }));
  const auto again = b_.attach("shop", "web");
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_TRUE(eventually([&] { return a_.entries("shop").size() == 1; }));
}

TEST_F(AgentTest, ARefusedCloneTakesNothingAwayWhileItRunsAndAfter) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(b_.make("shop"));
  const auto web = a_.attach("shop", "web");
  ASSERT_TRUE(web) << web.error().text;
  const std::vector expected{address_of(*web) + " -> 192.0.2.1"};
  ASSERT_TRUE(eventually([&] { return b_.entries("shop") == expected; }));
  const auto everything = [&] {
    std::map<std::string, std::int64_t> found;
    const auto records = shared_.inner->list("");
    for (const state::Record& record : *records) found[record.key] = record.revision;
    return found;
  };
  const auto before = everything();
  {
    const TestHost clone(shared_, 9, true, 1);
    EXPECT_FALSE(clone.agent->status().joined);
    EXPECT_THAT(clone.agent->status().problems,
                ::testing::Contains(HasSubstr("another machine uses this host's id")));
    EXPECT_EQ(everything(), before);
  }
  EXPECT_EQ(everything(), before) << "after its orderly end";
  EXPECT_EQ(b_.entries("shop"), expected);
  const auto hosts = b_.agent->hosts();
  ASSERT_TRUE(hosts) << hosts.error().text;
  for (const cluster::Host& host : *hosts)
    EXPECT_EQ(host.state, cluster::HostState::kAlive) << host.info.name;
  EXPECT_THAT(a_.agent->status().problems, IsEmpty());
}

TEST_F(AgentTest, AHostWhosePlaceWasTakenSaysSoUntilItHasItBack) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  ASSERT_TRUE(b_.make("shop"));
  ASSERT_TRUE(a_.attach("shop", "web"));
  ASSERT_TRUE(eventually([&] { return b_.entries("shop").size() == 1; }));
  const std::string live = "live/" + a_.id();
  ASSERT_TRUE(shared_.inner->commit(
      {.puts = {{live, R"({"boot":"another","epoch":1,"nonce":"another"})"}}}));
  ASSERT_TRUE(eventually([&] { return !a_.agent->status().joined; }));
  EXPECT_THAT(a_.agent->status().problems,
              ::testing::Contains(HasSubstr("another machine uses this host's id")));
  const auto refused = a_.attach("shop", "db");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("another machine uses this host's id"));
  ASSERT_TRUE(shared_.inner->commit({.deletes = {live}}));
  ASSERT_TRUE(eventually([&] { return a_.agent->status().joined; }));
  EXPECT_TRUE(a_.attach("shop", "db"));
  EXPECT_TRUE(eventually([&] { return b_.entries("shop").size() == 2; }));
}

TEST_F(AgentTest, WhatTheServiceRefusesWithoutTouchingAnything) {
  const auto refused = [&](const NetworkSpec& spec, std::string_view says) {
    const auto made = a_.fake.service->create_network(spec);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().text, HasSubstr(std::string(says)));
    EXPECT_TRUE(shared_.inner->list("net/")->empty());
  };
  NetworkSpec spec{.name = NetworkName::parse("shop").value()};
  spec.options.mode = "overlay";
  spec.address_source = AddressSource::kRuntime;
  refused(spec, "docker network create -d fairlead --ipam-driver fairlead --ipam-opt network=shop");
  spec.address_source = AddressSource::kFairlead;
  spec.options.mtu = 9000;
  refused(spec, "9000");
  ::fairlead::testing::FakeHost alone;
  alone.open();
  spec.options.mtu.reset();
  const auto made = alone.service->create_network(spec);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().text, HasSubstr("\"cluster\" in fairlead.json"));
}

TEST_F(AgentTest, AnEncryptedNetworkGoesFromWireguardLinkToWireguardLink) {
  const auto made = a_.make("vault", "10.9.0.0/20", true);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->mtu, 1370U);
  EXPECT_EQ(made->overlay->local, a_.wireguard_address());
  ASSERT_TRUE(a_.fake.service->reconcile());
  EXPECT_EQ(a_.fake.service->inspect_network(NetworkText{"vault"})->overlay->local,
            a_.wireguard_address())
      << "and stays there";
  ASSERT_TRUE(b_.make("vault", "", true));
  EXPECT_EQ(b_.make("vault").error().code, Code::kConflict) << "not without -o encrypted";
  ASSERT_TRUE(a_.make("plain", "10.10.0.0/20"));
  ASSERT_TRUE(b_.make("plain"));
  const auto web = a_.attach("vault", "web");
  ASSERT_TRUE(web) << web.error().text;
  const auto expected = address_of(*web) + " -> " + a_.wireguard_address().to_string();
  EXPECT_TRUE(eventually([&] { return b_.entries("vault") == std::vector{expected}; }));
  ASSERT_TRUE(a_.attach("plain", "open"));
  EXPECT_TRUE(eventually([&] {
    const auto entries = b_.entries("plain");
    return entries.size() == 1 && entries[0].ends_with(" -> 192.0.2.1");
  }));
  const auto peers = b_.wireguard_links.dump(IfName::parse("flw0").value());
  ASSERT_TRUE(peers);
  ASSERT_EQ(peers->peers.size(), 1U);
  EXPECT_EQ(peers->peers[0].peer.endpoint->to_string(), "192.0.2.1:51820");
  ASSERT_TRUE(a_.detach("vault", "web"));
  EXPECT_TRUE(eventually([&] { return b_.entries("vault").empty(); }));
}

TEST_F(AgentTest, AHostThatCannotEncryptJoinsNoEncryptedNetwork) {
  TestHost c(shared_, 3, false);
  ASSERT_TRUE(eventually([&] { return c.agent->status().joined; }));
  ASSERT_TRUE(a_.make("vault", "10.9.0.0/20", true));
  const auto refused = c.make("vault", "", true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_THAT(refused.error().text, HasSubstr("modprobe wireguard"));
  EXPECT_EQ(c.make("other", "10.10.0.0/20", true).error().code, Code::kUnsupported);
  EXPECT_TRUE(c.make("plain", "10.11.0.0/20"));
}

TEST_F(AgentTest, PacketsOfTunnelsAreTakenFromTheHostsOfTheClusterOnly) {
  ASSERT_TRUE(a_.make("shop", "10.9.0.0/20"));
  const auto guarded = [&](const std::string& set) {
    const auto elements = a_.fake.firewall.elements(set);
    return elements ? elements->size() : 0U;
  };
  EXPECT_TRUE(eventually([&] { return guarded("tunnel_hosts_v4") == 1; })) << "host b";
  {
    TestHost c(shared_, 3);
    EXPECT_TRUE(eventually([&] { return guarded("tunnel_hosts_v4") == 2; }));
  }
  ASSERT_TRUE(a_.fake.service->reconcile());
  EXPECT_EQ(guarded("tunnel_hosts_v4"), 2U) << "a host that left may still have containers";
}

TEST_F(AgentTest, ContainersAreKeptFromTheTunnelsBeforeTheirHostHasJoined) {
  shared_.is_reachable = false;
  TestHost lonely(shared_, 3);
  ASSERT_TRUE(lonely.fake.service->create_network({.name = NetworkName::parse("plain").value()}));
  EXPECT_FALSE(lonely.agent->status().joined);
  const auto ports = lonely.fake.firewall.elements("tunnel_ports");
  ASSERT_TRUE(ports) << ports.error().text;
  EXPECT_EQ(ports->size(), 1U);
  shared_.is_reachable = true;
}

TEST_F(AgentTest, DockerAsksForThePoolBeforeTheNetwork) {
  const auto name = NetworkName::parse("shop").value();
  const auto pool = a_.fake.core->pools().request_pool({.join = name});
  ASSERT_TRUE(pool) << pool.error().text;
  ASSERT_TRUE(a_.fake.core->pools().request_address(pool->id, std::nullopt, AddressUse::kGateway));
  ASSERT_TRUE(a_.make("shop", pool->subnet.to_string()));
  const auto first =
      a_.fake.core->pools().request_address(pool->id, std::nullopt, AddressUse::kEndpoint);
  ASSERT_TRUE(first) << first.error().text;
  const auto same = b_.fake.core->pools().request_pool({.join = name});
  ASSERT_TRUE(same) << same.error().text;
  EXPECT_EQ(same->subnet, pool->subnet);
  EXPECT_EQ(same->gateway, pool->subnet.first().plus(1));
  ASSERT_TRUE(b_.make("shop", same->subnet.to_string()));
  const auto second =
      b_.fake.core->pools().request_address(same->id, std::nullopt, AddressUse::kEndpoint);
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_NE(first->address(), second->address());
  EXPECT_TRUE(a_.fake.core->pools().release_address(pool->id, first->address()));
}

}  // namespace
}  // namespace fairlead::network
