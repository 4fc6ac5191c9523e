// The control plane of networks over several hosts: which hosts are members, which networks there
// are, which host gives out which addresses, and on which host each address is. These are values
// and abstract classes; network/cluster implements them over one store that all hosts share and the
// local store of this host.
//
// What a caller does, in order:
//
//   Membership::join            at start, then keep_alive every kHeartbeatPeriod from one thread. What
//                               answers kRemoved: take down every endpoint of shared networks, then
//                               join_again.
//   Networks::create_or_join    finds a network by name or makes it
//   Addresses::offer            then commit a lease in the local store; publish it with Endpoints
//   Peers::attach               from then on the callback is told the entries of the other hosts
//
// Throughout, the *shared* store is the one store of all hosts, and the *local* store belongs to
// this host alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network::cluster {

// ---- hosts

inline constexpr std::chrono::seconds kHeartbeatPeriod{5};
inline constexpr std::chrono::seconds kLiveSeconds{15};  // without a heartbeat, a host is suspect

// Where a host receives encrypted packets, by WireGuard.
struct WireguardInfo {
  std::string key;         // its public key, as `wg` writes it
  std::uint16_t port = 0;  // UDP, on `vtep`
  IpAddress address;       // of the host inside the WireGuard tunnel

  bool operator==(const WireguardInfo&) const = default;
};

// What a host says about itself.
struct HostInfo {
  // 32 hex digits, random, kept in the state folder: never derived from an address.
  std::string id;
  std::string name;                        // for people
  IpAddress vtep;                          // the address to which the other hosts send its packets
  unsigned underlay_mtu = 1500;            // bytes, of the interface that has the vtep
  std::optional<WireguardInfo> wireguard;  // std::nullopt: its kernel has no WireGuard
  std::string version;                     // of Fairlead

  bool operator==(const HostInfo&) const = default;
};

enum class HostState {
  kAlive,
  kSuspect,  // no heartbeat for a while; its entries, blocks and endpoints stay
  kGone,     // it left the cluster, or was removed
};
std::string_view to_string(HostState state);

struct Host {
  HostInfo info;
  std::uint64_t epoch = 0;
  HostState state = HostState::kAlive;
  // Unix seconds at which the host entered this state. Alive or suspect: as this process saw it,
  // and for a host that was in it when this process first looked, the time of that look. Gone: as
  // its record says.
  long long since = 0;

  bool operator==(const Host&) const = default;
};

enum class MembershipState {
  kMember,    // it is a member as before
  kReturned,  // it is a member again: its lease had ended, or others had written this host's record
  // By `host rm`: its endpoints on shared networks are void, its blocks are no longer its own.
  kRemoved,
};

// How far the removal of a host has come. It takes several transactions; calling again repeats it
// from the start.
struct HostRemoval {
  bool complete = false;
  // When it is not complete, the number of seconds after which to call again: others may only get
  // the host's addresses after the host has had the time to see that it was removed.
  long long retry_after = 0;
  // Deleted by this call; addresses counts blocks and single addresses.
  std::size_t endpoints = 0, addresses = 0;
};

// Thread-safe. Errors of the shared store are passed on unchanged: kUnavailable and kIo mean that
// it was not reached; nothing is torn down because of that.
class Membership {
 public:
  virtual ~Membership() = default;

  // Registers this host. Idempotent. kConflict when another machine uses the same host id (a cloned
  // disk), when the lease of this host's previous boot has not ended yet (after a reboot within
  // kLiveSeconds: try again), and when the local state belongs to another cluster. Returns
  // kRemoved, without joining, when this host was removed while it was away.
  virtual Result<MembershipState> join() = 0;
  // To be called after kRemoved, when no endpoint is left on this host: drops what the host owned
  // and joins anew.
  virtual Status join_again() = 0;
  // Sends a heartbeat; to be called every kHeartbeatPeriod. kConflict as for join.
  virtual Result<MembershipState> keep_alive() = 0;
  // Leaves the cluster: the other hosts see the host as gone, and it keeps its blocks. Succeeds
  // when it has not joined.
  virtual Status leave() = 0;

  // Every host that ever joined, ordered by name.
  virtual Result<std::vector<Host>> hosts() = 0;
  // `host rm`, for a machine that does not come back. `host` is a name, an id or a unique prefix of
  // an id of at least 3 digits. kNotFound when there is none, kInvalid when it is ambiguous. Must
  // never be used for a host that runs but cannot reach the store: until it can, that host and
  // others may use the same addresses.
  virtual Result<HostRemoval> remove_host(std::string_view host) = 0;

  // The mass-failure guard. It holds when more than 30 % of the hosts, and at least 3, vanished
  // within 30 seconds: then the store or its network is assumed to have failed, and not the hosts.
  // While it holds, no host becomes suspect; it is released when enough hosts are back, or by
  // `release_hold`.
  virtual bool is_holding() = 0;
  virtual void release_hold() = 0;
  // Sentences for people, each with a hint; empty when all is well.
  virtual std::vector<std::string> problems() = 0;
  // The same of records of hosts, networks and pools that cannot be read: each is left out, and
  // stops nothing else. Logs each once.
  virtual std::vector<std::string> unreadable() = 0;
};

// ---- networks

struct SharedNetwork {
  std::string id;  // 64 hex digits, the same on all hosts
  NetworkName name;
  std::uint32_t vni = 0;
  std::vector<Subnet> subnets;
  unsigned mtu = 1450;                         // bytes inside the tunnel
  std::map<std::string, std::string> options;  // the options that must be the same on all hosts
  bool internal = false;
  long long created = 0;  // Unix seconds

  bool operator==(const SharedNetwork&) const = default;
};

// Thread-safe.
class Networks {
 public:
  virtual ~Networks() = default;

  // Joins the network of that name, or makes it, in one transaction: when two hosts call at once,
  // one creates the network and the other joins it. `occupied` holds subnets that this host uses
  // otherwise: a chosen subnet avoids them, and kExists names one that overlaps a requested subnet
  // or the existing network. kConflict says in what an existing network differs; kUnsupported when
  // this host's underlay is too narrow for the network's MTU.
  virtual Result<SharedNetwork> create_or_join(const NetworkSpec& spec,
                                               const std::vector<Cidr>& occupied) = 0;
  // `network` is a name or an id. kNotFound when there is none.
  virtual Result<SharedNetwork> inspect(std::string_view network) = 0;
  virtual Result<std::vector<SharedNetwork>> list() = 0;
  // Records that this host no longer has the network. kInUse while it has endpoints on it. When the
  // last host leaves, the network is removed. Succeeds for an unknown network.
  virtual Status leave(std::string_view network) = 0;
  // Tells the cluster that this host has exactly the networks with these ids; completes the joins
  // and leaves that an outage or a crash interrupted, and withdraws its endpoints on the others.
  // Returns the ids that the cluster no longer has.
  virtual Result<std::vector<std::string>> keep(const std::vector<std::string>& ids) = 0;
  // Removes the network from all hosts. kInUse while any host has an endpoint on it; the text names
  // the hosts. Succeeds for an unknown network.
  virtual Status remove(std::string_view network) = 0;
  // A subnet that create_or_join would choose now.
  virtual Result<Cidr> free_subnet(Family family, const std::vector<Cidr>& occupied) = 0;
};

// ---- addresses

struct AddressRequest {
  std::string network_id;
  std::string endpoint_id;
  Family family = Family::kV4;
  std::optional<IpAddress> wanted;  // exactly this one
};

// A record of the local store that must still be at this revision when the lease is committed. A
// block is given back only after its record was changed, so no lease is committed out of a block
// that is being given back.
struct LocalGuard {
  std::string key;
  std::int64_t revision = 0;

  bool operator==(const LocalGuard&) const = default;
};

struct AddressOffer {
  // Any free address of these may be given out: only this host uses them.
  std::vector<Cidr> ranges;
  std::optional<IpAddress> exact;  // only this address may be given out; `ranges` is empty then
  std::vector<LocalGuard> guards;  // preconditions of the local transaction that commits the lease
};

// Says which addresses the local allocator has leased. Called from `maintain`.
class LeaseBook {
 public:
  virtual ~LeaseBook() = default;
  // The leased addresses of the network inside `within`, in any order.
  virtual Result<std::vector<IpAddress>> leased(const std::string& network_id,
                                                const Cidr& within) = 0;
};

struct OwnedBlock {
  std::string network_id;
  Cidr block;

  bool operator==(const OwnedBlock&) const = default;
};

// Which addresses this host may give out. A subnet of at least 1,024 addresses is divided into
// blocks, each of which one host owns alone, so that its containers get addresses while the shared
// store cannot be reached. In smaller subnets every address is claimed in the shared store by
// itself, and so is every address that a caller asks for explicitly (a static address claim).
// Thread-safe.
class Addresses {
 public:
  virtual ~Addresses() = default;

  // Plans an address. When this host's membership was proved within kLiveSeconds, it answers from
  // owned blocks without the shared store. Otherwise it asks the shared store first, and uses the
  // owned blocks all the same when that does not answer. kExists when a wanted address is taken or
  // lies in another host's block (the text names the host); kExhausted when none is free; kConflict
  // when this host was removed; kUnavailable when the shared store is needed and cannot be reached.
  virtual Result<AddressOffer> offer(const AddressRequest& request) = 0;
  // Claims one more block, when the ranges of an offer are full. Errors as for `offer`.
  virtual Status extend(const std::string& network_id, Family family) = 0;
  // Gives back a single address; to be called after its lease was deleted in the local store.
  // Succeeds when the shared store cannot be reached (`maintain` completes it later), and for
  // addresses of a block, where there is nothing to do.
  virtual Status give_back(const std::string& network_id, const IpAddress& address) = 0;

  // Maintenance, to be called every few seconds and after allocations: claims the next block where
  // 80 % of the addresses are used, gives back blocks that were empty for 10 minutes, and completes
  // what a crash or an outage interrupted. After an error it goes on with the rest, and returns the
  // first error.
  virtual Status maintain(LeaseBook& book) = 0;
  // To be called when this host no longer has the network: the next `maintain` gives back the
  // addresses it owns in it.
  virtual Status forget(const std::string& network_id) = 0;
  virtual Result<std::vector<OwnedBlock>> owned() = 0;
};

// ---- endpoints

enum class EndpointState { kStarting, kReady, kDraining };
std::string_view to_string(EndpointState state);

struct SharedEndpoint {
  std::string id, network_id;
  std::string host_id;  // filled in by publish
  // Filled in by publish; the record is void when it is below its host's epoch.
  std::uint64_t epoch = 0;
  std::vector<IpAddress> addresses;
  MacAddress mac;
  std::string container;           // the container's name, for people and DNS
  std::vector<std::string> names;  // aliases
  EndpointState state = EndpointState::kStarting;

  bool operator==(const SharedEndpoint&) const = default;
};

// The endpoints of this host as the other hosts see them. Thread-safe.
class Endpoints {
 public:
  virtual ~Endpoints() = default;

  // Publishes the endpoint, or changes what is published. kNotFound when the network is gone,
  // kUnavailable while it is being removed or this host has not joined, kExists when another host
  // has published an endpoint with that id.
  virtual Status publish(const SharedEndpoint& endpoint) = 0;
  virtual Status withdraw(const std::string& network_id, const std::string& endpoint_id) = 0;
  // Makes the host's published endpoints exactly these, after a reboot or an outage. Returns how
  // many records were changed.
  virtual Result<std::size_t> publish_all(const std::vector<SharedEndpoint>& endpoints) = 0;
  // The published endpoints of all hosts.
  virtual Result<std::vector<SharedEndpoint>> list(const std::string& network_id) = 0;
};

// ---- peers

// Packets to `ip` (and to `mac`) go to the host at `vtep`.
struct RemoteEntry {
  IpAddress ip;
  MacAddress mac;
  IpAddress vtep;

  auto operator<=>(const RemoteEntry&) const = default;
};

struct PeerChanges {
  std::string network_id;
  std::vector<RemoteEntry> to_set;     // replaces what was there for the same ip
  std::vector<RemoteEntry> to_remove;  // exactly as they were in an earlier `to_set`
};

// A network as this host has it.
struct PeerNetwork {
  std::string id;
  std::string name;  // for people
  std::vector<Subnet> subnets;
  std::vector<MacAddress> macs;  // of this host's own devices on it: no container has them

  bool operator==(const PeerNetwork&) const = default;
};

struct PeerStatus {
  std::size_t networks = 0, hosts = 0, entries = 0;
  // Entries absent from one complete list; kept until a second list confirms it.
  std::size_t missing = 0;
  std::uint64_t full_lists = 0, batches = 0, failures = 0;
  // In sentences: what other hosts say and is not believed, and the records of these networks that
  // cannot be read.
  std::vector<std::string> refused, unreadable;
};

// Keeps the entries of the other hosts' endpoints up to date, on a thread of its own. Thread-safe.
class Peers {
 public:
  // Called from that thread, one call at a time. After an error the same changes come again a
  // second later.
  using Apply = std::function<Status(const PeerChanges&)>;
  // Called from the same thread with all entries of a network: must make the link hold these and no
  // others. After an error it is called again a second later.
  using Replace =
      std::function<Status(const std::string& network_id, const std::vector<RemoteEntry>&)>;

  virtual ~Peers() = default;  // writes the snapshots; after it no callback is running or will run

  virtual Status attach(const PeerNetwork& network) = 0;
  // What this host itself has on its networks: no other host is believed about its addresses and
  // MACs. Only the ids, addresses and MACs count.
  virtual void set_local(const SharedEndpoint& endpoint) = 0;
  virtual void drop_local(const std::string& network_id, const std::string& endpoint_id) = 0;
  virtual void replace_local(const std::vector<SharedEndpoint>& endpoints) = 0;  // of all networks
  // Forgets the network. Its entries are not removed one by one, because its links are deleted as a
  // whole.
  virtual void detach(const std::string& network_id) = 0;
  virtual std::vector<RemoteEntry> entries(const std::string& network_id) = 0;
  // Has `replace` called with all entries of the network as soon as they are known completely. To
  // be called when the link was made anew, or somebody may have changed it.
  virtual void refresh(const std::string& network_id) = 0;
  // Whether `entries` is complete. It is not until this process has listed the network and the
  // hosts (or has loaded their snapshots and resumed the watches from there) and `apply` has
  // accepted the changes that follow from it. Before that, an entry in the kernel that is not in
  // `entries` may be right and has to stay. Once complete, it stays so during an outage. With an
  // empty id: whether `hosts` is complete.
  virtual bool complete(const std::string& network_id) = 0;
  // The other hosts that were not removed, alive or suspect, ordered by id: the hosts whose packets
  // are to be let in. PeerOptions::apply_hosts is called when they change.
  virtual std::vector<HostInfo> hosts() = 0;
  virtual PeerStatus status() = 0;
};

// ---- this host

// What the service of this host asks of the cluster. Thread-safe.
class ClusterClient {
 public:
  virtual ~ClusterClient() = default;
  virtual Networks& networks() = 0;
  virtual Addresses& addresses() = 0;
  // The parameters of this host's end of the tunnels of a network.
  virtual OverlayParams params_of(const SharedNetwork& network) = 0;
};

struct StoreMember {
  std::string endpoint;
  std::string error;  // not empty: it did not answer, and the fields below are not known
  std::string version;
  bool is_leader = false, has_leader = false;
};

struct ClusterStatus {
  std::string cluster;  // the cluster's name
  HostInfo host;        // this one
  bool joined = false;
  bool is_holding = false;                       // Membership::is_holding
  std::vector<StoreMember> members;              // of the shared store
  std::size_t alive = 0, suspect = 0, gone = 0;  // hosts
  std::size_t networks = 0;                      // of the cluster
  PeerStatus peers;                              // of the networks that this host has
  std::size_t waiting = 0;                       // endpoints that are not published yet
  std::vector<std::string> problems;             // sentences for people, each with a hint
};

// Controls which packets between the hosts the firewall lets through. Thread-safe.
class UnderlayGuard {
 public:
  virtual ~UnderlayGuard() = default;
  // To be called before this host joins: from then on containers cannot send anything to the UDP
  // port of the tunnels, whether this host has the network or not. Otherwise the other hosts, which
  // accept this host's tunnel packets, would accept those of its containers as well.
  virtual Status guard_tunnels() = 0;
  // Lets tunnel packets in from these addresses only (for each host its address in the underlay and
  // the one inside its WireGuard tunnel), and lets packets of encrypted networks in and out through
  // `wireguard_links` only. This is stored, so that the firewall table can be made again without
  // asking the cluster.
  virtual Status guard_underlay(const std::vector<IpAddress>& hosts,
                                const std::vector<IfName>& wireguard_links) = 0;
};

// What the command line asks of the cluster. Thread-safe.
class Control {
 public:
  virtual ~Control() = default;
  // Also works while the shared store cannot be reached; `problems` says so then.
  virtual ClusterStatus status() = 0;
  virtual Result<std::vector<Host>> hosts() = 0;
  virtual Result<HostRemoval> remove_host(std::string_view host) = 0;  // see Membership
  virtual void release_hold() = 0;                                     // Membership::release_hold
};

}  // namespace fairlead::network::cluster
