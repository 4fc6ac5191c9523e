// Packets of 127.0.0.0/8 on the wire, against bridges whose published ports answer on 127.0.0.1.
#include <gmock/gmock.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint16_t kPort = 9012;
constexpr const char* kNeighbour = "172.31.0.66";

// A UDP datagram to kPort in a frame with `tags` VLAN tags of VID 0, which the host ignores.
struct Frame {
  MacAddress to;
  std::string source = kNeighbour, destination = "127.0.0.1";
  unsigned tags = 0;
  char text = '?';

  std::vector<std::uint8_t> bytes() const {
    std::vector<std::uint8_t> frame(to.bytes().begin(), to.bytes().end());
    const auto append = [&](const auto& value) {
      const auto* data = reinterpret_cast<const std::uint8_t*>(&value);
      frame.insert(frame.end(), data, data + sizeof(value));
    };
    const MacAddress from = MacAddress::from_hash("the neighbour");
    frame.insert(frame.end(), from.bytes().begin(), from.bytes().end());
    for (unsigned tag = 0; tag < tags; ++tag) append(htonl(0x81000000));
    append(htons(ETHERTYPE_IP));
    iphdr header{};
    header.ihl = 5;
    header.version = 4;
    header.ttl = 64;
    header.protocol = IPPROTO_UDP;
    header.tot_len = htons(sizeof(iphdr) + sizeof(udphdr) + 1);
    std::memcpy(&header.saddr, ip(source).bytes().data(), sizeof(header.saddr));
    std::memcpy(&header.daddr, ip(destination).bytes().data(), sizeof(header.daddr));
    header.check = checksum(header);
    append(header);
    udphdr udp{};
    udp.source = htons(1111);
    udp.dest = htons(kPort);
    udp.len = htons(sizeof(udphdr) + 1);
    append(udp);
    frame.push_back(static_cast<std::uint8_t>(text));
    return frame;
  }

  static std::uint16_t checksum(const iphdr& header) {
    std::array<std::uint16_t, sizeof(iphdr) / 2> words{};
    std::memcpy(words.data(), &header, sizeof(header));
    std::uint32_t sum = 0;
    for (const std::uint16_t word : words) sum += word;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
  }
};

// A bridge "br-mine" of the administrator's, with a neighbour "lan" who can send any frame.
class LoopbackPackets : public ServiceWorld {
 protected:
  void SetUp() override {
    ServiceWorld::SetUp();
    if (IsSkipped()) return;
    run("ip link add br-mine type bridge && ip link set br-mine up && "
        "ip addr add 172.31.0.1/24 dev br-mine");
    for (const char* each : {"all", "br-mine"})
      set_sysctl("host", fmt::format("net/ipv4/conf/{}/rp_filter", each), "0");
    set_sysctl("host", "net/ipv4/conf/br-mine/accept_local", "1");  // sources in 127.0.0.0/8 too
    must(links().create_veth({.host_name = ifname("lan0"),
                              .peer_name = ifname("eth0"),
                              .peer_netns_fd = netns("lan"),
                              .master = must(links().find(ifname("br-mine"))).index}));
    in("lan", [] { run("ip link set eth0 up"); });
    must(links().settle(must(links().find(ifname("lan0"))).index));
    receiver_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(kPort), .sin_addr = {}};
    ASSERT_EQ(::bind(receiver_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  static void run(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  void join() {
    auto wanted = spec("shop", "10.20.0.0/24");
    wanted.options.bridge = ifname("br-mine");
    must(service_->create_network(wanted));
  }
  kernel::Link bridge() { return must(links().find(ifname("br-mine"))); }
  bool is_guarded() { return must(links().has_loopback_guard(bridge().index)); }
  void flush() { must(firewall_->run("flush ruleset")); }

  // Whether the host's service gets the frame of the neighbour before the next, harmless one.
  bool arrives(const Frame& frame) {
    in("lan", [&] {
      const UniqueFd sender(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
      send(sender.get(), frame);
      send(sender.get(), {.to = frame.to, .destination = "172.31.0.1", .text = '!'});
    });
    bool came = false;
    for (char text = 0; text != '!'; came = came || text == '?') {
      pollfd ready{.fd = receiver_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 2000) <= 0 || ::recv(receiver_.get(), &text, 1, 0) != 1)
        throw std::runtime_error("the harmless frame does not arrive");
    }
    return came;
  }
  static void send(int sender, const Frame& frame) {
    const auto bytes = frame.bytes();
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
    ASSERT_EQ(::sendto(sender, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to),
                       sizeof(to)),
              static_cast<ssize_t>(bytes.size()));
  }
  std::vector<Frame> attacks() {
    const MacAddress to = bridge().mac;
    std::vector<Frame> frames;
    for (const unsigned tags : {0U, 1U, 2U, 3U, 7U})
      for (const char* destination : {"127.0.0.1", "127.0.0.53"})
        frames.push_back({.to = to, .destination = destination, .tags = tags});
    frames.push_back({.to = to, .source = "127.0.0.1", .destination = "172.31.0.1"});
    frames.push_back({.to = to, .source = "127.0.0.1", .destination = "172.31.0.1", .tags = 2});
    return frames;
  }
  std::string describe(const Frame& frame) {
    return fmt::format("{} to {} behind {} tags", frame.source, frame.destination, frame.tags);
  }
  void expect_kept_out(const std::string& when) {
    for (const Frame& frame : attacks())
      EXPECT_FALSE(arrives(frame)) << describe(frame) << ' ' << when;
    EXPECT_TRUE(arrives({.to = bridge().mac, .destination = "172.31.0.1"})) << when;
    EXPECT_TRUE(arrives({.to = bridge().mac, .destination = "172.31.0.1", .tags = 1})) << when;
  }
  void expect_all_arrive(const std::string& when) {
    for (const Frame& frame : attacks())
      EXPECT_TRUE(arrives(frame)) << describe(frame) << ' ' << when;
  }

  UniqueFd receiver_;  // of the host, on all its addresses
};

TEST_F(LoopbackPackets, AreKeptOutOfABridgeWithoutTheFirewall) {
  expect_kept_out("before");
  join();
  must(attach_to("shop", "web", {port(8080, 80)}));
  ASSERT_TRUE(bridge().route_localnet);
  expect_kept_out("while a port is published");
  flush();  // and no daemon repairs it
  expect_kept_out("after the flush");
  must(links().unguard_loopback(bridge().index));
  expect_all_arrive("without the guard: the control");
  EXPECT_THAT(must(service_->reconcile()).actions, ::testing::Contains(HasSubstr("127.0.0.0/8")));
  flush();
  expect_kept_out("after the repair");
  must(service_->remove_endpoint(ref("shop", "web")));
  expect_kept_out("after the port is gone");
  EXPECT_FALSE(is_guarded());
}

TEST_F(LoopbackPackets, AreKeptOutWithBrNetfilterToo) {
  set_sysctl("host", "net/bridge/bridge-nf-call-iptables", "1");
  join();
  must(attach_to("shop", "web", {port(8080, 80)}));
  const auto server = serve_tcp("web", 80);
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.1", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.5", 8080)).server, "web");
  expect_kept_out("while a port is published");
  must(firewall_->run("flush chain inet fairlead translated"));
  EXPECT_FALSE(ask_tcp("host", "127.0.0.1", 8080))
      << "the control: the answer looks like an attack";
  flush();
  expect_kept_out("after the flush");
}

TEST_F(LoopbackPackets, AGuardLetsThePublishedPortAnswer) {
  join();
  must(attach_to("shop", "web", {port(8080, 80)}));
  const auto server = serve_tcp("web", 80);
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.1", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.5", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("outside", "203.0.113.2", 8080)).server, "web");
}

TEST_F(LoopbackPackets, AFilterThatIsLostOrAlteredIsPutBack) {
  join();
  must(attach_to("shop", "web", {port(8080, 80)}));
  for (const char* loss : {"tc filter del dev br-mine ingress", "tc qdisc del dev br-mine clsact",
                           "tc filter replace dev br-mine ingress pref 1 handle 0x7f000008 "
                           "protocol all bpf da bytecode '1,6 0 0 0'"}) {
    run(loss);
    EXPECT_FALSE(is_guarded()) << loss;
    const auto status = must(service_->status());
    EXPECT_THAT(status.problems, ElementsAre(HasSubstr("has no filter against packets")));
    EXPECT_THAT(must(core_->mender().mend({.settings = {"br-mine"}})).actions,
                ElementsAre(HasSubstr("127.0.0.0/8")));
    EXPECT_TRUE(is_guarded()) << loss;
    EXPECT_TRUE(bridge().route_localnet);
    EXPECT_THAT(must(service_->status()).problems, IsEmpty());
  }
}

TEST_F(LoopbackPackets, WhereAnotherFilterHasThePlaceNothingIsOpened) {
  join();
  run("tc qdisc add dev br-mine clsact");
  run("tc filter add dev br-mine ingress pref 1 protocol ip u32 match u32 0 0 classid 1:1");
  must(attach_to("shop", "web", {port(8080, 80)}));
  EXPECT_FALSE(bridge().route_localnet);
  const auto server = serve_tcp("web", 80);
  EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 8080));
  run("tc filter del dev br-mine ingress");
  must(service_->reconcile());
  EXPECT_TRUE(bridge().route_localnet);
  EXPECT_TRUE(is_guarded());
  // It comes later: the bridge is not left open.
  run("tc filter del dev br-mine ingress && "
      "tc filter add dev br-mine ingress pref 1 protocol ip u32 match u32 0 0 classid 1:1");
  must(service_->reconcile());
  EXPECT_FALSE(bridge().route_localnet);
}

TEST_F(LoopbackPackets, FiltersOfOthersStay) {
  join();
  run("tc qdisc add dev br-mine ingress && "
      "tc filter add dev br-mine ingress pref 7 protocol ip u32 match u32 0 0 classid 1:1");
  must(attach_to("shop", "web", {port(8080, 80)}));
  EXPECT_TRUE(is_guarded());
  must(service_->remove_endpoint(ref("shop", "web")));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_FALSE(is_guarded());
  run("tc filter show dev br-mine ingress | grep -q 'pref 7'");
}

}  // namespace
}  // namespace fairlead::testing
