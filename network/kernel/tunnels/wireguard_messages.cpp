#include "network/kernel/tunnels/wireguard_messages.h"

#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "network/kernel/links/messages.h"

namespace fairlead::kernel {

namespace {

constexpr std::uint32_t kImpossibleMtu = 0xffffffff;
// The most addresses in one message: a nest has at most 64 KiB (struct nlattr).
constexpr std::size_t kAllowedIpsInAMessage = 1024;

// The generic netlink family requires the flag NLA_F_NESTED (net/netlink, nla_parse_nested).
NetlinkMessage::Nest nest(NetlinkMessage& message, int type) {
  return message.nest(type | NLA_F_NESTED);
}

NetlinkMessage generic_message(std::uint16_t family, int flags, std::uint8_t command,
                               std::uint8_t version) {
  NetlinkMessage message(family, flags);
  genlmsghdr header{};
  header.cmd = command;
  header.version = version;
  message.put_struct(header);
  return message;
}

NetlinkMessage device_message(std::uint16_t family, int index, std::uint8_t command) {
  NetlinkMessage message = generic_message(family, 0, command, WG_GENL_VERSION);
  message.put_u32(WGDEVICE_A_IFINDEX, static_cast<std::uint32_t>(index));
  return message;
}

void put_u16(NetlinkMessage& message, int type, std::uint16_t value) {
  message.put(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
}

template <class T>
Bytes bytes_of(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)};
}

void put_endpoint(NetlinkMessage& message, const UdpEndpoint& endpoint) {
  const auto address = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, address.data(), address.size());
    message.put(WGPEER_A_ENDPOINT, bytes_of(v4));
    return;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  std::memcpy(&v6.sin6_addr, address.data(), address.size());
  message.put(WGPEER_A_ENDPOINT, bytes_of(v6));
}

void put_allowed_ip(NetlinkMessage& message, const Cidr& address) {
  const auto item = nest(message, 0);
  put_u16(message, WGALLOWEDIP_A_FAMILY, address.is_v4() ? AF_INET : AF_INET6);
  message.put(WGALLOWEDIP_A_IPADDR, address.first().bytes())
      .put_u8(WGALLOWEDIP_A_CIDR_MASK, static_cast<std::uint8_t>(address.prefix_length()));
}

std::uint32_t flags_of(const PeerStep& step) {
  std::uint32_t flags = 0;
  if (step.verb == PeerStep::Verb::kRemove) flags |= WGPEER_F_REMOVE_ME;
  // Without this flag, changing a peer that was removed meanwhile would make an incomplete peer.
  if (step.verb == PeerStep::Verb::kChange) flags |= WGPEER_F_UPDATE_ONLY;
  if (step.replace_allowed_ips) flags |= WGPEER_F_REPLACE_ALLOWEDIPS;
  return flags;
}

void put_peer(NetlinkMessage& message, const PeerStep& step) {
  const auto peer = nest(message, 0);
  message.put(WGPEER_A_PUBLIC_KEY, step.key.bytes());
  if (const std::uint32_t flags = flags_of(step)) message.put_u32(WGPEER_A_FLAGS, flags);
  if (step.drop_preshared) message.put(WGPEER_A_PRESHARED_KEY, KeyBytes{});
  if (step.endpoint) put_endpoint(message, *step.endpoint);
  if (step.keepalive) put_u16(message, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, *step.keepalive);
  if (step.allowed_ips.empty()) return;
  const auto addresses = nest(message, WGPEER_A_ALLOWEDIPS);
  for (const Cidr& each : step.allowed_ips) put_allowed_ip(message, each);
}

// How many of the steps fit into the next message; at least one.
std::size_t fitting(std::span<const PeerStep> steps) {
  std::size_t count = 0, addresses = 0;
  for (const PeerStep& step : steps) {
    addresses += step.allowed_ips.size();
    if (count == kPeersInAMessage || (count > 0 && addresses > kAllowedIpsInAMessage)) break;
    ++count;
  }
  return count;
}

// ---- dumps

template <class T>
std::optional<T> read_struct(Bytes bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// The attributes after the header of generic netlink; std::nullopt when there is no such header.
std::optional<Attributes> attributes_of(Bytes payload) {
  if (payload.size() < GENL_HDRLEN) return std::nullopt;
  return Attributes(payload.subspan(GENL_HDRLEN));
}

std::optional<UdpEndpoint> read_endpoint(Bytes bytes) {
  const auto family = read_struct<sa_family_t>(bytes);
  if (family == AF_INET)
    if (const auto v4 = read_struct<sockaddr_in>(bytes))
      return UdpEndpoint{.address = IpAddress::from_bytes(Family::kV4, bytes_of(v4->sin_addr)),
                         .port = ntohs(v4->sin_port)};
  if (family == AF_INET6)
    if (const auto v6 = read_struct<sockaddr_in6>(bytes))
      return UdpEndpoint{.address = IpAddress::from_bytes(Family::kV6, bytes_of(v6->sin6_addr)),
                         .port = ntohs(v6->sin6_port)};
  return std::nullopt;
}

std::optional<Cidr> read_allowed_ip(Bytes bytes) {
  const Attributes attributes(bytes);
  const auto af = attributes.find(WGALLOWEDIP_A_FAMILY);
  const auto address = attributes.find(WGALLOWEDIP_A_IPADDR);
  const auto length = attributes.find(WGALLOWEDIP_A_CIDR_MASK);
  if (!af || !address || !length) return std::nullopt;
  const bool is_v4 = af->u16() == AF_INET;
  const std::size_t size = is_v4 ? 4 : 16;
  if ((!is_v4 && af->u16() != AF_INET6) || address->data.size() != size || length->u8() > size * 8)
    return std::nullopt;
  return Cidr::of(IpAddress::from_bytes(is_v4 ? Family::kV4 : Family::kV6, address->data),
                  length->u8());
}

bool read_allowed_ips(Bytes bytes, std::vector<Cidr>& into) {
  bool complete = true;
  for (const Attribute& each : Attributes(bytes)) {
    const auto address = read_allowed_ip(each.data);
    if (address) into.push_back(*address);
    complete = complete && address;
  }
  return complete;
}

bool read_peer_attribute(const Attribute& attribute, WireguardPeerState& state) {
  switch (attribute.type) {
    case WGPEER_A_PRESHARED_KEY:
      state.preshared = std::ranges::any_of(attribute.data, [](auto byte) { return byte != 0; });
      break;
    case WGPEER_A_ENDPOINT:
      state.peer.endpoint = read_endpoint(attribute.data);
      break;
    case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
      state.peer.keepalive = attribute.u16();
      break;
    case WGPEER_A_LAST_HANDSHAKE_TIME:  // struct __kernel_timespec
      state.last_handshake = read_struct<std::int64_t>(attribute.data).value_or(0);
      break;
    case WGPEER_A_RX_BYTES:
      state.received = read_struct<std::uint64_t>(attribute.data).value_or(0);
      break;
    case WGPEER_A_TX_BYTES:
      state.sent = read_struct<std::uint64_t>(attribute.data).value_or(0);
      break;
    case WGPEER_A_ALLOWEDIPS:
      return read_allowed_ips(attribute.data, state.peer.allowed_ips);
    default:
      break;
  }
  return true;
}

bool read_peer(Bytes bytes, std::vector<WireguardPeerState>& peers) {
  const Attributes attributes(bytes);
  const auto named = attributes.find(WGPEER_A_PUBLIC_KEY);
  const auto key = PublicKey::from_bytes(named ? named->data : Bytes());
  if (!key) return false;
  // A peer that did not fit into the previous part continues here with its key and more addresses.
  if (peers.empty() || peers.back().peer.key != *key)
    peers.push_back({.peer = {.key = *key, .endpoint = {}, .allowed_ips = {}}});
  bool complete = true;
  for (const Attribute& each : attributes)
    complete = read_peer_attribute(each, peers.back()) && complete;
  return complete;
}

bool read_device_attribute(const Attribute& attribute, DeviceDump& dump) {
  switch (attribute.type) {
    case WGDEVICE_A_PRIVATE_KEY:
      if (const auto key = PrivateKey::from_bytes(attribute.data)) dump.private_key = *key;
      break;
    case WGDEVICE_A_PUBLIC_KEY:
      if (const auto key = PublicKey::from_bytes(attribute.data)) dump.state.key = *key;
      break;
    case WGDEVICE_A_LISTEN_PORT:
      dump.state.port = attribute.u16();
      break;
    case WGDEVICE_A_FWMARK:
      dump.mark = attribute.u32();
      break;
    case WGDEVICE_A_PEERS: {
      bool complete = true;
      for (const Attribute& peer : Attributes(attribute.data))
        complete = read_peer(peer.data, dump.state.peers) && complete;
      return complete;
    }
    default:
      break;
  }
  return true;
}

}  // namespace

NetlinkMessage create_wireguard(const WireguardLinkSpec& spec) {
  NetlinkMessage message = new_link(LinkState::kKeep);
  message.put_text(IFLA_IFNAME, spec.name.str())
      .put_u32(IFLA_MTU, spec.mtu)
      .put_text(IFLA_IFALIAS, spec.alias);
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, WG_GENL_NAME);
  return message;
}

NetlinkMessage create_impossible_wireguard() {
  NetlinkMessage message = new_link(LinkState::kKeep);
  message.put_u32(IFLA_MTU, kImpossibleMtu);
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, WG_GENL_NAME);
  return message;
}

NetlinkMessage look_up_family(std::string_view name) {
  NetlinkMessage message = generic_message(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
  message.put_text(CTRL_ATTR_FAMILY_NAME, name);
  return message;
}

std::optional<std::uint16_t> parse_family(Bytes payload, std::string_view name) {
  const auto attributes = attributes_of(payload);
  if (!attributes) return std::nullopt;
  const auto named = attributes->find(CTRL_ATTR_FAMILY_NAME);
  const auto number = attributes->find(CTRL_ATTR_FAMILY_ID);
  if (!named || named->text() != name || !number || number->u16() < NLMSG_MIN_TYPE)
    return std::nullopt;
  return number->u16();
}

NetlinkMessage set_device(std::uint16_t family, int index, const DeviceChange& change) {
  NetlinkMessage message = device_message(family, index, WG_CMD_SET_DEVICE);
  if (change.private_key) message.put(WGDEVICE_A_PRIVATE_KEY, change.private_key->bytes());
  if (change.port) put_u16(message, WGDEVICE_A_LISTEN_PORT, *change.port);
  if (change.drop_mark) message.put_u32(WGDEVICE_A_FWMARK, 0);
  return message;
}

std::vector<NetlinkMessage> set_peers(std::uint16_t family, int index,
                                      std::span<const PeerStep> steps) {
  std::vector<NetlinkMessage> messages;
  while (!steps.empty()) {
    const std::size_t count = fitting(steps);
    NetlinkMessage& message =
        messages.emplace_back(device_message(family, index, WG_CMD_SET_DEVICE));
    const auto peers = nest(message, WGDEVICE_A_PEERS);
    for (const PeerStep& step : steps.first(count)) put_peer(message, step);
    steps = steps.subspan(count);
  }
  return messages;
}

NetlinkMessage get_device(std::uint16_t family, int index) {
  return device_message(family, index, WG_CMD_GET_DEVICE);
}

bool add_device_part(Bytes payload, DeviceDump& dump) {
  const auto attributes = attributes_of(payload);
  if (!attributes) return false;
  bool complete = true;
  for (const Attribute& each : *attributes)
    complete = read_device_attribute(each, dump) && complete;
  return complete;
}

}  // namespace fairlead::kernel
