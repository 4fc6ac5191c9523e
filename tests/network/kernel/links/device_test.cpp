// The life of devices, with dummy steps around real bridges: what differs between kinds is in their
// own tests.
#include "network/kernel/links/device.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <thread>

#include "network/kernel/links/messages.h"
#include "tests/network/kernel/links/links_fixture.h"

namespace fairlead::testing {
namespace {

using kernel::LinkDetails;

constexpr kernel::DeviceKind kBridge{
    .kind = "bridge", .noun = "trunk", .other = "no trunk", .advice = "; take another"};

class DeviceLife : public Links {
 protected:
  void SetUp() override {
    Links::SetUp();
    if (IsSkipped()) return;
    socket_ =
        std::make_unique<kernel::RouteSocket>(must(kernel::NetlinkSocket::open(NETLINK_ROUTE)));
    devices_ = std::make_unique<kernel::Devices>(*socket_, kBridge);
  }
  Status make(const std::string& name) {
    return socket_->request(kernel::create_bridge({.name = ifname(name), .mac = mac_}), "make");
  }
  kernel::DeviceSteps steps(const std::string& name) {
    return {.making = "make it",
            .fits = {},
            .make = [this, name] { return make(name); },
            .mend = [](const LinkDetails&) { return Status(); }};
  }

  MacAddress mac_ = must(MacAddress::parse("02:fa:00:00:00:01"));
  std::unique_ptr<kernel::RouteSocket> socket_;
  std::unique_ptr<kernel::Devices> devices_;
};

TEST_F(DeviceLife, IsMadeOnceAndCorrectedAlways) {
  int mended = 0;
  auto wanted = steps("fl-a");
  wanted.mend = [&](const LinkDetails& present) {
    EXPECT_EQ(present.link.name, "fl-a");
    ++mended;
    return Status();
  };
  const auto first = must(devices_->ensure(ifname("fl-a"), wanted));
  EXPECT_TRUE(first.made);
  const auto second = must(devices_->ensure(ifname("fl-a"), wanted));
  EXPECT_FALSE(second.made);
  EXPECT_EQ(second.link.link.index, first.link.link.index);
  EXPECT_EQ(mended, 2);
  EXPECT_EQ(must(devices_->expect(ifname("fl-a"))).link.index, first.link.link.index);
}

TEST_F(DeviceLife, OneThatDoesNotFitIsMadeAgain) {
  const auto first = must(devices_->ensure(ifname("fl-a"), steps("fl-a")));
  auto wanted = steps("fl-a");
  wanted.fits = [](const LinkDetails&) { return false; };
  const auto second = must(devices_->ensure(ifname("fl-a"), wanted));
  EXPECT_TRUE(second.made);
  EXPECT_NE(second.link.link.index, first.link.link.index);
}

TEST_F(DeviceLife, OnlyWhatWasMadeIsTakenAwayAfterAFailure) {
  auto wanted = steps("fl-a");
  wanted.mend = [](const LinkDetails&) -> Status { return fail(Code::kIo, "no luck"); };
  EXPECT_EQ(devices_->ensure(ifname("fl-a"), wanted).error().text, "no luck");
  EXPECT_FALSE(must(devices_->find(ifname("fl-a"))));
  must(make("fl-a"));
  EXPECT_EQ(devices_->ensure(ifname("fl-a"), wanted).error().text, "no luck");
  EXPECT_TRUE(must(devices_->find(ifname("fl-a"))));
}

TEST_F(DeviceLife, OneThatVanishesWhileItIsMadeIsSaid) {
  auto wanted = steps("fl-a");
  wanted.make = [] { return Status(); };
  const auto vanished = devices_->ensure(ifname("fl-a"), wanted);
  ASSERT_FALSE(vanished);
  EXPECT_EQ(vanished.error().code, Code::kConflict);
  EXPECT_EQ(vanished.error().text, "make it: somebody took it away");
}

TEST_F(DeviceLife, AnInterfaceOfAnotherKindIsLeftAlone) {
  must(links().create_veth(veth_spec("fl-v", "web")));
  const auto refused = [&](const auto& outcome, Code code, const std::string& text) {
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, code);
    EXPECT_EQ(outcome.error().text, text);
  };
  const std::string taken =
      "make trunk fl-v: there is an interface of that name which is no trunk but veth; take "
      "another";
  refused(devices_->ensure(ifname("fl-v"), steps("fl-v")), Code::kExists, taken);
  refused(devices_->find(ifname("fl-v")), Code::kExists, taken);
  refused(devices_->expect(ifname("fl-v")), Code::kInvalid,
          "find trunk fl-v: the interface of that name is no trunk");
  refused(devices_->remove(ifname("fl-v")), Code::kExists,
          "delete trunk fl-v: the interface of that name is no trunk");
  EXPECT_EQ(must(links().find(ifname("fl-v"))).kind, "veth");
  EXPECT_EQ(devices_->expect(ifname("fl-none")).error().code, Code::kNotFound);
}

TEST_F(DeviceLife, RemovalSucceedsWhenItIsGone) {
  must(make("fl-a"));
  must(devices_->remove(ifname("fl-a")));
  must(devices_->remove(ifname("fl-a")));
  EXPECT_FALSE(must(devices_->find(ifname("fl-a"))));
}

TEST_F(DeviceLife, OnlyTheSettingsThatDifferAreSent) {
  const kernel::Link present{.index = 7, .mac = mac_, .mtu = 1500, .master = 3, .alias = "one"};
  const auto sent = [&](const kernel::LinkSettings& wanted) {
    kernel::NetlinkMessage change = kernel::change_link(7);
    const auto before = change.bytes().size();
    const bool differs = put_difference(change, wanted, present);
    std::vector<int> types;
    for (const kernel::Attribute& each : kernel::Attributes(change.bytes().subspan(before)))
      types.push_back(each.type);
    EXPECT_EQ(differs, !types.empty());
    return types;
  };
  using Types = std::vector<int>;
  EXPECT_EQ(sent({.mtu = 1500, .alias = "one", .mac = mac_, .master = 3}), Types());
  EXPECT_EQ(sent({.mtu = 1500, .alias = "one"}), Types());
  EXPECT_EQ(sent({.mtu = 1400, .alias = "one"}), Types{IFLA_MTU});
  EXPECT_EQ(sent({.mtu = 1500, .alias = "", .master = 0}), (Types{IFLA_IFALIAS, IFLA_MASTER}));
  EXPECT_EQ(sent({.mtu = 1500, .alias = "one", .mac = MacAddress()}), Types{IFLA_ADDRESS});
}

TEST_F(DeviceLife, AUdpPortOfAnotherProgramIsNamed) {
  const auto taken = kernel::explain_taken_port(4789, fail_errno(EADDRINUSE, "set up"));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kInUse);
  EXPECT_TRUE(taken.error().text.ends_with(": another program has UDP port 4789"));
  EXPECT_EQ(kernel::explain_taken_port(4789, fail_errno(EPERM, "set up")).error().text,
            sys_error(EPERM, "set up").text);
  EXPECT_TRUE(kernel::explain_taken_port(4789, {}));
}

TEST_F(DeviceLife, ThreadsThatShareASocketGetTheirOwnAnswers) {
  constexpr int kRounds = 200;
  std::atomic<int> wrong = 0;
  {
    std::array<std::jthread, 4> threads;
    for (std::size_t n = 0; n < threads.size(); ++n) must(make(fmt::format("fl-{}", n)));
    for (std::size_t n = 0; n < threads.size(); ++n)
      threads.at(n) = std::jthread([this, n, &wrong] {
        const IfName name = ifname(fmt::format("fl-{}", n));
        for (int round = 0; round < kRounds; ++round) {
          const auto one = socket_->find(name, "find");
          if (!one || !*one || (*one)->link.name != name.str()) ++wrong;
          const auto all = socket_->list();
          if (!all || all->size() < 4) ++wrong;
        }
      });
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace fairlead::testing
