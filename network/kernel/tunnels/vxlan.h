// VXLAN devices (RFC 7348) that connect the bridges of several hosts, and their entries for the
// containers of the other hosts. NetlinkTunnels speaks rtnetlink over libmnl; tests/support has a
// fake, and one conformance suite tests both.
//
//   container ─ veth ─ bridge ─ VXLAN device ══ underlay ══ VXLAN device ─ bridge ─ veth ─ container
//
// Nothing is learned from packets, and nothing is flooded to other hosts. For each remote address
// the device holds these two entries. A packet to an address without them does not leave the host:
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
  std::uint32_t vni = 0;  // 1 to 2^24-1; with `port`, unique on a host
  IpAddress local;        // of this host in the underlay; its family is the family of the tunnel
  std::uint16_t port = kVxlanPort;  // UDP; the same on all hosts
  unsigned mtu = 1450;              // bytes of an inner IP packet; see vxlan_overhead
  int master = 0;                   // ifindex of the bridge
  MacAddress mac;
  // No packets pass between this port and other isolated ports of the bridge.
  bool isolated = false;
  std::string alias;
};

// What a tunnel takes of the underlay's MTU, in bytes: the outer IP header (20 or 40), UDP (8),
// VXLAN (8) and the inner Ethernet header (14).
constexpr unsigned vxlan_overhead(Family underlay) { return underlay == Family::kV4 ? 50 : 70; }

struct Tunnel {
  int index = 0;
  // The device was made or made again, was down, or got another MAC address. It holds no entries,
  // or not all of them: the kernel drops the neighbours of a device that goes down or gets another
  // MAC address.
  bool fresh = false;
};

// An address of a container on another host. A container with two addresses has two entries with
// one MAC.
struct RemoteEntry {
  IpAddress ip;
  MacAddress mac;
  // Address of the other host in the underlay, of the same family as the tunnel's `local`.
  IpAddress vtep;

  auto operator<=>(const RemoteEntry&) const = default;
};

struct EntryFailure {
  RemoteEntry entry;
  Error error;
};

// The outcome of a change of entries. An entry of which one of the two halves failed counts as
// failed only.
struct EntryChanges {
  std::size_t set = 0;
  std::size_t removed = 0;
  std::size_t unchanged = 0;
  std::vector<EntryFailure> failures;  // at most one for each entry
};

// Thread-safe. Every call waits for the kernel's answer; none execs a program. Callers must not
// change the entries of one device at the same time (they hold the lock of the network).
class Tunnels {
 public:
  virtual ~Tunnels() = default;

  // Makes the device or corrects its settings: it is up and a port of the bridge, learns nothing,
  // floods nothing to other hosts, has ttl 64 and the tos of the inner packet, and is bound to no
  // interface. A device of that name with another VNI, port or local address is deleted and made
  // again. kExists when a device of another kind has the name, or when another device has the VNI;
  // the error names that device when it is in this namespace.
  virtual Result<Tunnel> ensure(const VxlanSpec& spec) = 0;
  // Succeeds when the device is already gone. kExists when the device is not a tunnel.
  virtual Status remove(const IfName& name) = 0;
  // The MTU, in bytes, of the interface that has the address. kNotFound when this host does not
  // have the address.
  virtual Result<unsigned> underlay_mtu(const IpAddress& local) = 0;

  // Adds a static entry for the MAC of a local container to the forwarding database of the bridge,
  // instead of letting the bridge learn it; packets to unknown MACs go to the tunnel. An entry for
  // the MAC on another port is moved. The kernel deletes the entry together with the port.
  // kNotFound when there is no such interface; kInvalid or kUnsupported when it is not a bridge
  // port.
  virtual Status pin(const IfName& port, const MacAddress& mac) = 0;

  // First sets the entries of `to_set`, replacing present entries for the same address or MAC, so
  // that an address moves between hosts without a gap. Then removes those of `to_remove`. Of two
  // entries for one address or MAC in `to_set` the last one counts. An entry to remove is left
  // alone when the kernel holds another value by now because the address moved to another host; so
  // is the forwarding entry of a MAC that another address still uses. Dumps the device's neighbours
  // when there is something to remove.
  virtual Result<EntryChanges> apply(const IfName& device, std::span<const RemoteEntry> to_set,
                                     std::span<const RemoteEntry> to_remove) = 0;
  // The complete entries, in the order of their addresses.
  virtual Result<std::vector<RemoteEntry>> dump(const IfName& device) = 0;
  // Makes the device hold the entries of `wanted` and no others; only differences are sent.
  virtual Result<EntryChanges> sync(const IfName& device, std::span<const RemoteEntry> wanted) = 0;
};

// Works in the network namespace that the calling thread is in at the time of this call; may then
// be used from any thread.
Result<std::unique_ptr<Tunnels>> open_netlink_tunnels();

}  // namespace fairlead::kernel
