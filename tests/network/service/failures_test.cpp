// Whatever fails under a verb, it leaves nothing half done, and the same verb succeeds afterwards:
// over links, a firewall and a store in memory that fail on demand.
#include <gtest/gtest.h>

#include "network/nat/nat.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

class Failures : public ::testing::Test {
 protected:
  Failures() { host_.open(); }

  Status create() {
    network::NetworkSpec spec{.name = NetworkName::parse("shop").value()};
    spec.subnets.push_back({.subnet = Cidr::parse("10.20.0.0/24").value()});
    if (!bridge_.empty()) spec.options.bridge = IfName::parse(bridge_).value();
    return status_of(host_.service->create_network(spec));
  }
  Status attach() {
    network::EndpointSpec spec{.network = network::NetworkText{"shop"},
                               .id = network::endpoint_id("web", "eth0"),
                               .container = "web",
                               .runtime = "test"};
    if (is_published_) spec.ports = ports_;
    spec.rates = network::Rates{.in_bits = 1'000'000, .out_bits = 1'000'000};
    return status_of(host_.service->attach(
        spec, network::IntoNetns{.fd = FakeHost::kNetns, .ifname = IfName::parse("eth0").value()}));
  }
  Status publish() {
    return status_of(host_.service->publish(
        {network::NetworkText{"shop"}, network::endpoint_id("web", "eth0")}, ports_));
  }
  Status detach() {
    return host_.service->remove_endpoint(
        {network::NetworkText{"shop"}, network::endpoint_id("web", "eth0")});
  }
  Status remove() { return host_.service->remove_network(network::NetworkText{"shop"}); }

  // Everything there is, as text. The next-fit cursors of addresses and ports may move.
  std::string world() {
    std::string text;
    const auto records = store_.list("", "", 0);
    for (const auto& record : *records)
      if (!record.key.starts_with("pool-guard") && !record.key.starts_with("ula-prefix") &&
          !record.key.starts_with("port-cursor") && !record.key.starts_with("cursor/"))
        text += record.key + "\n";
    const auto links = links_.list();
    for (const auto& link : *links)
      text += fmt::format("link {}{}\n", link.name, link.route_localnet ? " with 127.0.0.1" : "");
    for (const char* set : {"published_v4", "published_v6", "published_any_v4", "published_any_v6"})
      if (const auto elements = firewall_.elements(set))
        text += fmt::format("{} {}\n", set, elements->size());
    for (const std::string_view set : nat::set_names(kernel::TableFamily::kBridge))
      if (const auto elements = host_.bridge_firewall.elements(set))
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

  FakeHost host_;
  FailingStore& store_ = host_.store;
  FakeLinks& links_ = host_.links;
  FakeFirewall& firewall_ = host_.firewall;
  std::string bridge_;  // of somebody else's
  bool is_published_ = true;
  const std::vector<network::PortSpec> ports_{{.host_port = 8080, .container_port = 80}};
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
  for (const char* verb : {"create_veth", "configure_container", "settle", "set_rates",
                           "guard_loopback", "set_route_localnet"}) {
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

TEST_F(Failures, AnAttachWhoseSendersFailLeavesNothing) {
  ASSERT_TRUE(create());
  const std::string before = world();
  host_.bridge_firewall.fail_with(Error{Code::kIo, EIO, "nftables: input/output error"});
  ASSERT_FALSE(attach());
  host_.bridge_firewall.fail_with(std::nullopt);
  EXPECT_EQ(world(), before);
  EXPECT_TRUE(attach());
}

// A kernel without CONFIG_NF_TABLES_BRIDGE.
TEST_F(Failures, WithoutATableOfBridgesContainersRunAndTheStatusTells) {
  host_.bridge_firewall.fail_with(Error{Code::kInvalid, 0, "Operation not supported"});
  ASSERT_TRUE(create());
  ASSERT_TRUE(attach());
  const auto status = host_.service->status();
  ASSERT_TRUE(status);
  ASSERT_EQ(status->problems.size(), 1U);
  EXPECT_NE(status->problems[0].find("not checked"), std::string::npos) << status->problems[0];
  EXPECT_EQ(firewall_.elements("published_any_v4")->size(), 1U);
  ASSERT_TRUE(host_.service->reconcile());
  EXPECT_EQ(host_.service->status()->problems.size(), 1U);
  // It was no lack of the kernel's, or its module is there now.
  host_.bridge_firewall.fail_with(std::nullopt);
  ASSERT_TRUE(host_.service->reconcile());
  EXPECT_TRUE(host_.service->status()->problems.empty());
  EXPECT_EQ(host_.bridge_firewall.elements("senders_v4")->size(), 1U);
  EXPECT_TRUE(detach());
  EXPECT_TRUE(remove());
}

TEST_F(Failures, WhatAContainerMaySendIsThereBeforeItsLink) {
  ASSERT_TRUE(create());
  std::size_t senders = 0;
  links_.fail_next("create_veth", {Code::kIo, EIO, "netlink: input/output error"});
  links_.before_next("create_veth", [&] {
    senders = host_.bridge_firewall.elements("senders_v4")->size() +
              firewall_.elements("published_any_v4")->size();
  });
  ASSERT_FALSE(attach());
  EXPECT_EQ(senders, 2U);
  EXPECT_EQ(host_.bridge_firewall.elements("senders_v4")->size(), 0U);
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

// Its neighbours would reach the host's 127.0.0.1 for good.
TEST_F(Failures, ABridgeOfSomebodyElsesIsAsItWasWhateverFails) {
  bridge_ = "br0";
  const int index = links_.put(
      {.name = bridge_, .kind = "bridge", .mac = MacAddress::from_hash("br0"), .up = true});
  const std::string empty = world();
  at_every_commit([this] { return create(); }, [this] { return remove(); });
  ASSERT_TRUE(create());
  EXPECT_TRUE(links_.keeps_mac(index));
  at_every_commit([this] { return attach(); }, [this] { return detach(); });
  for (const auto when : {FailingStore::When::kBefore, FailingStore::When::kAfter})
    for (int nth = 1; nth < 50; ++nth) {
      ASSERT_TRUE(attach());
      ASSERT_TRUE(links_.find(index)->route_localnet);
      store_.fail_commit(nth, when);
      (void)detach();
      const bool had_its_turn = !store_.is_waiting();
      store_.heal();
      ASSERT_TRUE(detach());
      ASSERT_TRUE(remove());
      ASSERT_EQ(world(), empty) << "commit " << nth;
      ASSERT_TRUE(create());
      if (!had_its_turn) break;
    }
}

TEST_F(Failures, APortThatCannotBePublishedLeavesNothingOpen) {
  bridge_ = "br0";
  const int index = links_.put(
      {.name = bridge_, .kind = "bridge", .mac = MacAddress::from_hash("br0"), .up = true});
  ASSERT_TRUE(create());
  is_published_ = false;
  ASSERT_TRUE(attach());
  const std::string before = world();
  firewall_.fail_with(Error{Code::kIo, EIO, "nftables: input/output error"});
  EXPECT_FALSE(publish());
  firewall_.fail_with(std::nullopt);
  EXPECT_FALSE(links_.find(index)->route_localnet);
  EXPECT_EQ(world(), before);
  EXPECT_TRUE(publish());
  EXPECT_TRUE(links_.find(index)->route_localnet);
}

TEST_F(Failures, ALinkThatCannotBeRemovedIsRemovedByTheNextDetach) {
  ASSERT_TRUE(create());
  const std::string before = world();
  ASSERT_TRUE(attach());
  links_.fail_next("remove", {Code::kIo, EIO, "remove a link: input/output error"});
  (void)detach();
  ASSERT_TRUE(detach());
  (void)host_.service->reconcile();
  EXPECT_EQ(world(), before);
}

}  // namespace
}  // namespace fairlead::testing
