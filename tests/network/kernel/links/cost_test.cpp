// What each step of an attach costs, printed for a person; nothing here fails because it is slow.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

class Stopwatch {
 public:
  explicit Stopwatch(std::string name) : name_(std::move(name)) {}
  template <class Work>
  auto time(const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    auto result = work();
    microseconds_.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
    return result;
  }
  void print() {
    std::ranges::sort(microseconds_);
    const auto at = [&](double part) {
      return microseconds_[static_cast<std::size_t>(part *
                                                    static_cast<double>(microseconds_.size() - 1))];
    };
    std::cout << fmt::format("{:<44} min {:8.1f}  median {:8.1f}  p90 {:8.1f} us\n", name_, at(0),
                             at(0.5), at(0.9));
  }

 private:
  std::string name_;
  std::vector<double> microseconds_;
};

class LinksCost : public KernelFixture {
 protected:
  void measure(const std::string& what, bool ipv6, bool finish, int rounds = 60);
  kernel::Link bridge_;
};

void LinksCost::measure(const std::string& what, bool ipv6, bool finish, int rounds) {
  Stopwatch create(what + ": create_veth"), configure(what + ": configure_container"),
      remove(what + ": remove"), announce(what + ": announce");
  kernel::ContainerSpec container{
      .netns_fd = netns("web"),
      .name = ifname("eth0"),
      .addresses = {cidr("10.1.0.2/16")},
      .routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("10.1.0.1")}}};
  if (ipv6) {
    container.addresses.push_back(cidr("fd00:1::2/64"));
    container.routes.push_back({.destination = cidr("::/0"), .via = ip("fd00:1::1")});
  }
  const MacAddress mac = MacAddress::for_ip(ip("10.1.0.2"));
  for (int i = 0; i < rounds; ++i) {
    const auto veth = create.time([&] {
      return must(links().create_veth({.host_name = ifname("veth0"),
                                       .peer_name = ifname("eth0"),
                                       .peer_netns_fd = netns("web"),
                                       .peer_mac = mac,
                                       .master = bridge_.index}));
    });
    container.ifindex = veth.peer_index;
    EXPECT_TRUE(configure.time([&] { return links().configure_container(container); }));
    EXPECT_TRUE(
        announce.time([&] { return links().announce(bridge_.index, ip("10.1.0.2"), mac); }));
    EXPECT_TRUE(remove.time([&] { return links().remove(ifname("veth0")); }));
    if (finish) links().finish_removals();
  }
  for (Stopwatch* each : {&create, &configure, &announce, &remove}) each->print();
}

TEST_F(LinksCost, OfAnAttachOnAnEmptyBridge) {
  bridge_ = add_bridge("fl-one", {"10.1.0.1/16", "fd00:1::1/64"});
  measure("0 ports", false, true);
  measure("0 ports, IPv6 too", true, true);
  measure("0 ports, back to back", false, false);
}

TEST_F(LinksCost, OfAnAttachOnABridgeWith1000Ports) {
  bridge_ = add_bridge("fl-one", {"10.1.0.1/16"});
  netns("others");
  for (int i = 0; i < 1000; ++i) {
    const auto veth = must(links().create_veth({.host_name = ifname(fmt::format("o{}", i)),
                                                .peer_name = ifname(fmt::format("p{}", i)),
                                                .peer_netns_fd = netns("others"),
                                                .master = bridge_.index}));
    must(links().configure_container({.netns_fd = netns("others"),
                                      .ifindex = veth.peer_index,
                                      .name = ifname(fmt::format("p{}", i))}));
  }
  measure("1000 ports", false, true);
}

TEST_F(LinksCost, OfRemovalByAProcess) {
  bridge_ = add_bridge("fl-one", {"10.1.0.1/16"});
  const auto remover = must(kernel::open_netlink_links(kernel::RemovalMode::kProcess));
  Stopwatch remove("remove by a process");
  for (int i = 0; i < 30; ++i) {
    attach("web", "fl-one", {"10.1.0.2/16"});
    EXPECT_TRUE(remove.time([&] { return remover->remove(ifname(fmt::format("veth{}", i))); }));
    remover->finish_removals();
  }
  remove.print();
}

}  // namespace
}  // namespace fairlead::testing
