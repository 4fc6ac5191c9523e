// Two stores and one kernel: what the one made is never taken for a leftover by the other.
#include "network/service/ownership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/nat/nat.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

using network::find_mark;
using network::store_mark;
using network::StoreMark;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(StoreMarkTest, IsFoundAtTheEndOfWhatCarriesIt) {
  const StoreMark mark = store_mark("1f2e3d4c", "/var/lib/fairlead");
  EXPECT_EQ(find_mark(mark.after("fairlead shop")), mark);
  EXPECT_EQ(find_mark(mark.after("fairlead store")), mark);  // a network of that name
  EXPECT_EQ(find_mark(nat::table_comment(mark)), mark);
  EXPECT_EQ(StoreMark().after("fairlead shop"), "fairlead shop");
  for (const char* text : {"", "fairlead shop", "fairlead store", "x store 1f2e3d4c", " store /",
                           "x store 1f2e3d4c/9a8b7c6d", "x store 1F2E3D4C/9a8b7c6d /x"})
    EXPECT_FALSE(find_mark(text)) << text;
}

TEST(StoreMarkTest, HasRoomInACommentAndInAnAliasWhateverTheFolderIsCalled) {
  const StoreMark mark =
      store_mark("1f2e3d4c", "/" + std::string(300, 'x') + "/a \"folder\" store \n\\");
  EXPECT_LE(nat::table_comment(mark).size(), 127U);  // NFTNL_UDATA_COMMENT_MAXLEN
  EXPECT_LE(mark.after("fairlead " + std::string(128, 'n')).size(), 255U);  // IFALIASZ
  EXPECT_EQ(mark.text().find_first_of("\"\\\n"), std::string::npos);
  EXPECT_EQ(find_mark(mark.after("fairlead shop")), mark);
}

TEST(StoreMarkTest, AMovedAndAReplacedStoreOwnWhatWasThereBefore) {
  const StoreMark mark = store_mark("1f2e3d4c", "/var/lib/fairlead");
  EXPECT_TRUE(mark.owns(store_mark("1f2e3d4c", "/srv/fairlead")));
  EXPECT_TRUE(mark.owns(store_mark("00000000", "/var/lib/fairlead")));
  EXPECT_FALSE(mark.owns(store_mark("00000000", "/srv/fairlead")));
  // Told apart though what is shown of them is the same.
  const std::string long_end = "/" + std::string(100, 'x');
  EXPECT_FALSE(
      store_mark("11111111", "/a" + long_end).owns(store_mark("22222222", "/b" + long_end)));
}

TEST(StoreMarkTest, TheNumberIsMadeOnce) {
  FailingStore store;
  const auto first = network::load_store_mark(store, "/a");
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_EQ(first->store.size(), 8U);
  EXPECT_EQ(network::load_store_mark(store, "/a").value(), *first);
  EXPECT_EQ(network::load_store_mark(store, "/b")->store, first->store);
}

// A full disk is not in the way of the verbs that make room.
TEST(StoreMarkTest, AStoreThatCannotBeWrittenIsKnownByItsFolder) {
  FailingStore store;
  store.fail_commit(1, FailingStore::When::kBefore);
  const auto mark = network::load_store_mark(store, "/a");
  ASSERT_TRUE(mark) << mark.error().text;
  EXPECT_TRUE(mark->owns(store_mark("00000000", "/a")));
}

class TwoStores : public ::testing::Test {
 protected:
  TwoStores() {
    host_.mark = store_mark("aaaaaaaa", "/var/lib/fairlead");
    host_.open();
    open_other(store_mark("bbbbbbbb", "/tmp/x"));
  }

  void open_other(const StoreMark& mark) {
    other_drivers_ = network::make_drivers({host_.links, host_.tunnels, "boot-1", {}, mark});
    other_core_ = network::make_network_service({.store = other_store_,
                                                 .locks = other_locks_,
                                                 .drivers = other_drivers_,
                                                 .links = host_.links,
                                                 .firewall = host_.firewall,
                                                 .bridge_firewall = host_.bridge_firewall,
                                                 .conntrack = host_.conntrack,
                                                 .host_ports = host_.ports,
                                                 .foreign_firewall = host_.foreign,
                                                 .boot_id = other_boot_,
                                                 .unix_time = [] { return 1'800'000'000LL; },
                                                 .mark = mark});
    other_ = &other_core_->networks();
  }
  void create(network::NetworkService& service, const std::string& name,
              const std::string& subnet) {
    network::NetworkSpec spec{.name = NetworkName::parse(name).value()};
    spec.subnets.push_back({.subnet = Cidr::parse(subnet).value()});
    const auto made = service.create_network(spec);
    ASSERT_TRUE(made) << made.error().text;
  }
  Status attach(network::NetworkService& service, const std::string& network) {
    network::EndpointSpec spec{.network = network::NetworkText{network},
                               .id = network::endpoint_id("web", "eth0"),
                               .container = "web",
                               .runtime = "test"};
    spec.ports.push_back({.host_port = 8080, .container_port = 80});
    return status_of(service.attach(
        spec, network::IntoNetns{.fd = FakeHost::kNetns, .ifname = IfName::parse("eth0").value()}));
  }
  // The kernel's objects, as text.
  std::string kernel() {
    std::string text;
    const auto links = host_.links.list();
    for (const auto& link : *links) text += fmt::format("{} {}\n", link.name, link.alias);
    return text + host_.firewall.comment().value().value_or("no table") + "\n" +
           fmt::format("{} texts, {} transactions", host_.firewall.texts().size(),
                       host_.firewall.transactions());
  }
  static std::string refusal(const Status& status) { return status ? "" : status.error().text; }
  static Status done(const Result<network::ReconcileReport>& report) { return status_of(report); }

  FakeHost host_;
  FailingStore other_store_;
  NamedLocks other_locks_{(host_.folder / "other").string()};
  std::string other_boot_ = "boot-1";
  network::Drivers other_drivers_;
  std::unique_ptr<network::CoreNetworkService> other_core_;
  network::NetworkService* other_ = nullptr;
};

TEST_F(TwoStores, WhatIsMadeSaysWhoseItIs) {
  create(*host_.service, "shop", "10.20.0.0/24");
  EXPECT_THAT(kernel(), HasSubstr("fairlead shop store aaaaaaaa/"));
  EXPECT_THAT(*host_.firewall.comment().value(), EndsWith(host_.mark.text()));
}

TEST_F(TwoStores, TheOtherOneIsRefusedAndTouchesNothing) {
  create(*host_.service, "shop", "10.20.0.0/24");
  ASSERT_TRUE(attach(*host_.service, "shop"));
  const std::string before = kernel();
  EXPECT_THAT(refusal(done(other_->reconcile())),
              AllOf(HasSubstr("/var/lib/fairlead (aaaaaaaa)"), HasSubstr("/tmp/x (bbbbbbbb)")));
  network::NetworkSpec lab{.name = NetworkName::parse("lab").value()};
  EXPECT_THAT(refusal(status_of(other_->create_network(lab))), HasSubstr("/var/lib/fairlead"));
  EXPECT_EQ(kernel(), before);
  EXPECT_TRUE(other_->list_networks()->empty());
  EXPECT_THAT(other_->status()->problems, ::testing::ElementsAre(HasSubstr("/var/lib/fairlead")));
  EXPECT_TRUE(host_.service->status()->problems.empty());
}

// What stays after the last network keeps the host from routing strangers.
TEST_F(TwoStores, ATableWithoutNetworksIsNoOwner) {
  ASSERT_TRUE(host_.firewall.run(nat::render({.host = {.not_routed = {Family::kV4}}}, host_.mark)));
  create(*other_, "lab", "10.21.0.0/24");
  EXPECT_THAT(*host_.firewall.comment().value(), HasSubstr("bbbbbbbb"));
}

TEST_F(TwoStores, SoItIsWhileTheTableIsGone) {
  create(*host_.service, "shop", "10.20.0.0/24");
  host_.firewall.flush();
  const std::string before = kernel();
  EXPECT_THAT(refusal(done(other_->reconcile())), HasSubstr("/var/lib/fairlead"));
  EXPECT_EQ(kernel(), before);
  EXPECT_TRUE(host_.service->reconcile());
  EXPECT_THAT(*host_.firewall.comment().value(), EndsWith(host_.mark.text()));
}

TEST_F(TwoStores, TheOtherOneTakesOverWhenNothingIsLeft) {
  create(*host_.service, "shop", "10.20.0.0/24");
  ASSERT_TRUE(host_.service->remove_network(network::NetworkText{"shop"}));
  EXPECT_TRUE(other_->reconcile());
  create(*other_, "lab", "10.21.0.0/24");
  EXPECT_THAT(refusal(done(host_.service->reconcile())), HasSubstr("/tmp/x"));
}

// After a reboot the kernel is empty, and both stores have records: the first one has the host.
TEST_F(TwoStores, RecordsOfAnEarlierBootDoNotTouchTheNewOwner) {
  create(*other_, "lab", "10.21.0.0/24");
  ASSERT_TRUE(attach(*other_, "lab"));
  other_boot_ = "boot-2";
  open_other(store_mark("bbbbbbbb", "/tmp/x"));
  host_.firewall.flush();
  const auto links = host_.links.list();
  for (const auto& link : *links)
    if (link.name.starts_with("fl")) {
      ASSERT_TRUE(host_.links.remove(IfName::parse(link.name).value()));
    }
  create(*host_.service, "shop", "10.20.0.0/24");
  ASSERT_TRUE(attach(*host_.service, "shop"));
  const std::string before = kernel();
  EXPECT_THAT(refusal(attach(*other_, "lab")), HasSubstr("/var/lib/fairlead"));
  // What takes away goes through: there is nothing in the kernel to take away.
  EXPECT_TRUE(
      other_->remove_endpoint({network::NetworkText{"lab"}, network::endpoint_id("web", "eth0")}));
  EXPECT_TRUE(other_->remove_network(network::NetworkText{"lab"}));
  EXPECT_EQ(kernel(), before);
}

TEST_F(TwoStores, ALostStoreIsReplacedByTheNextOneInItsFolder) {
  create(*host_.service, "shop", "10.20.0.0/24");
  open_other(store_mark("cccccccc", "/var/lib/fairlead"));
  const auto report = other_->reconcile();
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_THAT(report->actions, ::testing::Contains(HasSubstr("which no record names")));
  EXPECT_FALSE(host_.firewall.comment().value());
}

// Of a version that made no marks: whoever has the records adopts them.
TEST_F(TwoStores, WhatHasNoMarkIsAdoptedByTheStoreThatHasTheRecords) {
  const StoreMark mark = host_.mark;
  host_.mark = {};
  host_.open();
  create(*host_.service, "shop", "10.20.0.0/24");
  host_.mark = mark;
  host_.open();
  ASSERT_TRUE(host_.service->reconcile());
  EXPECT_THAT(kernel(), HasSubstr("fairlead shop store aaaaaaaa/"));
  EXPECT_THAT(*host_.firewall.comment().value(), EndsWith(mark.text()));
}

TEST_F(TwoStores, LinksWithoutAMarkStayBesideThoseOfAnotherStore) {
  create(*host_.service, "shop", "10.20.0.0/24");
  host_.links.put({.name = "flh0123456789ab", .kind = "veth"});
  host_.links.put({.name = "fl-old",
                   .kind = "bridge",
                   .alias = store_mark("bbbbbbbb", "/tmp/x").after("fairlead lab")});
  ASSERT_TRUE(host_.service->reconcile());
  EXPECT_THAT(kernel(), AllOf(HasSubstr("flh0123456789ab"), HasSubstr("fl-old")));
}

TEST_F(TwoStores, AloneLinksWithoutARecordGo) {
  create(*host_.service, "shop", "10.20.0.0/24");
  host_.links.put({.name = "flh0123456789ab", .kind = "veth"});
  host_.links.put({.name = "fl-old", .kind = "bridge", .alias = "fairlead lab"});
  ASSERT_TRUE(host_.service->reconcile());
  EXPECT_THAT(kernel(),
              ::testing::Not(::testing::AnyOf(HasSubstr("flh0123456789ab"), HasSubstr("fl-old"))));
}

}  // namespace
}  // namespace fairlead::testing
