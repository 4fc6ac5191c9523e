// Links, addresses, routes and neighbours of the host's network namespace and of containers, behind
// a narrow interface to the kernel. NetlinkLinks speaks rtnetlink over libmnl; tests/support has a
// fake, and one conformance suite tests both.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "base/result.h"
#include "network/kernel/links/host_routing.h"

namespace fairlead::kernel {

struct Link {
  int index = 0;
  std::string name;
  std::string kind;            // "veth", "bridge", ...; empty for physical links
  MacAddress mac;              // zero for links without one
  MacAddress permanent_mac{};  // that of the card itself (IFLA_PERM_ADDRESS, Linux 5.6); zero: none
  unsigned mtu = 0;
  bool up = false;
  int master = 0;               // ifindex, 0 = none
  int peer_index = 0;           // veth: IFLA_LINK
  bool peer_elsewhere = false;  // veth: the peer is in another namespace (IFLA_LINK_NETNSID)
  // A bridge: whether its ports are members of VLANs. std::nullopt: this kernel has none on bridges.
  std::optional<bool> filters_vlans{};
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
  // The VLAN of the bridge itself and, unless they have another one, of its ports, all untagged.
  std::optional<std::uint16_t> vlan{};
};

// Flags of a bridge port (IFLA_BRPORT_*). `learning` and `flood` are on by the kernel's default,
// and off on the ports of a bridge whose MAC addresses are all known.
struct PortFlags {
  bool hairpin = false;
  bool isolated = false;
  bool learning = true;  // MAC addresses are learned from the packets that come in
  bool flood = true;     // packets to unknown MAC addresses go out here
  // An access port of this VLAN alone: what comes in without a tag is of it, and leaves without one.
  // It is set where the link becomes a port (create_veth, set_master), before it is up.
  std::optional<std::uint16_t> vlan{};

  bool operator==(const PortFlags&) const = default;
};

struct VethSpec {
  IfName host_name;
  IfName peer_name;        // in `peer_netns_fd`, or in the host's namespace
  int peer_netns_fd = -1;  // borrowed; -1: the host's namespace
  MacAddress peer_mac;
  unsigned mtu = 1500;
  int master = 0;  // ifindex of the bridge; 0 = none
  // Of the port of the bridge. They are set before the host's side is up.
  PortFlags port{};
  unsigned queues = 1;
  bool host_up = true;
  bool host_ipv6 = false;  // false: no link-local address on the host's side
  std::string alias;
};

struct Veth {
  int host_index = 0, peer_index = 0;
  MacAddress host_mac;
};

// An interface with a MAC of its own on the parent's segment (drivers/net/macvlan.c).
enum class MacvlanMode {
  kBridge,    // reaches the other ones on the parent
  kPrivate,   // does not
  kVepa,      // only through a switch that reflects packets (802.1Qbg)
  kPassthru,  // has the parent to itself, and its MAC
};

struct MacvlanSpec {
  IfName name;
  int parent = 0;       // ifindex in the host's namespace
  int netns_fd = -1;    // borrowed; -1: the host's namespace
  MacAddress mac;       // kPassthru: ignored
  unsigned mtu = 1500;  // at most the parent's
  MacvlanMode mode = MacvlanMode::kBridge;
};

// An interface with the parent's MAC and addresses of its own (drivers/net/ipvlan).
enum class IpvlanMode {
  kL2,   // neighbours of the parent's segment, with ARP
  kL3,   // routed by the host, past its firewall; no broadcasts
  kL3s,  // the same, through the host's firewall
};
enum class IpvlanFlag {
  kBridge,   // reaches the other ones on the parent
  kPrivate,  // does not
  kVepa,     // only through a switch that reflects packets (802.1Qbg)
};

struct IpvlanSpec {
  IfName name;
  int parent = 0;       // ifindex in the host's namespace
  int netns_fd = -1;    // borrowed; -1: the host's namespace
  unsigned mtu = 1500;  // at most the parent's
  IpvlanMode mode = IpvlanMode::kL2;
  IpvlanFlag flag = IpvlanFlag::kBridge;
};

// What is tagged with one VLAN on the parent's segment (net/8021q).
struct VlanSpec {
  IfName name;
  int parent = 0;        // ifindex
  std::uint16_t id = 0;  // 1 to 4094
  std::string alias;
};

struct RouteSpec {
  Cidr destination;
  std::optional<IpAddress> via;  // std::nullopt: scope link
  std::optional<std::uint32_t> mtu, advmss, priority, table, scope;

  bool operator==(const RouteSpec&) const = default;
};

// The host's end of a veth pair that is no port of a bridge: the host itself routes to the container
// behind it, and nobody else is on the link.
struct RoutedLink {
  int index = 0;
  IfName name;
  MacAddress container_mac;
  // The container's. Each gets a route of its own to the link, and a neighbour entry, so that nobody
  // has to be asked and no table of neighbours fills up.
  std::vector<Cidr> addresses;
  std::optional<IpAddress> source_v4;  // under which the host speaks to it; it has to be local
  // Addresses that the link itself has to have: a container that was not told its gateway's MAC asks
  // for it, and hosts may answer for the link's own addresses only (arp_ignore).
  std::vector<IpAddress> own_addresses{};
  // Whether the host answers ARP requests for addresses that it routes elsewhere: for a container
  // that takes its whole subnet for its neighbours.
  bool proxy_arp = false;
};

// The configuration of the container's side. It is sent in one sendmsg(2), on a socket opened
// inside the namespace.
struct ContainerSpec {
  int netns_fd = -1;  // borrowed
  int ifindex = 0;
  IfName name;
  std::vector<Cidr> addresses;  // IPv6 without duplicate address detection
  // In order: the route to a gateway comes before the routes through it.
  std::vector<RouteSpec> routes;
  // Whose MACs are known, so that the container never asks for them.
  std::vector<std::pair<IpAddress, MacAddress>> neighbours{};
  bool announce = false;  // gratuitous ARP / unsolicited NA once the link is up
};

struct LinkAddress {
  Cidr address;
};

struct InterfaceView {
  Link link;
  std::vector<Cidr> addresses;
  std::vector<RouteSpec> routes;  // of the main table that leave through this link
};

// Thread-safe. Every call waits for the kernel's answer; none execs a program. Errors carry the
// errno, and the text of the kernel's extended ack when there is one.
class Links {
 public:
  virtual ~Links() = default;

  // Asks for one link by name or index, never with a dump. kNotFound when there is no such link.
  virtual Result<Link> find(const IfName& name) = 0;
  virtual Result<Link> find(int index) = 0;
  // All links of the host's namespace. This is a dump, for paths that need not be fast.
  virtual Result<std::vector<Link>> list() = 0;

  // Makes the bridge, or corrects its MAC, MTU, state (up), addresses, accept_ra=0 and multicast
  // snooping (off). kExists when a link of another kind has the name. `foreign`: the bridge belongs
  // to somebody else; it has to exist, and only missing addresses are added and it is brought up.
  virtual Result<Link> ensure_bridge(const BridgeSpec& spec, bool foreign) = 0;
  // Sets whether the link accepts and sends packets of 127.0.0.0/8 (route_localnet). A port
  // published on such an address needs it: for the client's packet, which leaves through the bridge
  // before its source is translated, and for the answer, whose destination is translated before it
  // is routed. Everybody on the link can then reach the host's loopback services, unless the
  // firewall or the loopback guard blocks them.
  virtual Status set_route_localnet(int index, bool on) = 0;
  // The loopback guard of a link drops every packet of 127.0.0.0/8 that comes in through it. It is
  // a filter of the link itself, and so is there without the firewall, and goes with the link.
  // Filters of others stay. Returns whether it was missing or altered. kUnsupported when this kernel
  // lacks a module for it; kInvalid or kConflict when another filter has its place.
  virtual Result<bool> guard_loopback(int index) = 0;
  virtual Result<bool> has_loopback_guard(int index) = 0;
  // Succeeds when it, or the link, is already gone.
  virtual Status unguard_loopback(int index) = 0;
  // Sets the MAC address, which may be the one that the link already has. A bridge whose address
  // was set keeps it instead of taking the lowest address of its ports (net/bridge/br_stp_if.c,
  // br_stp_recalculate_bridge_id), and no udev rule changes it.
  virtual Status set_mac(int index, const MacAddress& mac) = 0;
  // Makes both ends in one message, with the peer already in its namespace, the master, the MTU and
  // both MACs. The host's side gets a MAC derived from its name, because udev's
  // MACAddressPolicy=persistent changes one that the kernel chose. A failed call leaves nothing
  // behind. kExists when a name is taken on either side, kExhausted when the bridge is full (1,023
  // ports). When both ends are up the first packets may be lost without settle().
  virtual Result<Veth> create_veth(const VethSpec& spec) = 0;
  // Returns the routes as they were added: a default route without a metric gets one where another
  // interface of the namespace has a default route already. The one that came first is used, and when
  // its interface goes, the kernel uses the next.
  virtual Result<std::vector<RouteSpec>> configure_container(const ContainerSpec& spec) = 0;
  // Brings the link up, without a link-local address but those that are named, and leads the
  // container's addresses there, instead of where they led before. Idempotent.
  virtual Status route_container(const RoutedLink& link) = 0;
  // Whether it is up and all its addresses lead there.
  virtual Result<bool> routes_container(const RoutedLink& link) = 0;
  // Whether the host answers on the link for an address that it routes elsewhere (ARP, NDP). Ending
  // it succeeds when the host does not, or the link is gone.
  virtual Status answer_for(int index, const IpAddress& address, bool on) = 0;
  // Makes the link in its namespace, down. kExists when the name is taken there.
  virtual Result<Link> create_macvlan(const MacvlanSpec& spec) = 0;
  // As create_macvlan(). All links of one parent have one mode: the last one's.
  virtual Result<Link> create_ipvlan(const IpvlanSpec& spec) = 0;
  // Makes the link and brings it up; kExists when the name is taken.
  virtual Result<Link> create_vlan(const VlanSpec& spec) = 0;
  // Whether this kernel has links of the kind ("ipvlan"), perhaps in a module. Makes none.
  virtual Result<bool> has_kind(const std::string& kind) = 0;
  // Moves a device of the host into a namespace, under another name, down and without its
  // addresses. kExists when the name is taken there.
  virtual Result<Link> move_inside(int index, int netns_fd, const IfName& name) = 0;
  // Moves it into the host's namespace, or (-1) renames it there.
  virtual Status move_back(int netns_fd, int index, const IfName& name) = 0;
  // The addresses of a device of the host, and what gives it missing ones, and its state, back.
  virtual Result<std::vector<Cidr>> addresses(int index) = 0;
  virtual Status restore(int index, bool up, const std::vector<Cidr>& addresses) = 0;
  // Waits until the link passes packets, with a GETLINK of it and, of a port, of its bridge, which makes
  // the kernel run its pending link watch work (net/core/rtnetlink.c, rtnl_getlink). Each takes the
  // longer the more namespaces there are (net/core/net_namespace.c, __peernet2id).
  virtual Status settle(int index) = 0;
  // Whether the port is an untagged member of that VLAN, and of no other one (PortFlags).
  virtual Result<bool> has_access_vlan(int index, std::uint16_t vlan) = 0;
  virtual Status set_port_flags(int index, PortFlags flags) = 0;
  // Makes the link a port of the bridge `master` (0: of none) with these flags, and then brings it up.
  virtual Status set_master(int index, int master, PortFlags flags = {}) = 0;
  // Succeeds when it is already gone.
  virtual Status remove_address(int index, const Cidr& address) = 0;

  // Deletes the link, and the ifb device that shapes its traffic. Returns when the kernel has
  // announced that the link is gone (about 1 ms), while a LinkReaper sits out the RCU grace period
  // of the deletion (10-30 ms). Succeeds when the link is already gone.
  virtual Status remove(const IfName& name) = 0;
  // Waits until all deletions that remove() started have finished (for shutdown and tests).
  virtual void finish_removals() = 0;

  // Tells the neighbours on the bridge that `address` is now at `mac`, and deletes the host's own
  // old neighbour entry.
  virtual Status announce(int bridge_index, const IpAddress& address, const MacAddress& mac) = 0;
  virtual Status forget_neighbour(int link_index, const IpAddress& address) = 0;

  // All links inside a namespace, and the removal of one of them, which succeeds when it is already
  // gone.
  virtual Result<std::vector<Link>> list_inside(int netns_fd) = 0;
  virtual Status remove_inside(int netns_fd, int index) = 0;
  // Reads an interface inside a namespace. kNotFound when there is no such interface.
  virtual Result<InterfaceView> inspect(int netns_fd, const IfName& name) = 0;

  // The routing of the same namespace.
  virtual HostRouting& host_routing() = 0;

  // Limits the link's traffic: `in` towards the container with a token bucket on the host's side,
  // `out` from the container with one on an ifb device, which remove() deletes too. Rates are in
  // bits per second, 0 for no limit; bursts are in bits, 0 to have one chosen. kUnsupported when
  // this kernel lacks a module for it.
  virtual Status set_rates(int host_index, std::uint64_t in_bits, std::uint64_t in_burst_bits,
                           std::uint64_t out_bits, std::uint64_t out_burst_bits) = 0;
};

// Who waits for the slow part of deletions instead of the caller.
enum class RemovalMode {
  kThread,  // a reaper thread of this process, deleting in groups (the daemon)
  // A child process that outlives the caller and keeps none of its stdio open (exec'd plugins, the
  // command line)
  kProcess,
};

// Works in the network namespace that the calling thread is in at the time of this call; may then
// be used from any thread.
Result<std::unique_ptr<Links>> open_netlink_links(RemovalMode mode);

}  // namespace fairlead::kernel
