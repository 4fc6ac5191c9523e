// WireGuard devices as the encrypted underlay of overlay networks. NetlinkWireguardLinks speaks
// rtnetlink and the generic netlink family "wireguard" over libmnl; tests/support has a fake, and
// one conformance suite tests both.
//
//   VXLAN device ─ wg device ══ underlay, UDP of the wg port only ══ wg device ─ VXLAN device
//   local fd5c:…:a             192.0.2.1          192.0.2.2                      local fd5c:…:b
//
// Each host has one device with one address, which is computed from the ids of the cluster and the
// host (wireguard_address), so that nobody has to assign it. The addresses of a cluster share a /64
// that is connected through the device. Packets to an address of the /64 that belongs to no peer
// are dropped, so nothing leaves unencrypted. A tunnel is encrypted when its `local` and the VTEPs
// of its entries are such addresses; nothing else about the containers' networks, addresses and
// entries differs.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "base/result.h"
#include "network/kernel/tunnels/wireguard_key.h"

namespace fairlead::kernel {

inline constexpr std::uint16_t kWireguardPort = 51820;  // UDP; WireGuard's usual port

// How much of the underlay's MTU the device takes, in bytes: the outer IP header (20 or 40), UDP
// (8), and WireGuard's header and tag (16 + 16).
constexpr unsigned wireguard_overhead(Family underlay) { return underlay == Family::kV4 ? 60 : 80; }

// The host's address in the encrypted underlay, with the length of the cluster's prefix: fd00::/8
// (RFC 4193), 56 bits of a hash of the cluster's id, 64 bits of a hash of the host's. The
// probability that two of 1,000 hosts get the same address is 2^-45; set_peers() refuses such a
// pair.
Cidr wireguard_address(std::string_view cluster_id, std::string_view host_id);

struct WireguardLinkSpec {
  IfName name;
  PrivateKey private_key;
  std::uint16_t port = kWireguardPort;  // UDP, on every address of the host
  std::vector<Cidr> addresses;          // all addresses of the device; their prefixes are connected
  unsigned mtu = 1420;                  // bytes of an inner IP packet; see wireguard_overhead
  std::string alias;
};

struct WireguardLink {
  int index = 0;
  bool fresh = false;  // the device was made by this call, so it has no peers
};

// The address and UDP port in the underlay on which a peer listens.
struct UdpEndpoint {
  IpAddress address;
  std::uint16_t port = 0;

  auto operator<=>(const UdpEndpoint&) const = default;
  std::string to_string() const;  // "192.0.2.1:51820", "[2001:db8::1]:51820"
};

// Another host.
struct WireguardPeer {
  PublicKey key;
  // std::nullopt: unknown until the peer sends the first packet.
  std::optional<UdpEndpoint> endpoint;
  // The peer's inner addresses. Packets to them are sent to the peer, and packets from the peer are
  // accepted from these addresses only. No two peers may have the same address.
  std::vector<Cidr> allowed_ips;
  std::uint16_t keepalive = 0;  // seconds between packets that keep a NAT open; 0: none

  bool operator==(const WireguardPeer&) const = default;
};

struct WireguardPeerState {
  WireguardPeer peer;                    // allowed_ips are sorted
  bool preshared = false;                // it has a preshared key, which Fairlead never sets
  std::int64_t last_handshake = 0;       // seconds since the epoch; 0: never
  std::uint64_t received = 0, sent = 0;  // bytes
};

struct WireguardLinkState {
  PublicKey key;
  std::uint16_t port = 0;
  std::vector<WireguardPeerState> peers;  // sorted by their keys
};

struct WireguardPeerChanges {
  std::size_t added = 0, changed = 0, removed = 0, unchanged = 0;
  bool operator==(const WireguardPeerChanges&) const = default;
};

// Thread-safe. Every call waits for the kernel's answer; none execs a program. No error contains a
// private key. Callers must not change the peers of one device at the same time.
class WireguardLinks {
 public:
  virtual ~WireguardLinks() = default;

  // Succeeds when this kernel has WireGuard, whose module it loads; kUnsupported when it has not.
  // Leaves no device behind, and remembers the answer.
  virtual Status probe() = 0;
  // Makes the device, or corrects its key, port, MTU, addresses, their routes and its state (up).
  // Its peers stay, and their sessions too unless the key changes. kExists when a device of another
  // kind has the name, kInUse when another program has the port, kUnsupported as in probe().
  virtual Result<WireguardLink> ensure(const WireguardLinkSpec& spec) = 0;
  // Succeeds when the device is already gone. kExists when it is not a WireGuard device.
  virtual Status remove(const IfName& name) = 0;

  // Makes the device have these peers and no others. Only differences are sent. The session of a
  // peer that stays goes on, even when its endpoint changes. When a peer has moved to another
  // endpoint by itself, the wanted endpoint is set again. An address moves from one peer to another
  // without a gap. After an error some of the changes may have been made; the same call again makes
  // the rest. kInvalid when a key is missing, is the device's own or occurs twice, when an address
  // occurs twice or a peer has too many, or when nobody can listen on an endpoint.
  virtual Result<WireguardPeerChanges> set_peers(const IfName& device,
                                                 std::span<const WireguardPeer> wanted) = 0;
  // kNotFound when there is no such device, kInvalid when it is not a WireGuard device.
  virtual Result<WireguardLinkState> dump(const IfName& device) = 0;
};

// Works in the network namespace that the calling thread is in at the time of this call; may then
// be used from any thread. Succeeds even when the kernel has no WireGuard; probe() finds that out.
Result<std::unique_ptr<WireguardLinks>> open_netlink_wireguard_links();

}  // namespace fairlead::kernel
