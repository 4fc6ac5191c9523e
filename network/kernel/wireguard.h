// WireGuard devices as the encrypting underlay of overlay networks. NetlinkWireguardLinks speaks
// rtnetlink and the generic netlink family "wireguard" over libmnl; tests/support has a fake; one
// conformance suite runs over both.
//
//   VXLAN device ─ wg device ══ underlay, UDP of the wg port only ══ wg device ─ VXLAN device
//   local fd5c:…:a             192.0.2.1          192.0.2.2                      local fd5c:…:b
//
// Each host has one device with one address that follows from the ids of cluster and host
// (wireguard_address), so that nobody has to give it out. The addresses of a cluster share a /64
// that is connected through the device; an address of it that is no peer's leads nowhere, and
// nothing leaves in the clear. A tunnel is encrypted when its `local` and the hosts of its entries
// are such addresses: the containers' networks, addresses and entries know nothing of it.
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
#include "network/kernel/wireguard_key.h"

namespace fairlead::kernel {

inline constexpr std::uint16_t kWireguardPort = 51820;  // UDP; by custom

// What the device takes of the underlay's MTU, in bytes: the outer IP header (20 or 40), UDP (8),
// and WireGuard's header and tag (16 + 16).
constexpr unsigned wireguard_overhead(Family underlay) { return underlay == Family::kV4 ? 60 : 80; }

// The host's address inside of the encrypted underlay, with the length of the cluster's prefix:
// fd00::/8 (RFC 4193), 56 bits of the cluster's id, 64 bits of the host's. Of two of 1,000 hosts
// with ids of their own the same with a probability of 2^-45; WireGuard peers refuse such a pair.
Cidr wireguard_address(std::string_view cluster_id, std::string_view host_id);

struct WireguardLinkSpec {
  IfName name;
  PrivateKey private_key;
  std::uint16_t port = kWireguardPort;  // UDP, on every address of the host
  std::vector<Cidr> addresses;          // these and no others; their prefixes are connected
  unsigned mtu = 1420;                  // bytes of an inner IP packet; see wireguard_overhead
  std::string alias;
};

struct WireguardLink {
  int index = 0;
  bool fresh = false;  // it was made: it has no peers
};

// Where a peer listens, in the underlay.
struct UdpEndpoint {
  IpAddress address;
  std::uint16_t port = 0;

  auto operator<=>(const UdpEndpoint&) const = default;
  std::string to_string() const;  // "192.0.2.1:51820", "[2001:db8::1]:51820"
};

// Another host.
struct WireguardPeer {
  PublicKey key;
  // Nothing: it has to speak first.
  std::optional<UdpEndpoint> endpoint;
  // The inner addresses that are its own: packets to them go to it, and from it no others are
  // taken. No two peers have the same.
  std::vector<Cidr> allowed_ips;
  std::uint16_t keepalive = 0;  // seconds between packets that keep a NAT open; 0: none

  bool operator==(const WireguardPeer&) const = default;
};

struct WireguardPeerState {
  WireguardPeer peer;                    // allowed_ips in their order
  bool preshared = false;                // it has a preshared key, which is not ours
  std::int64_t last_handshake = 0;       // seconds since the epoch; 0: never
  std::uint64_t received = 0, sent = 0;  // bytes
};

struct WireguardLinkState {
  PublicKey key;
  std::uint16_t port = 0;
  std::vector<WireguardPeerState> peers;  // in the order of their keys
};

struct WireguardPeerChanges {
  std::size_t added = 0, changed = 0, removed = 0, unchanged = 0;
  bool operator==(const WireguardPeerChanges&) const = default;
};

// Thread-safe. Every verb waits for the kernel's answer; none execs a program. No error holds a
// private key. Two callers that change the peers of one device at the same time have to agree on
// it.
class WireguardLinks {
 public:
  virtual ~WireguardLinks() = default;

  // Whether this kernel has WireGuard; loads its module. Leaves nothing, and the answer is kept.
  // kUnsupported: it has not.
  virtual Status probe() = 0;
  // Makes the device or mends it: key, port, MTU, addresses, their routes, up. Its peers stay, and
  // their sessions, unless the key is another. kExists: the name is that of another kind of device.
  // kInUse: another program has the port. kUnsupported as in probe().
  virtual Result<WireguardLink> ensure(const WireguardLinkSpec& spec) = 0;
  // Gone already: succeeds. kExists: the device is not WireGuard's.
  virtual Status remove(const IfName& name) = 0;

  // Makes the device have these peers and no others. Only differences are sent: the session of a
  // peer that stays goes on, also when its endpoint changes, and an endpoint to which the peer
  // itself has moved is put back. An address moves from one peer to another without a gap.
  // After an error some of the changes may have been made; the same call again makes the rest.
  // kInvalid: a key or an address twice, an endpoint that is none, the device's own key.
  virtual Result<WireguardPeerChanges> set_peers(const IfName& device,
                                                 std::span<const WireguardPeer> wanted) = 0;
  // kNotFound: no such device; kInvalid: it is not WireGuard's.
  virtual Result<WireguardLinkState> dump(const IfName& device) = 0;
};

// Works in the network namespace of the calling thread at the time of this call, from then on from
// any thread. Succeeds without WireGuard: probe() says so.
Result<std::unique_ptr<WireguardLinks>> open_netlink_wireguard_links();

}  // namespace fairlead::kernel
