// The control plane of networks over several hosts: who takes part, which networks there are, which
// host gives out which addresses, and behind which host each address is. Values and abstract
// classes; network/cluster implements them over one store that all hosts share and the local store
// of this host.
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
// Two words used throughout: the *shared* store is the one of all hosts, the *local* store that of
// this host.
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

// How a host takes packets that nobody else can read: by WireGuard.
struct WireguardInfo {
  std::string key;         // its public key, as `wg` writes it
  std::uint16_t port = 0;  // UDP, on `vtep`
  IpAddress address;       // inside

  bool operator==(const WireguardInfo&) const = default;
};

// What a host says about itself.
struct HostInfo {
  std::string id;    // 32 hex digits, random, kept in the state folder: never an address
  std::string name;  // for people
  IpAddress vtep;    // where the other hosts send its packets to
  unsigned underlay_mtu = 1500;  // bytes, of the interface that has the vtep
  std::vector<std::string> capabilities;
  std::optional<WireguardInfo> wireguard;  // nothing: its kernel cannot
  std::string version;                     // of Fairlead

  bool operator==(const HostInfo&) const = default;
};

enum class HostState {
  kAlive,
  kSuspect,  // not heard of; its entries, blocks and endpoints stay
  kGone,     // it left, or it was removed
};
std::string_view to_string(HostState state);

struct Host {
  HostInfo info;
  std::uint64_t epoch = 0;
  HostState state = HostState::kAlive;
  // Unix seconds: since when it is in this state, as far as this process saw it. An alive host, and
  // one that was suspect before this process looked first: since then.
  long long since = 0;

  bool operator==(const Host&) const = default;
};

enum class MembershipState {
  kMember,    // as before
  kReturned,  // member again: the lease had run out, or others wrote this host's record meanwhile
  kRemoved,   // `host rm`: every endpoint of a shared network here is void, and the blocks are gone
};

// Where a removal stands. It is done in several transactions, and again from the start by calling
// again.
struct HostRemoval {
  bool complete = false;
  // Not complete: the host must have had the time to see that it was removed before others may have
  // its addresses. Call again after this many seconds.
  long long retry_after = 0;
  std::size_t endpoints = 0, addresses = 0;  // deleted by this call; addresses: blocks and singles
};

// Thread-safe. Errors of the shared store come through as they are: kUnavailable and kIo mean "not
// reached", and nothing was torn down because of that.
class Membership {
 public:
  virtual ~Membership() = default;

  // Registers this host. Idempotent. kConflict when another machine lives under the same host id (a
  // cloned disk), or this one's own last life has not run out yet (a reboot within kLiveSeconds:
  // try again), and when the local state belongs to another cluster. Answers kRemoved, and has not
  // joined, when this host was removed while it was away.
  virtual Result<MembershipState> join() = 0;
  // After kRemoved, when no endpoint is left here: drops what this host owned and joins anew.
  virtual Status join_again() = 0;
  // Every kHeartbeatPeriod. kConflict as join.
  virtual Result<MembershipState> keep_alive() = 0;
  // An orderly end: the host is gone for the others, and keeps its blocks. Not joined: succeeds.
  virtual Status leave() = 0;

  // Every host that ever joined and was not forgotten, ordered by name.
  virtual Result<std::vector<Host>> hosts() = 0;
  // `host rm`: for a machine that does not come back. `host` is a name, an id or a unique prefix of
  // at least 3 digits; kNotFound, kInvalid when it is ambiguous. Never for a host that runs and
  // cannot reach the store: until it can, both sides may use the same addresses.
  virtual Result<HostRemoval> remove_host(std::string_view host) = 0;

  // More than 30 % of the hosts, and at least 3, vanished within 30 seconds: that is the store or
  // its network and not the hosts. Nobody becomes suspect until enough are back or
  // `release_hold`.
  virtual bool is_holding() = 0;
  virtual void release_hold() = 0;
  // In words, with a hint; empty when all is well.
  virtual std::vector<std::string> problems() = 0;
};

// ---- networks

struct SharedNetwork {
  std::string id;  // 64 hex digits, the same on all hosts
  NetworkName name;
  std::uint32_t vni = 0;
  std::vector<Subnet> subnets;
  unsigned mtu = 1450;                         // bytes inside the tunnel
  std::map<std::string, std::string> options;  // those that all hosts have to share
  bool internal = false;
  long long created = 0;  // Unix seconds

  bool operator==(const SharedNetwork&) const = default;
};

// Thread-safe.
class Networks {
 public:
  virtual ~Networks() = default;

  // The network of that name, or a new one: one transaction, so that of two hosts that create at
  // once one creates and one joins. `occupied`: subnets that this host uses otherwise; a chosen one
  // avoids them, and kExists names one that lies in a wanted or existing network's way. kConflict
  // says in what an existing network differs; kUnsupported when this host's underlay is too narrow
  // for the network's MTU.
  virtual Result<SharedNetwork> create_or_join(const NetworkSpec& spec,
                                               const std::vector<Cidr>& occupied) = 0;
  // By name or id. kNotFound.
  virtual Result<SharedNetwork> inspect(std::string_view network) = 0;
  virtual Result<std::vector<SharedNetwork>> list() = 0;
  // This host has it no more: kInUse while it has endpoints on it. The last host to leave takes the
  // network away. Unknown: succeeds.
  virtual Status leave(std::string_view network) = 0;
  // This host has exactly the networks with these ids: joins and leaves what an outage or a crash
  // cut short. Those that are gone from the cluster are returned.
  virtual Result<std::vector<std::string>> keep(const std::vector<std::string>& ids) = 0;
  // Takes it away for all hosts. kInUse while any host has an endpoint on it: the text names the
  // hosts. Unknown: succeeds.
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

// A record of the local store that must still be at this revision when the lease is committed: a
// block is given back only after its record was changed.
struct LocalGuard {
  std::string key;
  std::int64_t revision = 0;

  bool operator==(const LocalGuard&) const = default;
};

struct AddressOffer {
  std::vector<Cidr> ranges;        // give out any free address of these: they are this host's alone
  std::optional<IpAddress> exact;  // or exactly this one; `ranges` is empty then
  std::vector<LocalGuard> guards;  // preconditions of the local transaction that holds the lease
};

// What the local allocator has given out. Called from `maintain`.
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

// Which addresses this host may give out. A subnet of at least 1,024 addresses is cut into blocks
// that one host owns for itself, so that its containers get addresses while the shared store cannot
// be reached; of smaller subnets, and of addresses asked for by number, each one is claimed in the
// shared store. Thread-safe.
class Addresses {
 public:
  virtual ~Addresses() = default;

  // Plans an address. Answers from owned blocks without the shared store when this host's standing
  // was proved within kLiveSeconds, asks it otherwise, and goes on without an answer. kExists when
  // a wanted address is taken or in another host's block (the text names it); kExhausted;
  // kConflict when this host was removed; kUnavailable when the shared store is needed and cannot
  // be reached.
  virtual Result<AddressOffer> offer(const AddressRequest& request) = 0;
  // The ranges of an offer are full: claims one more block. Errors as `offer`.
  virtual Status extend(const std::string& network_id, Family family) = 0;
  // After the lease was taken out of the local store. Succeeds when the shared store cannot be
  // reached (`maintain` goes on), and for addresses of a block.
  virtual Status give_back(const std::string& network_id, const IpAddress& address) = 0;

  // Every few seconds and after allocations: claims the next block where 80 % are used, gives back
  // blocks that were empty for 10 minutes, ends what a crash or an outage cut short. Goes on after
  // errors and returns the first.
  virtual Status maintain(LeaseBook& book) = 0;
  // This host has the network no more: the next `maintain` gives back what it owns of it.
  virtual Status forget(const std::string& network_id) = 0;
  virtual Result<std::vector<OwnedBlock>> owned() = 0;
};

// ---- endpoints

enum class EndpointState { kStarting, kReady, kDraining };
std::string_view to_string(EndpointState state);

struct SharedEndpoint {
  std::string id, network_id;
  std::string host_id;      // filled in by publish
  std::uint64_t epoch = 0;  // filled in by publish; below its host's: void
  std::vector<IpAddress> addresses;
  MacAddress mac;
  std::string container;           // its name, for people and DNS
  std::vector<std::string> names;  // aliases
  EndpointState state = EndpointState::kStarting;

  bool operator==(const SharedEndpoint&) const = default;
};

// The endpoints of this host as the other hosts see them. Thread-safe.
class Endpoints {
 public:
  virtual ~Endpoints() = default;

  // Makes it known, or changes it. kNotFound when the network is gone, kUnavailable while it is
  // being removed or this host has not joined, kExists when another host has that id.
  virtual Status publish(const SharedEndpoint& endpoint) = 0;
  virtual Status withdraw(const std::string& network_id, const std::string& endpoint_id) = 0;
  // Makes the host's published endpoints exactly these: after a reboot, after an outage. Returns
  // how many records were changed.
  virtual Result<std::size_t> publish_all(const std::vector<SharedEndpoint>& endpoints) = 0;
  // Of all hosts.
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
  std::vector<RemoteEntry> to_remove;  // as they were given to be set
};

struct PeerStatus {
  std::size_t networks = 0, hosts = 0, entries = 0;
  std::size_t missing = 0;  // absent from a complete list once: kept until the second look
  std::uint64_t full_lists = 0, batches = 0, failures = 0;
};

// Keeps the entries of the other hosts' endpoints up to date, on a thread of its own. Thread-safe.
class Peers {
 public:
  // Called from that thread, one at a time. An error: the same changes come again a second later.
  using Apply = std::function<Status(const PeerChanges&)>;
  // The same thread, all entries of a network: makes the link hold these and no others. An error:
  // again a second later.
  using Replace =
      std::function<Status(const std::string& network_id, const std::vector<RemoteEntry>&)>;

  virtual ~Peers() = default;  // writes the snapshot; `apply` is not running and will not run after

  virtual Status attach(const std::string& network_id) = 0;
  // Forgets the network; its entries are not removed one by one, the links go as a whole.
  virtual void detach(const std::string& network_id) = 0;
  virtual std::vector<RemoteEntry> entries(const std::string& network_id) = 0;
  // Has `replace` called with all entries of the network, as soon as they are known completely: the
  // link was made anew, or somebody may have touched it.
  virtual void refresh(const std::string& network_id) = 0;
  // Is `entries` all there is? False until this process has listed the network and the hosts (or
  // has taken up their snapshots and the watches behind them) and `apply` has taken what follows:
  // before that, an entry in the kernel that is not in `entries` may be right and has to stay. An
  // outage does not take it back. An empty id: the same of `hosts`.
  virtual bool complete(const std::string& network_id) = 0;
  // The other hosts that were not removed, whether they are heard of or not, ordered by id: whose
  // packets are to be let in. PeerOptions::apply_hosts is told when they change.
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
  // How this host takes part in the tunnels of a network.
  virtual OverlayParams params_of(const SharedNetwork& network) = 0;
};

struct StoreMember {
  std::string endpoint;
  std::string error;  // not empty: it did not answer, and the rest is not known
  std::string version;
  bool is_leader = false, has_leader = false;
};

struct ClusterStatus {
  std::string cluster;  // its name
  HostInfo host;        // this one
  bool joined = false;
  bool is_holding = false;                       // Membership::is_holding
  std::vector<StoreMember> members;              // of the shared store
  std::size_t alive = 0, suspect = 0, gone = 0;  // hosts
  std::size_t networks = 0;                      // of the cluster
  PeerStatus peers;                              // of the networks that this host has
  std::size_t waiting = 0;            // endpoints that the others have not been told of yet
  std::vector<std::string> problems;  // in words, with a hint; empty when all is well
};

// What the firewall lets in between the hosts. Thread-safe.
class UnderlayGuard {
 public:
  virtual ~UnderlayGuard() = default;
  // Before this host joins: from now on containers send nothing to the port of the tunnels, whether
  // this host has the network or not. Once others take its packets, theirs would be taken as well.
  virtual Status guard_tunnels() = 0;
  // Packets of tunnels are taken from these addresses and no others (of each host the one in the
  // underlay and the one inside of its wireguard link), and those of encrypted networks come and go
  // through `wireguard_links` only. Remembered, so that the table can be made again without asking.
  virtual Status guard_underlay(const std::vector<IpAddress>& hosts,
                                const std::vector<IfName>& wireguard_links) = 0;
};

// What people ask of the cluster. Thread-safe.
class Control {
 public:
  virtual ~Control() = default;
  // Answers although the shared store cannot be reached: `problems` says so then.
  virtual ClusterStatus status() = 0;
  virtual Result<std::vector<Host>> hosts() = 0;
  virtual Result<HostRemoval> remove_host(std::string_view host) = 0;  // see Membership
  virtual void release_hold() = 0;                                     // Membership::release_hold
};

}  // namespace fairlead::network::cluster
