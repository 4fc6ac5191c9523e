#include "network/kernel/links/announce.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <numeric>
#include <span>

#include "network/kernel/host/netns.h"

namespace fairlead::kernel {

namespace {

using Frame = std::vector<std::uint8_t>;

void append(Frame& frame, std::span<const std::uint8_t> bytes) {
  frame.insert(frame.end(), bytes.begin(), bytes.end());
}
void append(Frame& frame, std::initializer_list<std::uint8_t> bytes) {
  frame.insert(frame.end(), bytes);
}
void append_u16(Frame& frame, unsigned value) {
  append(frame, {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

Frame arp_announcement(const IpAddress& address, const MacAddress& mac) {
  Frame frame(6, 0xff);
  append(frame, mac.bytes());
  append_u16(frame, ETHERTYPE_ARP);
  append_u16(frame, ARPHRD_ETHER);
  append_u16(frame, ETHERTYPE_IP);
  append(frame, {6, 4});
  append_u16(frame, ARPOP_REQUEST);
  append(frame, mac.bytes());
  append(frame, address.bytes());
  append(frame, {0, 0, 0, 0, 0, 0});
  append(frame, address.bytes());
  return frame;
}

// The checksum of RFC 1071 over the body and the pseudo header of RFC 8200, section 8.1.
std::uint16_t icmp6_checksum(std::span<const std::uint8_t> source,
                             std::span<const std::uint8_t> destination,
                             std::span<const std::uint8_t> body) {
  std::uint32_t sum = static_cast<std::uint32_t>(body.size()) + IPPROTO_ICMPV6;
  for (const auto part : {source, destination, body})
    for (std::size_t i = 0; i < part.size(); ++i) sum += i % 2 == 0 ? part[i] * 256U : part[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

Frame neighbour_advertisement(const IpAddress& address, const MacAddress& mac) {
  constexpr std::array<std::uint8_t, 16> kAllNodes{0xff, 0x02, 0, 0, 0, 0, 0, 0,
                                                   0,    0,    0, 0, 0, 0, 0, 1};
  constexpr std::uint8_t kOverride = 0x20, kHopLimit = 255;
  Frame body{ND_NEIGHBOR_ADVERT, 0, 0, 0, kOverride, 0, 0, 0};
  append(body, address.bytes());
  append(body, {ND_OPT_TARGET_LINKADDR, 1});
  append(body, mac.bytes());
  const std::uint16_t checksum = icmp6_checksum(address.bytes(), kAllNodes, body);
  body[2] = static_cast<std::uint8_t>(checksum >> 8);
  body[3] = static_cast<std::uint8_t>(checksum);

  Frame frame{0x33, 0x33, 0, 0, 0, 1};
  append(frame, mac.bytes());
  append_u16(frame, ETHERTYPE_IPV6);
  append(frame, {0x60, 0, 0, 0});
  append_u16(frame, static_cast<unsigned>(body.size()));
  append(frame, {IPPROTO_ICMPV6, kHopLimit});
  append(frame, address.bytes());
  append(frame, kAllNodes);
  append(frame, body);
  return frame;
}

}  // namespace

std::vector<std::uint8_t> announcement_frame(const IpAddress& address, const MacAddress& mac) {
  return address.is_v4() ? arp_announcement(address, mac) : neighbour_advertisement(address, mac);
}

Status Announcer::send(int link_index, const std::vector<std::uint8_t>& frame) {
  const std::lock_guard lock(mutex_);
  if (!socket_) {
    TRY_STATUS(in_netns(netns_fd_, [this]() -> Status {
      // Protocol 0: receives nothing.
      socket_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
      if (!socket_) return fail_errno(errno, "open a packet socket");
      return {};
    }));
  }
  sockaddr_ll target{};
  target.sll_family = AF_PACKET;
  target.sll_ifindex = link_index;
  target.sll_halen = 6;
  const auto* address = reinterpret_cast<const sockaddr*>(&target);
  if (::sendto(socket_.get(), frame.data(), frame.size(), 0, address, sizeof(target)) < 0)
    return fail_errno(errno, "send an announcement");
  return {};
}

}  // namespace fairlead::kernel
