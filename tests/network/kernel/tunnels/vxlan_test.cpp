// Tunnels as the kernel has them: what tests/conformance/tunnels cannot ask a fake.
#include "network/kernel/tunnels/vxlan.h"

#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <map>
#include <set>

#include "network/kernel/links/messages.h"
#include "network/kernel/links/parse.h"
#include "network/kernel/tunnels/vxlan_messages.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using kernel::EntryChanges;
using kernel::RemoteEntry;
using ::testing::HasSubstr;

class Vxlan : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    tunnels_ = must(kernel::open_netlink_tunnels());
    socket_ =
        std::make_unique<kernel::NetlinkSocket>(must(kernel::NetlinkSocket::open(NETLINK_ROUTE)));
    bridge_ = add_bridge("fl-one", {"10.9.0.1/16"}).index;
  }
  void TearDown() override {
    tunnels_.reset();
    socket_.reset();
    KernelFixture::TearDown();
  }
  kernel::VxlanSpec spec() {
    return {.name = device_,
            .vni = 42,
            .local = ip("203.0.113.2"),
            .mtu = 1450,
            .master = bridge_,
            .mac = MacAddress::from_hash("tunnel"),
            .alias = "fairlead shop"};
  }
  kernel::Tunnel ensure() { return must(tunnels_->ensure(spec())); }
  void request(kernel::NetlinkMessage message) {
    must(socket_->request(std::move(message), "a request of the test"));
  }
  kernel::LinkDetails details(const IfName& name) {
    std::optional<kernel::LinkDetails> found;
    must(socket_->request(kernel::get_link(name), "find", [&](const kernel::MessageView& message) {
      if (message.type == RTM_NEWLINK) found = kernel::parse_link(message.payload);
    }));
    return found.value();
  }
  // The ports to which the bridge sends what is for the MAC, by the flags of the entries (NTF_*).
  std::map<int, std::uint16_t> bridge_entries(int port, const MacAddress& mac) {
    std::map<int, std::uint16_t> states;
    must(socket_->dump(
        kernel::dump_forwarding(port), "list forwarding entries", [&] { states.clear(); },
        [&](const kernel::MessageView& message) {
          const auto entry = kernel::parse_neighbour(message.payload);
          if (entry && entry->mac == mac && (entry->flags & NTF_SELF) == 0)
            states[entry->ifindex] = entry->state;
        }));
    return states;
  }
  static std::vector<RemoteEntry> many(std::size_t count, const std::string& vtep) {
    std::vector<RemoteEntry> entries;
    for (std::size_t n = 0; n < count; ++n) {
      const IpAddress address = *ip("10.9.1.0").plus(n);
      entries.push_back({.ip = address, .mac = MacAddress::for_ip(address), .vtep = ip(vtep)});
    }
    return entries;
  }

  const IfName device_ = ifname("flx00002a");
  std::unique_ptr<kernel::Tunnels> tunnels_;
  std::unique_ptr<kernel::NetlinkSocket> socket_;
  int bridge_ = 0;
};

TEST_F(Vxlan, TheDeviceLearnsAndFloodsNothing) {
  ensure();
  const auto made = details(device_);
  ASSERT_TRUE(made.vxlan);
  EXPECT_EQ(made.vxlan->vni, 42U);
  EXPECT_EQ(made.vxlan->port, 4789);
  EXPECT_EQ(made.vxlan->local, ip("203.0.113.2"));
  EXPECT_EQ(made.vxlan->ttl, 64);
  EXPECT_EQ(made.vxlan->tos, 1);
  EXPECT_TRUE(made.vxlan->proxy);
  EXPECT_FALSE(made.vxlan->learning);
  EXPECT_FALSE(made.vxlan->bound);
  EXPECT_FALSE(made.vxlan->floods);
  EXPECT_EQ(made.port_flags, (kernel::PortFlags{.learning = false, .flood = true}));
  EXPECT_EQ(made.addr_gen_mode, IN6_ADDR_GEN_MODE_NONE);
  for (const Cidr& address : must(links().inspect(netns("host"), device_)).addresses)
    ADD_FAILURE() << address.to_string();
}

TEST_F(Vxlan, WhatSomebodyChangedIsMended) {
  const int index = ensure().index;
  kernel::NetlinkMessage learning = kernel::change_link(index);
  {
    const auto info = learning.nest(IFLA_LINKINFO);
    learning.put_text(IFLA_INFO_KIND, "vxlan");
    const auto data = learning.nest(IFLA_INFO_DATA);
    learning.put_u8(IFLA_VXLAN_LEARNING, 1).put_u8(IFLA_VXLAN_TTL, 3);
  }
  request(std::move(learning));
  must(links().set_port_flags(index, {}));
  EXPECT_TRUE(details(device_).vxlan->learning);
  EXPECT_FALSE(ensure().fresh);
  EXPECT_FALSE(details(device_).vxlan->learning);
  EXPECT_EQ(details(device_).vxlan->ttl, 64);
  EXPECT_EQ(details(device_).port_flags, (kernel::PortFlags{.learning = false, .flood = true}));
}

TEST_F(Vxlan, ADeviceThatWasDownIsFreshAndSyncFillsIt) {
  const int index = ensure().index;
  const auto wanted = many(10, "203.0.113.1");
  must(tunnels_->apply(device_, wanted, {}));
  request(kernel::change_link(index, kernel::LinkState::kDown));
  EXPECT_TRUE(ensure().fresh);
  EXPECT_EQ(must(tunnels_->sync(device_, wanted)).set, 10U);
  EXPECT_EQ(must(tunnels_->dump(device_)), wanted);
}

TEST_F(Vxlan, AVniThatWentAwayWithItsDeviceIsExplained) {
  const int index = ensure().index;
  kernel::NetlinkMessage away = kernel::change_link(index);
  away.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns("elsewhere")));
  request(std::move(away));
  const auto refused = tunnels_->ensure(spec());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_THAT(refused.error().text, HasSubstr("another network namespace"));
}

TEST_F(Vxlan, AFloodEntryOfSomebodyElsesIsSwept) {
  const int index = ensure().index;
  for (const char* host : {"203.0.113.8", "203.0.113.9"}) {
    kernel::NetlinkMessage flood(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND);
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    header.ndm_ifindex = index;
    header.ndm_state = NUD_PERMANENT | NUD_NOARP;
    header.ndm_flags = NTF_SELF;
    flood.put_struct(header).put(NDA_LLADDR, MacAddress().bytes()).put(NDA_DST, ip(host).bytes());
    request(std::move(flood));
  }
  EXPECT_EQ(must(tunnels_->sync(device_, {})).removed, 1U);
  EXPECT_EQ(must(tunnels_->sync(device_, {})).removed, 0U);
}

TEST_F(Vxlan, HalvesOfEntriesAreMadeWholeOrSwept) {
  const int index = ensure().index;
  const auto entries = many(3, "203.0.113.1");
  request(kernel::set_forwarding(index, entries[0].mac, entries[0].vtep));
  request(kernel::set_neighbour(index, entries[1].ip, entries[1].mac));
  request(kernel::set_neighbour(index, entries[2].ip, entries[2].mac));
  EXPECT_TRUE(must(tunnels_->dump(device_)).empty());
  const std::vector<RemoteEntry> wanted(entries.begin(), entries.begin() + 2);
  const EntryChanges changes = must(tunnels_->sync(device_, wanted));
  EXPECT_EQ(changes.set, 2U);
  EXPECT_EQ(changes.removed, 1U);
  EXPECT_EQ(must(tunnels_->dump(device_)), wanted);
}

TEST_F(Vxlan, APinIsStaticAndMovesBetweenPorts) {
  ensure();
  const auto a = attach("a", "fl-one", {"10.9.0.2/16"}), b = attach("b", "fl-one", {"10.9.0.3/16"});
  const MacAddress mac = MacAddress::from_hash("a container's");
  must(tunnels_->pin(a.host_name, mac));
  EXPECT_EQ(bridge_entries(a.host_index, mac).at(a.host_index), NUD_NOARP);
  must(tunnels_->pin(b.host_name, mac));
  EXPECT_TRUE(bridge_entries(a.host_index, mac).empty());
  EXPECT_EQ(bridge_entries(b.host_index, mac).at(b.host_index), NUD_NOARP);
}

TEST_F(Vxlan, TenThousandEntriesAreSetAndRemoved) {
  ensure();
  const auto entries = many(10'000, "203.0.113.1");
  const EntryChanges set = must(tunnels_->apply(device_, entries, {}));
  EXPECT_EQ(set.set, entries.size());
  EXPECT_TRUE(set.failures.empty());
  EXPECT_EQ(must(tunnels_->dump(device_)), entries);
  EXPECT_EQ(must(tunnels_->sync(device_, entries)).unchanged, entries.size());
  const EntryChanges removed = must(tunnels_->apply(device_, {}, entries));
  EXPECT_EQ(removed.removed, entries.size());
  EXPECT_TRUE(removed.failures.empty());
  EXPECT_TRUE(must(tunnels_->dump(device_)).empty());
}

TEST_F(Vxlan, EveryOneOfManyFailuresIsTold) {
  ensure();
  const auto bad = many(1'000, "2001:db8::1");  // not of the tunnel's family
  const EntryChanges changes = must(tunnels_->apply(device_, bad, {}));
  EXPECT_EQ(changes.set, 0U);
  ASSERT_EQ(changes.failures.size(), bad.size());
  std::set<RemoteEntry> told;
  for (const auto& failure : changes.failures) told.insert(failure.entry);
  EXPECT_EQ(told.size(), bad.size());
}

TEST_F(Vxlan, AnotherProgramsUdpPortIsExplained) {
  const auto taken = serve_udp("host", 4789, "0.0.0.0");
  const auto refused = tunnels_->ensure(spec());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("another program has UDP port 4789"));
  EXPECT_EQ(links().find(device_).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace fairlead::testing
