// Whatever fails under a verb, it leaves nothing half done, and the same verb succeeds afterwards:
// over links, a firewall and a store in memory that fail on demand.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/hash.h"
#include "base/lock.h"
#include "network/drivers/registry.h"
#include "network/service/network_service.h"
#include "tests/support/failing_store.h"
#include "tests/support/fake_firewall.h"
#include "tests/support/fake_links.h"
#include "tests/support/fake_tunnels.h"

namespace fairlead::testing {
namespace {

class NoConntrack : public kernel::Conntrack {
 public:
  Result<std::size_t> forget(std::span<const kernel::FlowFilter>) override { return 0U; }
};

class AllPortsFree : public kernel::HostPorts {
 public:
  Status check_free(std::uint8_t, std::optional<IpAddress>, std::uint16_t) override { return {}; }
  std::pair<std::uint16_t, std::uint16_t> ephemeral_range() override { return {32768, 60999}; }
};

class NoOtherFirewall : public kernel::ForeignFirewall {
 public:
  Result<std::vector<std::string>> admit(const std::vector<IfName>&) override {
    return std::vector<std::string>();
  }
  Status withdraw() override { return {}; }
};

class Failures : public ::testing::Test {
 protected:
  static constexpr int kNetns = 1'000'000;  // no open descriptor: FakeLinks knows it by its number

  Failures() {
    service_ = network::make_network_service({.store = store_,
                                              .locks = locks_,
                                              .drivers = drivers_,
                                              .links = links_,
                                              .firewall = firewall_,
                                              .conntrack = conntrack_,
                                              .host_ports = ports_,
                                              .foreign_firewall = foreign_,
                                              .boot_id = "boot-1",
                                              .unix_time = [] { return 1'800'000'000LL; }});
  }
  ~Failures() override {
    service_.reset();
    std::filesystem::remove_all(folder_);
  }

  Status create() {
    network::NetworkSpec spec{.name = NetworkName::parse("shop").value()};
    spec.subnets.push_back({.subnet = Cidr::parse("10.20.0.0/24").value()});
    return service_->create_network(spec).map([](const auto&) {});
  }
  Status attach() {
    network::EndpointSpec spec{.network = {"shop"},
                               .id = network::endpoint_id("web", "eth0"),
                               .container = "web",
                               .runtime = "test"};
    spec.ports.push_back({.host_port = 8080, .container_port = 80});
    spec.rates = network::Rates{.in_bits = 1'000'000, .out_bits = 1'000'000};
    return service_
        ->attach(spec, network::IntoNetns{.fd = kNetns, .ifname = IfName::parse("eth0").value()})
        .map([](const auto&) {});
  }
  Status detach() {
    return service_->remove_endpoint({{"shop"}, network::endpoint_id("web", "eth0")});
  }
  Status remove() { return service_->remove_network({"shop"}); }

  // Everything there is, as text. The next-fit cursors of addresses and ports may move.
  std::string world() {
    std::string text;
    const auto records = store_.list("", "", 0);
    for (const auto& record : *records)
      if (!record.key.starts_with("pool-guard") && !record.key.starts_with("port-cursor") &&
          !record.key.starts_with("cursor/"))
        text += record.key + "\n";
    const auto links = links_.list();
    for (const auto& link : *links) text += "link " + link.name + "\n";
    for (const char* set : {"published_v4", "published_v6", "published_any_v4", "published_any_v6"})
      if (const auto elements = firewall_.elements(set))
        text += fmt::format("{} {}\n", set, elements->size());
    return text;
  }

  // Fails the n-th commit of `verb`, for every n that it has, before and after the commit was
  // applied: each time nothing is left of it, or all of it, and the verb succeeds when it is done
  // again.
  template <class Verb, class Undo>
  void at_every_commit(Verb verb, Undo undo) {
    for (const auto when : {FailingStore::When::kBefore, FailingStore::When::kAfter})
      for (int nth = 1;; ++nth) {
        const std::string before = world();
        store_.fail_commit(nth, when);
        const auto done = verb();
        const bool had_its_turn = !store_.is_waiting();
        store_.heal();
        if (!had_its_turn) {
          ASSERT_TRUE(done) << done.error().text;
          ASSERT_TRUE(undo());
          break;
        }
        if (!done && when == FailingStore::When::kBefore) {
          EXPECT_EQ(world(), before) << "commit " << nth;
        }
        const auto again = verb();
        ASSERT_TRUE(again || again.error().code == Code::kExists) << again.error().text;
        ASSERT_TRUE(undo());
        ASSERT_EQ(world(), before) << "commit " << nth;
        ASSERT_LT(nth, 50);
      }
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("fairlead-test-" + random_hex(8));
  FailingStore store_;
  NamedLocks locks_{folder_.string()};
  FakeLinks links_;
  FakeTunnels tunnels_{links_};
  FakeFirewall firewall_;
  NoConntrack conntrack_;
  AllPortsFree ports_;
  NoOtherFirewall foreign_;
  network::Drivers drivers_ = network::make_drivers(links_, tunnels_);
  std::unique_ptr<network::CoreNetworkService> service_;
};

TEST_F(Failures, ANetworkWhoseBridgeFailsIsNotThere) {
  const std::string before = world();
  links_.fail_next("ensure_bridge", {Code::kIo, EIO, "make a bridge: input/output error"});
  const auto created = create();
  ASSERT_FALSE(created);
  EXPECT_NE(created.error().text.find("input/output error"), std::string::npos);
  EXPECT_EQ(world(), before);
  EXPECT_TRUE(create());
}

TEST_F(Failures, AnAttachWhoseLinkFailsLeavesNothing) {
  ASSERT_TRUE(create());
  const std::string before = world();
  for (const char* verb : {"create_veth", "configure_container", "settle", "set_rates"}) {
    links_.fail_next(verb, {Code::kIo, EIO, "netlink: input/output error"});
    const int calls = links_.calls(verb);
    const auto attached = attach();
    ASSERT_GT(links_.calls(verb), calls) << verb;
    if (attached) {  // what is only for speed may fail
      EXPECT_STREQ(verb, "settle");
      ASSERT_TRUE(detach());
    }
    EXPECT_EQ(world(), before) << verb;
  }
  EXPECT_TRUE(attach());
}

TEST_F(Failures, AnAttachWhoseFirewallFailsLeavesNothing) {
  ASSERT_TRUE(create());
  const std::string before = world();
  firewall_.fail_with(Error{Code::kIo, EIO, "nftables: input/output error"});
  ASSERT_FALSE(attach());
  firewall_.fail_with(std::nullopt);
  EXPECT_EQ(world(), before);
  EXPECT_TRUE(attach());
}

TEST_F(Failures, ACreateWhoseStoreFailsAnywhere) {
  at_every_commit([this] { return create(); }, [this] { return remove(); });
}

TEST_F(Failures, AnAttachWhoseStoreFailsAnywhere) {
  ASSERT_TRUE(create());
  at_every_commit([this] { return attach(); }, [this] { return detach(); });
}

TEST_F(Failures, ADetachIsFinishedByTheNextOne) {
  ASSERT_TRUE(create());
  const std::string before = world();
  for (const auto when : {FailingStore::When::kBefore, FailingStore::When::kAfter})
    for (int nth = 1; nth < 50; ++nth) {
      ASSERT_TRUE(attach());
      store_.fail_commit(nth, when);
      (void)detach();
      const bool had_its_turn = !store_.is_waiting();
      store_.heal();
      ASSERT_TRUE(detach());
      ASSERT_EQ(world(), before) << "commit " << nth;
      if (!had_its_turn) break;
    }
}

TEST_F(Failures, ALinkThatCannotBeRemovedIsRemovedByTheNextDetach) {
  ASSERT_TRUE(create());
  const std::string before = world();
  ASSERT_TRUE(attach());
  links_.fail_next("remove", {Code::kIo, EIO, "remove a link: input/output error"});
  (void)detach();
  ASSERT_TRUE(detach());
  (void)service_->reconcile();
  EXPECT_EQ(world(), before);
}

}  // namespace
}  // namespace fairlead::testing
