// Links, addresses, routes and neighbours of the host's namespace and of containers: the kernel
// behind a narrow interface. NetlinkLinks speaks rtnetlink over libmnl; tests/support has a fake;
// one conformance suite runs over both.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "base/result.h"

namespace fairlead::kernel {

struct Link {
  int index = 0;
  std::string name;
  std::string kind;  // "veth", "bridge", ...; empty for physical ones
  MacAddress mac;    // zero for links without one
  unsigned mtu = 0;
  bool up = false;
  int master = 0;               // ifindex, 0 = none
  int peer_index = 0;           // veth: IFLA_LINK
  bool peer_elsewhere = false;  // veth: the peer is in another namespace (IFLA_LINK_NETNSID)
  bool route_localnet = false;  // takes and sends packets of 127.0.0.0/8 (ip-sysctl.rst)
  std::string alias;
};

struct BridgeSpec {
  IfName name;
  MacAddress mac;  // fixed, so that it does not change with the ports
  unsigned mtu = 1500;
  std::vector<Cidr> addresses;  // missing ones are added; others are left alone
  bool ipv6 = false;            // false: no link-local address on the bridge
  std::string alias;
};

struct VethSpec {
  IfName host_name;
  IfName peer_name;        // in `peer_netns_fd`, or in the host's namespace
  int peer_netns_fd = -1;  // borrowed; -1: the host's namespace
  MacAddress peer_mac;
  unsigned mtu = 1500;
  int master = 0;  // ifindex of the bridge; 0 = none
  unsigned queues = 1;
  bool host_up = true;
  bool host_ipv6 = false;  // false: no link-local address on the host's side
  std::string alias;
};

struct Veth {
  int host_index = 0, peer_index = 0;
  MacAddress host_mac;
};

struct RouteSpec {
  Cidr destination;
  std::optional<IpAddress> via;  // nothing: scope link
  std::optional<std::uint32_t> mtu, advmss, priority, table, scope;
};

// The container's side: everything in one sendmsg, on a socket opened inside the namespace.
struct ContainerSpec {
  int netns_fd = -1;  // borrowed
  int ifindex = 0;
  IfName name;
  std::vector<Cidr> addresses;    // IPv6 without duplicate address detection
  std::vector<RouteSpec> routes;  // in order: on-link gateways before what goes through them
  bool announce = false;          // gratuitous ARP / unsolicited NA once the link is up
};

// Of a bridge port (IFLA_BRPORT_*). The last two are the kernel's defaults; the ports of a bridge
// whose addresses are all known are without them.
struct PortFlags {
  bool hairpin = false;
  bool isolated = false;
  bool learning = true;  // MAC addresses from the packets that come in
  bool flood = true;     // packets to unknown MAC addresses go out here

  bool operator==(const PortFlags&) const = default;
};

struct LinkAddress {
  Cidr address;
};

struct InterfaceView {
  Link link;
  std::vector<Cidr> addresses;
  std::vector<RouteSpec> routes;  // of the main table that leave through this link
};

// What the host's packets take another way to than to a new network.
struct HostSubnets {
  std::vector<Cidr> connected;  // of its addresses, and of routes of the main table to a link
  std::vector<Cidr> routed;     // routes of the main table through gateways
  std::vector<Cidr> elsewhere;  // routes of other tables, which rules may lead to (a VPN's)
};

// Thread-safe. Every verb waits for the kernel's answer; none execs a program. Errors carry the
// errno, and the kernel's extended ack in words when it gives one.
class Links {
 public:
  virtual ~Links() = default;

  // One object, asked for by name or index; never a dump. kNotFound when it is not there.
  virtual Result<Link> find(const IfName& name) = 0;
  virtual Result<Link> find(int index) = 0;
  // All links of the host's namespace (a dump: cold paths only).
  virtual Result<std::vector<Link>> list() = 0;

  // Makes the bridge or mends it: MAC, MTU, up, addresses, accept_ra=0, no multicast snooping. An
  // existing link of another kind is kExists. `foreign`: only addresses are added, and it is
  // brought up.
  virtual Result<Link> ensure_bridge(const BridgeSpec& spec, bool foreign) = 0;
  // Whether the link takes and sends packets of 127.0.0.0/8: a port published there needs it, both
  // for the client's packet, which leaves through the bridge before its source is translated, and
  // for the answer, whose destination is translated before it is routed. Whoever else is on the
  // link reaches the host's loopback services then, unless the firewall keeps him out.
  virtual Status set_route_localnet(int index, bool on) = 0;
  // Gives the link the address that it has (or another one): from then on a bridge keeps it, where
  // it would take the lowest of its ports' otherwise (net/bridge/br_stp_if.c,
  // br_stp_recalculate_bridge_id), and no udev rule changes it.
  virtual Status set_mac(int index, const MacAddress& mac) = 0;
  // One message: both ends, the peer already in its namespace, master, MTU, host side up, both MACs
  // (the host's side gets one derived from its name: one that the kernel chose is changed by udev's
  // MACAddressPolicy=persistent). A failed call leaves nothing. kExists when a name is taken on
  // either side, kExhausted when the bridge is full (1,023 ports). Ends with a GETLINK of the
  // host's side and of the bridge, without which the first packets may be lost.
  virtual Result<Veth> create_veth(const VethSpec& spec) = 0;
  virtual Status configure_container(const ContainerSpec& spec) = 0;
  // Waits until the port passes packets: the GETLINK that runs the kernel's pending link watch
  // work.
  virtual Status settle(int index) = 0;
  virtual Status set_port_flags(int index, PortFlags flags) = 0;
  // Puts the link into the bridge `master` (0: takes it out) and up.
  virtual Status set_master(int index, int master) = 0;
  virtual Status remove_address(int index, const Cidr& address) = 0;  // gone already: succeeds

  // Takes the link out of use and deletes it. Returns when the kernel has announced that it is gone
  // (about 1 ms), while the RCU wait of the deletion (10-30 ms) goes on elsewhere: see LinkReaper.
  // Gone already: succeeds.
  virtual Status remove(const IfName& name) = 0;
  // Waits until nothing that remove() started is under way (shutdown, tests).
  virtual void finish_removals() = 0;

  // Tells the neighbours on the bridge that `address` is at `mac` now, and forgets the host's own
  // old entry.
  virtual Status announce(int bridge_index, const IpAddress& address, const MacAddress& mac) = 0;
  virtual Status forget_neighbour(int link_index, const IpAddress& address) = 0;

  // What an interface inside a namespace looks like. kNotFound when there is no such interface.
  virtual Result<InterfaceView> inspect(int netns_fd, const IfName& name) = 0;

  // Without default routes, and those that a VPN cuts them into (0.0.0.0/1, 2000::/3): what is
  // wider than /8 (IPv4) or /16 (IPv6) says where the rest of the world is.
  virtual Result<HostSubnets> host_subnets() = 0;
  // All of them in order, each once: what a chosen subnet must not overlap.
  Result<std::vector<Cidr>> occupied_subnets();
  // MTU of the interface of the default route (the IPv4 one, else the IPv6 one), nothing without a
  // default route.
  virtual Result<std::optional<Link>> default_route_link() = 0;
  // Lets the host forward packets of the family. IPv6: interfaces that learn their routes from
  // router advertisements keep doing so (accept_ra=2). Returns whether anything was changed.
  virtual Result<bool> enable_forwarding(Family family) = 0;
  // Limits of the link's traffic: `in` towards the container (a token bucket on the host's side),
  // `out` from it (one on an ifb device that remove() takes away too). 0 = none; a burst of 0 is
  // chosen. Bits per second and bits. kUnsupported when this kernel lacks a module for it.
  virtual Status set_rates(int host_index, std::uint64_t in_bits, std::uint64_t in_burst_bits,
                           std::uint64_t out_bits, std::uint64_t out_burst_bits) = 0;
};

// How the slow part of deletions is kept away from the caller.
enum class RemovalMode {
  kThread,   // a reaper thread of this process, deleting in groups (the daemon)
  kProcess,  // a child process that outlives the caller and holds none of its stdio (exec'd
             // plugins, the command line)
};

// Works in the network namespace of the calling thread at the time of this call, from then on from
// any thread.
Result<std::unique_ptr<Links>> open_netlink_links(RemovalMode mode);

}  // namespace fairlead::kernel
