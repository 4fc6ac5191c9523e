// Turns netlink bytes into values. Pure functions; any bytes are safe to read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "network/kernel/links.h"

namespace fairlead::kernel {

using Bytes = std::span<const std::uint8_t>;

// One attribute (struct nlattr): its type without the flag bits, and its payload. A payload that is
// too short for the number asked for reads as 0.
struct Attribute {
  std::uint16_t type = 0;
  Bytes data;

  std::uint8_t u8() const;
  std::uint16_t u16() const;
  std::uint32_t u32() const;
  int i32() const { return static_cast<int>(u32()); }
  std::string_view text() const;  // up to the first NUL
};

// The attributes in `bytes`, for range-for; iteration ends at the first malformed attribute.
class Attributes {
 public:
  explicit Attributes(Bytes bytes) : bytes_(bytes) {}

  class Iterator {
   public:
    explicit Iterator(Bytes rest) : rest_(rest) { read(); }
    const Attribute& operator*() const { return attribute_; }
    const Attribute* operator->() const { return &attribute_; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

   private:
    void read();
    Bytes rest_;
    std::size_t step_ = 0;
    Attribute attribute_;
  };
  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return Iterator(bytes_.last(0)); }
  // The first attribute of that type.
  std::optional<Attribute> find(std::uint16_t type) const;

 private:
  Bytes bytes_;
};

// One message (struct nlmsghdr) and the bytes after its header.
struct MessageView {
  std::uint16_t type = 0, flags = 0;
  std::uint32_t sequence = 0, port = 0;
  Bytes payload;
};

// Removes the first message from `bytes` and returns it; std::nullopt at the end, or when the next
// message is malformed.
std::optional<MessageView> take_message(Bytes& bytes);

// The content of NLMSG_ERROR and NLMSG_DONE: the errno (positive; 0 for an ack) and the kernel's
// explanation (NLMSGERR_ATTR_MSG).
struct Ack {
  int sys_errno = 0;
  std::string text;
};
std::optional<Ack> parse_ack(const MessageView& message);

// How a VXLAN device is configured (IFLA_VXLAN_*).
struct VxlanDetails {
  std::uint32_t vni = 0;
  std::uint16_t port = 0;
  std::optional<IpAddress> local;
  std::uint8_t ttl = 0, tos = 0;
  bool learning = false, proxy = false;
  bool bound = false;     // sends through one interface of the underlay only (IFLA_VXLAN_LINK)
  bool floods = false;    // sends unknown and broadcast packets to a default destination
  bool collects = false;  // takes the VNI from the packets' metadata
};

// RTM_NEWLINK, RTM_DELLINK.
struct LinkDetails {
  Link link;
  std::optional<VxlanDetails> vxlan;
  std::optional<PortFlags> port_flags;     // of bridge ports
  bool bridge_port_event = false;          // sent by the bridge about one of its ports (AF_BRIDGE)
  std::optional<bool> multicast_snooping;  // bridges
  std::optional<int> accept_ra;
  std::optional<std::uint8_t> addr_gen_mode;  // IN6_ADDR_GEN_MODE_*
};
std::optional<LinkDetails> parse_link(Bytes payload);

// RTM_NEWADDR.
struct AddressDetails {
  int ifindex = 0;
  Cidr address;  // with host bits, as configured
};
std::optional<AddressDetails> parse_address(Bytes payload);

// RTM_NEWROUTE.
struct RouteDetails {
  RouteSpec route;
  int ifindex = 0;            // of the first next hop; 0 = none
  std::uint8_t type = 0;      // RTN_*
  std::uint8_t protocol = 0;  // RTPROT_*
};
std::optional<RouteDetails> parse_route(Bytes payload);

// RTM_NEWNEIGH: a neighbour, or an entry of a forwarding database (AF_BRIDGE). In the latter `ip`
// is the remote VTEP, and the zero MAC is the entry for all MACs that have none.
struct NeighbourDetails {
  int ifindex = 0;
  std::uint8_t family = 0;  // AF_INET, AF_INET6, AF_BRIDGE
  std::uint8_t flags = 0;   // NTF_*
  std::uint16_t state = 0;  // NUD_*
  std::optional<IpAddress> ip;
  std::optional<MacAddress> mac;  // std::nullopt: none, or a multicast address
};
std::optional<NeighbourDetails> parse_neighbour(Bytes payload);

}  // namespace fairlead::kernel
