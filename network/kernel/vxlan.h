// VXLAN devices (RFC 7348) that join the bridges of several hosts, and what they know about the
// containers of the other hosts. NetlinkTunnels speaks rtnetlink over libmnl; tests/support has a
// fake; one conformance suite runs over both.
//
//   container ─ veth ─ bridge ─ VXLAN device ══ underlay ══ VXLAN device ─ bridge ─ veth ─ container
//
// Nothing is learned from packets and nothing is flooded to other hosts. For each remote address
// the device holds two entries, and no packet to an address without them leaves the host:
//   neighbour   ip -> mac     the device answers ARP and neighbour solicitations out of these, on
//                             behalf of the other host (drivers/net/vxlan, arp_reduce, neigh_reduce)
//   forwarding  mac -> vtep   the host to which packets for that MAC are sent (vxlan_find_mac)
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "base/result.h"

namespace fairlead::kernel {

inline constexpr std::uint16_t kVxlanPort = 4789;  // UDP (IANA)

struct VxlanSpec {
  IfName name;
  std::uint32_t vni = 0;            // 1 to 2^24-1; with `port`, unique on a host
  IpAddress local;                  // of this host in the underlay; its family is the tunnel's
  std::uint16_t port = kVxlanPort;  // UDP; the same on all hosts
  unsigned mtu = 1450;              // bytes of an inner IP packet; see vxlan_overhead
  int master = 0;                   // ifindex of the bridge
  MacAddress mac;
  bool isolated = false;  // no packets between this port and other isolated ones of the bridge
  std::string alias;
};

// What a tunnel takes of the underlay's MTU, in bytes: the outer IP header (20 or 40), UDP (8),
// VXLAN (8) and the inner Ethernet header (14).
constexpr unsigned vxlan_overhead(Family underlay) { return underlay == Family::kV4 ? 50 : 70; }

struct Tunnel {
  int index = 0;
  // It was made, or made anew, or was not in use: it holds no entries, or not all of them (the
  // kernel drops the neighbours of a device that goes down or gets another MAC address).
  bool fresh = false;
};

// An address of a container on another host. A container with two addresses has two entries with
// one MAC.
struct RemoteEntry {
  IpAddress ip;
  MacAddress mac;
  IpAddress vtep;  // the other host in the underlay, of the family of the tunnel's `local`

  auto operator<=>(const RemoteEntry&) const = default;
};

struct EntryFailure {
  RemoteEntry entry;
  Error error;
};

// What became of entries. One of which a half failed counts as failed, and as nothing else.
struct EntryChanges {
  std::size_t set = 0;
  std::size_t removed = 0;
  std::size_t unchanged = 0;
  std::vector<EntryFailure> failures;  // at most one for each entry
};

// Thread-safe. Every verb waits for the kernel's answer; none execs a program. Two callers that
// change the entries of one device at the same time have to agree on it (the lock of the network).
class Tunnels {
 public:
  virtual ~Tunnels() = default;

  // Makes the device or mends it: up, a port of the bridge, learning and flooding nothing to other
  // hosts, ttl 64, tos of the inner packet, bound to no interface. A device of that name with
  // another VNI, port or local address is made anew. kExists when the name is that of another kind
  // of device, or when another device has the VNI; it is named when it is in this namespace.
  virtual Result<Tunnel> ensure(const VxlanSpec& spec) = 0;
  // Gone already: succeeds. kExists: the device is no tunnel.
  virtual Status remove(const IfName& name) = 0;
  // MTU of the interface that has the address, in bytes. kNotFound: this host does not have it.
  virtual Result<unsigned> underlay_mtu(const IpAddress& local) = 0;

  // Binds the MAC of a local container to its bridge port, instead of learning it: packets to any
  // other MAC are for the tunnel. Moves it from another port. Goes with the port. kNotFound: no
  // such interface; kInvalid or kUnsupported: it is no bridge port.
  virtual Status pin(const IfName& port, const MacAddress& mac) = 0;

  // First sets `to_set`, over what there is for the same address or MAC (an address moves between
  // hosts without a gap), then removes `to_remove`. Of two entries for one address or MAC in
  // `to_set` the last one wins. An entry to remove of which the kernel holds something else by now,
  // because it moved to another host, is left alone; so is a MAC that another address still uses.
  // Costs a dump of the device's neighbours when there is something to remove.
  virtual Result<EntryChanges> apply(const IfName& device, std::span<const RemoteEntry> to_set,
                                     std::span<const RemoteEntry> to_remove) = 0;
  // The complete entries, in the order of their addresses.
  virtual Result<std::vector<RemoteEntry>> dump(const IfName& device) = 0;
  // Makes the device hold `wanted` and nothing else; only differences are sent.
  virtual Result<EntryChanges> sync(const IfName& device, std::span<const RemoteEntry> wanted) = 0;
};

// Works in the network namespace of the calling thread at the time of this call, from then on from
// any thread.
Result<std::unique_ptr<Tunnels>> open_netlink_tunnels();

}  // namespace fairlead::kernel
