// A directory keeps up with what the service commits: with the whole service over a store in memory, and with a feed
// that says what the test says.
#include "network/dns/follow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "base/state/store_changes.h"
#include "network/service/events.h"
#include "tests/network/dns/world.h"
#include "tests/support/fake_host.h"
#include "tests/support/mock_services.h"

namespace fairlead::dns {
namespace {

using ::testing::NiceMock;
using ::testing::Return;
using tests::ip;
using tests::query;

// A directory that can be waited for.
class WatchedDirectory : public Directory {
 public:
  Reply answer(const Query& query) override { return inner_->answer(query); }
  void put(Zone zone) override {
    inner_->put(std::move(zone));
    tell();
  }
  void put(Host host) override {
    inner_->put(std::move(host));
    tell();
  }
  void remove_zone(const std::string& network) override {
    inner_->remove_zone(network);
    tell();
  }
  void remove_host(const std::string& network, const std::string& endpoint) override {
    inner_->remove_host(network, endpoint);
    tell();
  }
  void replace(std::vector<Zone> zones, std::vector<Host> hosts) override {
    inner_->replace(std::move(zones), std::move(hosts));
    ++replaced_;
    tell();
  }
  void on_places(std::vector<Place> places) {
    const std::scoped_lock hold(guard_);
    places_.push_back(std::move(places));
    changed_.notify_all();
  }

  std::string ask(const std::string& network, const std::string& name,
                  const std::string& client = "127.0.0.1") {
    const Message message = query(name);
    return tests::said(answer({.message = message, .client = ip(client), .network = network}));
  }
  // Whether it becomes true; it is looked at after every change.
  template <class Condition>
  bool becomes(Condition condition) {
    std::unique_lock hold(guard_);
    return changed_.wait_for(hold, std::chrono::seconds(20), condition);
  }
  bool says(const std::string& network, const std::string& name, const std::string& what) {
    if (becomes([&] { return ask(network, name) == what; })) return true;
    ADD_FAILURE() << name << " is " << ask(network, name) << " and not " << what;
    return false;
  }
  std::vector<std::vector<Place>> places() {
    const std::scoped_lock hold(guard_);
    return places_;
  }
  bool waits_for_places(std::size_t times) {
    return becomes([&] { return places_.size() >= times; });
  }
  int replaced() const { return replaced_; }

 private:
  void tell() {
    const std::scoped_lock hold(guard_);
    changed_.notify_all();
  }

  std::unique_ptr<Directory> inner_ = make_directory();
  std::mutex guard_;
  std::condition_variable changed_;
  std::vector<std::vector<Place>> places_;
  std::atomic<int> replaced_ = 0;
};

// ---- the service itself

class FollowServiceTest : public ::testing::Test {
 protected:
  FollowServiceTest() {
    host.open();
    changes = state::make_change_feed(host.store, {network::network_changes_in(host.store)});
  }
  void start() {
    follower = follow({.changes = *changes,
                       .service = *host.service,
                       .directory = directory,
                       .boot_id = "boot-1",
                       .on_places = [this](auto places) { directory.on_places(places); }});
  }

  std::string make(const std::string& name, const std::string& subnet, bool isolated = false) {
    network::NetworkSpec spec{.name = *NetworkName::parse(name)};
    spec.subnets.push_back({.subnet = *Cidr::parse(subnet)});
    spec.internal = isolated;
    if (isolated) spec.options.gateway_mode_v4 = network::GatewayMode::kIsolated;
    const auto made = host.service->create_network(spec);
    EXPECT_TRUE(made) << made.error().text;
    return made ? made->id : "";
  }
  network::EndpointSpec spec(const std::string& network, const std::string& container) {
    network::EndpointSpec spec{.network = network::NetworkText{network},
                               .id = network::endpoint_id(container, "eth0"),
                               .container = container,
                               .runtime = "test"};
    spec.names.name = container;
    return spec;
  }
  // Its address.
  std::string attach(const network::EndpointSpec& spec) {
    const auto attached = host.service->attach(
        spec, network::IntoNetns{.fd = testing::FakeHost::kNetns + ++containers,
                                 .ifname = *IfName::parse("eth0")});
    EXPECT_TRUE(attached) << attached.error().text;
    return attached ? attached->endpoint.addresses.at(0).address().to_string() : "";
  }
  void detach(const std::string& network, const std::string& container) {
    const Status done = host.service->remove_endpoint(
        {network::NetworkText{network}, network::endpoint_id(container, "eth0")});
    EXPECT_TRUE(done) << done.error().text;
  }

  testing::FakeHost host;
  std::unique_ptr<ChangeFeed> changes;
  WatchedDirectory directory;
  std::unique_ptr<Follower> follower;
  int containers = 0;
};

TEST_F(FollowServiceTest, WhatIsThereBefore) {
  const auto shop = make("shop", "10.1.0.0/24");
  const auto address = attach(spec("shop", "web"));
  start();
  EXPECT_TRUE(directory.says(shop, "web.shop", "A " + address));
  EXPECT_EQ(directory.replaced(), 1);
}

TEST_F(FollowServiceTest, WhatComesAndGoes) {
  start();
  const auto shop = make("shop", "10.1.0.0/24");
  EXPECT_TRUE(directory.says(shop, "web", "forward"));
  const auto address = attach(spec("shop", "web"));
  EXPECT_TRUE(directory.says(shop, "web", "A " + address));
  detach("shop", "web");
  EXPECT_TRUE(directory.says(shop, "web", "forward"));
  ASSERT_TRUE(host.service->remove_network(network::NetworkText{"shop"}));
  EXPECT_TRUE(directory.says(shop, "web", "SERVFAIL"));
  EXPECT_EQ(directory.replaced(), 1);
}

TEST_F(FollowServiceTest, AnEndpointThatHasNotJoinedHasNoName) {
  start();
  const auto shop = make("shop", "10.1.0.0/24");
  const auto made = host.service->create_endpoint(spec("shop", "web"));
  ASSERT_TRUE(made) << made.error().text;
  attach(spec("shop", "db"));
  EXPECT_TRUE(directory.becomes([&] { return directory.ask(shop, "db").starts_with("A "); }));
  EXPECT_EQ(directory.ask(shop, "web"), "forward");
  ASSERT_TRUE(host.service->join({network::NetworkId{shop}, made->id}, network::LeaveInHost{}));
  EXPECT_TRUE(directory.says(shop, "web", "A " + made->addresses[0].address().to_string()));
  ASSERT_TRUE(host.service->leave({network::NetworkId{shop}, made->id}));
  EXPECT_TRUE(directory.says(shop, "web", "forward"));
}

TEST_F(FollowServiceTest, NamesThatARuntimeTellsLater) {
  start();
  const auto shop = make("shop", "10.1.0.0/24");
  auto later = spec("shop", "0123456789abcdef0123456789abcdef");
  later.names = {};
  later.runtime = std::string(network::kNamedLater);
  const auto address = attach(later);
  EXPECT_TRUE(directory.says(shop, "0123456789ab", "A " + address));
  network::NamedEndpoint named{.network = shop, .endpoint = later.id, .container = later.container};
  named.names = {.name = "web", .service = "front"};
  ASSERT_TRUE(host.core->names().keep(std::vector{named}));
  EXPECT_TRUE(directory.says(shop, "front", "A " + address));
  EXPECT_EQ(directory.ask(shop, "web"), "A " + address);
  network::RuntimeNetwork runtime{.id = shop, .name = "shop_default"};
  ASSERT_TRUE(host.core->names().keep(std::vector{runtime}));
  EXPECT_TRUE(directory.says(shop, "web.shop_default", "A " + address));
}

TEST_F(FollowServiceTest, PortsAreServices) {
  start();
  const auto shop = make("shop", "10.1.0.0/24");
  attach(spec("shop", "web"));
  const auto srv = [&] {
    const Message message = query("_80._tcp.web", {.type = "SRV"});
    return tests::said(
        directory.answer({.message = message, .client = ip("10.1.0.1"), .network = shop}));
  };
  EXPECT_TRUE(directory.becomes([&] { return srv() == "NXDOMAIN by _tcp.web."; }));
  const network::EndpointRef ref{network::NetworkId{shop}, network::endpoint_id("web", "eth0")};
  const network::PortSpec port{.host_port = 8080, .container_port = 80};
  ASSERT_TRUE(host.service->publish(ref, std::vector{port}));
  EXPECT_TRUE(directory.becomes([&] { return srv() == "SRV 0 0 80 web.shop."; }));
  ASSERT_TRUE(host.service->unpublish(ref));
  EXPECT_TRUE(directory.becomes([&] { return srv() == "NXDOMAIN by _tcp.web."; }));
}

TEST_F(FollowServiceTest, PlacesAreToldWhenTheyAreOthers) {
  start();
  EXPECT_TRUE(directory.waits_for_places(1));
  const auto shop = make("shop", "10.1.0.0/24");
  EXPECT_TRUE(directory.says(shop, "web", "forward"));
  attach(spec("shop", "web"));
  const auto isolated = make("isolated", "10.2.0.0/24", true);
  EXPECT_TRUE(directory.says(isolated, "web", "NXDOMAIN by ."));
  ASSERT_TRUE(host.service->remove_network(network::NetworkText{"isolated"}));
  EXPECT_TRUE(directory.says(isolated, "web", "SERVFAIL"));
  detach("shop", "web");
  ASSERT_TRUE(host.service->remove_network(network::NetworkText{"shop"}));
  EXPECT_TRUE(directory.says(shop, "web", "SERVFAIL"));
  follower.reset();
  const std::vector<Place> one{{.network = shop, .address = ip("10.1.0.1")}};
  EXPECT_EQ(directory.places(), (std::vector<std::vector<Place>>{{}, one, {}}));
}

TEST_F(FollowServiceTest, EndpointsOfAnotherBootAreVoid) {
  const auto shop = make("shop", "10.1.0.0/24");
  attach(spec("shop", "web"));
  host.open_in("boot-2");
  follower = follow(
      {.changes = *changes, .service = *host.service, .directory = directory, .boot_id = "boot-2"});
  EXPECT_TRUE(directory.says(shop, "web", "forward"));
  const auto address = attach(spec("shop", "web"));
  EXPECT_TRUE(directory.says(shop, "web", "A " + address));
}

TEST_F(FollowServiceTest, ManyAtOnceAreAllThereInTheEnd) {
  start();
  const auto shop = make("shop", "10.1.0.0/24");
  for (int i = 0; i < 200; ++i) {
    attach(spec("shop", "c" + std::to_string(i)));
    if (i % 2 == 0) detach("shop", "c" + std::to_string(i));
  }
  EXPECT_TRUE(directory.becomes([&] {
    for (int i = 0; i < 200; ++i)
      if (directory.ask(shop, "c" + std::to_string(i)).starts_with("A ") != (i % 2 == 1))
        return false;
    return true;
  }));
}

// ---- a feed that the test has in its hands

class HandFeed : public ChangeFeed {
 public:
  Result<std::int64_t> revision() override {
    if (fails > 0 && fails-- > 0) return fail(Code::kIo, "read the store: input/output error");
    return 7;
  }
  Result<std::int64_t> revision_before(long long) override { return 0; }
  Result<std::unique_ptr<ChangeSubscription>> watch(
      std::int64_t after, std::function<void(const ChangeBatch&)> on_batch) override {
    EXPECT_EQ(after, 7);
    const std::scoped_lock hold(guard);
    callback = std::move(on_batch);
    ++watches;
    return std::make_unique<Subscription>(*this);
  }
  void tell(const ChangeBatch& batch) {
    const std::scoped_lock hold(guard);
    if (callback) callback(batch);
  }
  static Change endpoint(const std::string& id) {
    return {.kind = "endpoint", .action = "join", .id = id, .attributes = {{"network", "n"}}};
  }

  std::atomic<int> fails = 0, watches = 0;

 private:
  struct Subscription : ChangeSubscription {
    explicit Subscription(HandFeed& of) : feed(of) {}
    ~Subscription() override {
      const std::scoped_lock hold(feed.guard);
      feed.callback = nullptr;
    }
    HandFeed& feed;
  };
  std::mutex guard;
  std::function<void(const ChangeBatch&)> callback;
};

class FollowFeedTest : public ::testing::Test {
 protected:
  FollowFeedTest() {
    net.network = {.id = "n", .name = *NetworkName::parse("n")};
    net.network.phase = network::Phase::kReady;
    ON_CALL(service, list_networks).WillByDefault([this] {
      return Result<std::vector<network::NetworkUsage>>(std::vector{net});
    });
    ON_CALL(service, list_endpoints).WillByDefault([this](const auto&) {
      const std::scoped_lock hold(guard);
      std::vector<network::Endpoint> all;
      for (const auto& [id, endpoint] : endpoints) all.push_back(endpoint);
      if (on_list) on_list();
      return Result<std::vector<network::Endpoint>>(all);
    });
    ON_CALL(service, inspect_endpoint)
        .WillByDefault([this](const network::EndpointRef& ref) -> Result<network::Endpoint> {
          const std::scoped_lock hold(guard);
          ++inspected;
          if (broken == ref.id && times-- > 0) return fail(Code::kIo, "input/output error");
          const auto found = endpoints.find(ref.id);
          if (found == endpoints.end()) return fail(Code::kNotFound, "no such endpoint");
          return found->second;
        });
  }
  void start() {
    follower = follow({.changes = feed,
                       .service = service,
                       .directory = directory,
                       .boot_id = "b",
                       .on_places = {},
                       .retry = std::chrono::milliseconds(5)});
  }
  void set(const std::string& name, const std::string& address) {
    const std::scoped_lock hold(guard);
    network::Endpoint endpoint{.id = name, .network_id = "n", .container = name};
    endpoint.addresses = {*Cidr::parse(address + "/24")};
    endpoint.boot_id = "b";
    endpoint.phase = network::Phase::kReady;
    endpoint.joined = true;
    endpoints[name] = endpoint;
  }
  void gone(const std::string& name) {
    const std::scoped_lock hold(guard);
    endpoints.erase(name);
  }

  HandFeed feed;
  NiceMock<testing::MockNetworkService> service;
  network::NetworkUsage net;
  std::mutex guard;
  std::map<std::string, network::Endpoint> endpoints;
  std::function<void()> on_list;
  std::string broken;
  int times = 0, inspected = 0;
  WatchedDirectory directory;
  std::unique_ptr<Follower> follower;
};

TEST_F(FollowFeedTest, WhatChangesWhileItIsListedIsReadAgain) {
  set("web", "10.1.0.2");
  on_list = [this, once = true]() mutable {
    if (!std::exchange(once, false)) return;
    endpoints.at("web").addresses = {*Cidr::parse("10.1.0.9/24")};  // after the list was made
    feed.tell({.revision = 8, .changes = {HandFeed::endpoint("web")}});
  };
  start();
  EXPECT_TRUE(directory.says("n", "web", "A 10.1.0.9"));
}

TEST_F(FollowFeedTest, AfterALossAllIsReadAnew) {
  set("web", "10.1.0.2");
  set("old", "10.1.0.3");
  start();
  EXPECT_TRUE(directory.says("n", "old", "A 10.1.0.3"));
  set("web", "10.1.0.4");
  gone("old");
  feed.tell({.lost = true});
  EXPECT_TRUE(directory.says("n", "web", "A 10.1.0.4"));
  EXPECT_EQ(directory.ask("n", "old"), "forward");
  EXPECT_EQ(feed.watches, 2);
}

TEST_F(FollowFeedTest, TheBeginningIsTriedAgain) {
  feed.fails = 3;
  set("web", "10.1.0.2");
  start();
  EXPECT_TRUE(directory.says("n", "web", "A 10.1.0.2"));
}

TEST_F(FollowFeedTest, WhatCannotBeReadIsTriedAgainAndHoldsUpNobody) {
  start();
  EXPECT_TRUE(directory.becomes([&] { return directory.replaced() == 1; }));
  set("web", "10.1.0.2");
  set("db", "10.1.0.3");
  {
    const std::scoped_lock hold(guard);
    broken = "web";
    times = 1'000'000;
  }
  feed.tell({.revision = 8, .changes = {HandFeed::endpoint("web"), HandFeed::endpoint("db")}});
  EXPECT_TRUE(directory.says("n", "db", "A 10.1.0.3"));
  EXPECT_EQ(directory.ask("n", "web"), "forward");
  {
    const std::scoped_lock hold(guard);
    times = 0;
  }
  EXPECT_TRUE(directory.says("n", "web", "A 10.1.0.2"));
}

TEST_F(FollowFeedTest, ABurstOfOneEndpointIsReadOnceOrTwice) {
  start();
  EXPECT_TRUE(directory.becomes([&] { return directory.replaced() == 1; }));
  set("web", "10.1.0.2");
  ChangeBatch burst{.revision = 8};
  for (int i = 0; i < 1000; ++i) burst.changes.push_back(HandFeed::endpoint("web"));
  feed.tell(burst);
  EXPECT_TRUE(directory.says("n", "web", "A 10.1.0.2"));
  const std::scoped_lock hold(guard);
  EXPECT_EQ(inspected, 1);
}

TEST_F(FollowFeedTest, ChangesOfOthersAndWithoutANetworkAreNone) {
  start();
  EXPECT_TRUE(directory.becomes([&] { return directory.replaced() == 1; }));
  feed.tell({.revision = 8,
             .changes = {{.kind = "volume", .action = "create", .id = "v"},
                         {.kind = "endpoint", .action = "join", .id = "e"}}});
  set("web", "10.1.0.2");
  feed.tell({.revision = 9, .changes = {HandFeed::endpoint("web")}});
  EXPECT_TRUE(directory.says("n", "web", "A 10.1.0.2"));
  const std::scoped_lock hold(guard);
  EXPECT_EQ(inspected, 1);
}

TEST_F(FollowFeedTest, ItEndsWhileTheStoreCannotBeRead) {
  feed.fails = 1'000'000;
  start();
  follower.reset();
  EXPECT_EQ(directory.replaced(), 0);
}

// ---- places

network::Network with_gateways(const std::string& mode, std::vector<std::string> gateways) {
  network::Network network{.id = "n", .name = *NetworkName::parse("n")};
  network.options.mode = mode;
  network.links.shown["bridge"] = "fl-n";
  for (const std::string& gateway : gateways) network.name_servers.push_back(ip(gateway));
  return network;
}

TEST(Places, HaveAnInterfaceWhereTheAddressNeedsIt) {
  const auto places = [](const std::string& mode, std::vector<std::string> gateways) {
    return places_of(with_gateways(mode, std::move(gateways)));
  };
  EXPECT_EQ(places("bridge", {"10.0.0.1", "fd00::1"}),
            (std::vector<Place>{{"n", ip("10.0.0.1")}, {"n", ip("fd00::1")}}));
  EXPECT_EQ(places("bridge", {"fe80::1"}), (std::vector<Place>{{"n", ip("fe80::1"), "fl-n"}}));
  EXPECT_EQ(places("routed", {"169.254.1.1", "fe80::1"}),
            (std::vector<Place>{{"n", ip("169.254.1.1")}}));
  EXPECT_TRUE(places("macvlan", {}).empty());
  auto off = with_gateways("bridge", {"10.0.0.1"});
  off.options.dns = false;
  EXPECT_TRUE(places_of(off).empty());
}

}  // namespace
}  // namespace fairlead::dns
