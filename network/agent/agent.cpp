#include "network/agent/agent.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

#include "base/log.h"
#include "network/agent/publisher.h"
#include "network/cluster/cluster.h"
#include "network/cluster/peers.h"
#include "network/ipam/ipam.h"

namespace fairlead::network {

namespace {

using cluster::Host;
using cluster::HostRemoval;
using cluster::HostState;
using cluster::MembershipState;
using cluster::PeerChanges;
using cluster::SharedNetwork;

constexpr std::chrono::seconds kJoinRetry{1};
constexpr std::chrono::seconds kFirstJoin{3};  // how long a start waits for it
// How often the kernel's entries are compared with what they should be. A dump of many is dear.
constexpr std::chrono::seconds kCompare{60}, kCompareMany{600};
constexpr std::size_t kMany = 10'000;
// A process that was killed has left entries behind, of which some are new since its last snapshot:
// they are compared once the watches have told of them.
constexpr std::chrono::seconds kFirstCompare{30};

// What the local allocator has given out.
class LeasesInUse : public cluster::LeaseBook {
 public:
  LeasesInUse(NetworkService& service, state::Store& local, const std::string& boot_id)
      : service_(service), ipam_(local, {.boot_id = boot_id, .ula_seed = {}}) {}

  Result<std::vector<IpAddress>> leased(const std::string& network_id,
                                        const Cidr& within) override {
    std::vector<IpAddress> addresses;
    const auto network = service_.inspect_network(NetworkId{network_id});
    if (!network && network.error().code == Code::kNotFound) return addresses;
    TRY_STATUS(network);
    for (const Subnet& subnet : network->subnets) {
      if (!subnet.subnet.contains(within.first())) continue;
      TRY(const auto leases, ipam_.list_leases(subnet.subnet));
      for (const LeaseRecord& lease : leases)
        if (lease.use == AddressUse::kEndpoint && within.contains(lease.address))
          addresses.push_back(lease.address);
    }
    return addresses;
  }

 private:
  NetworkService& service_;
  Ipam ipam_;
};

constexpr unsigned kBeatsPerLook = 12;  // for records that cannot be read
constexpr std::size_t kMostNamed = 5;   // records that a status names in words

class HostAgent : public Agent {
 public:
  explicit HostAgent(AgentParts parts)
      : parts_(std::move(parts)),
        cluster_({.shared = parts_.shared,
                  .local = parts_.local,
                  .leases = parts_.leases,
                  .info = parts_.host,
                  .boot_id = parts_.boot_id},
                 cluster::system_clock()) {}
  ~HostAgent() override { HostAgent::stop(); }

  // ---- ClusterClient
  cluster::Networks& networks() override { return cluster_.networks(); }
  cluster::Addresses& addresses() override { return cluster_.addresses(); }
  OverlayParams params_of(const SharedNetwork& network) override {
    const bool encrypted = parts_.host.wireguard && cluster::is_encrypted(network);
    const IpAddress local = encrypted ? parts_.host.wireguard->address : parts_.host.vtep;
    return {.vni = network.vni,
            .local = local,
            .underlay_mtu = network.mtu + kernel::vxlan_overhead(local.family())};
  }

  // ---- Control
  cluster::ClusterStatus status() override;
  Result<std::vector<Host>> hosts() override { return cluster_.membership().hosts(); }
  Result<HostRemoval> remove_host(std::string_view host) override {
    return cluster_.membership().remove_host(host);
  }
  void release_hold() override { cluster_.membership().release_hold(); }

  void start(NetworkService& service, cluster::UnderlayGuard& guard) override;
  void stop() override;
  void on_tunnel_made(const std::string& network_id) override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  // ---- membership
  void take_part(std::stop_token stop);
  Result<MembershipState> heartbeat();
  void step_back();
  Status return_after_removal();
  void note(std::string problem);
  void tell_of_peers(cluster::ClusterStatus& status);
  void tell_of_store(cluster::ClusterStatus& status);

  // ---- entries
  void add(const Network& network);
  void drop(const std::string& network_id);
  struct Device {
    IfName name;
    bool encrypted = false;
  };
  std::optional<Device> device_of(const std::string& network_id);
  Status apply_hosts(const std::vector<cluster::HostInfo>& hosts);
  Status set_peers(const std::vector<cluster::HostInfo>& hosts);
  const cluster::WireguardInfo* wireguard_of(const cluster::HostInfo& host) const;
  void mend_wireguard_link();
  Status apply(const PeerChanges& changes);
  Status replace(const std::string& network_id, const std::vector<cluster::RemoteEntry>& entries);
  std::vector<kernel::RemoteEntry> reachable(const Device& device,
                                             const std::vector<cluster::RemoteEntry>& entries);
  void compare_now_and_then(std::stop_token stop);

  AgentParts parts_;
  cluster::Cluster cluster_;
  NetworkService* service_ = nullptr;
  cluster::UnderlayGuard* underlay_ = nullptr;
  std::unique_ptr<LeasesInUse> leases_;
  std::unique_ptr<cluster::Peers> peers_;
  std::unique_ptr<Publisher> publisher_;

  std::mutex guard_;
  std::condition_variable_any changed_;
  std::map<std::string, Device> devices_;     // by network id
  std::map<IpAddress, IpAddress> wireguard_;  // of the other hosts: in the underlay -> inside
  std::map<std::string, Time> compare_at_;
  bool joined_ = false, tried_ = false;  // to join
  std::string problem_;                  // of the membership

  std::jthread member_, comparer_;
};

void HostAgent::start(NetworkService& service, cluster::UnderlayGuard& guard) {
  service_ = &service;
  underlay_ = &guard;
  leases_ = std::make_unique<LeasesInUse>(service, parts_.local, parts_.boot_id);
  peers_ = cluster::make_peers(
      parts_.shared,
      {.host = parts_.host,
       .folder = parts_.snapshots,
       .apply_hosts = [this](const auto& hosts) { return apply_hosts(hosts); }},
      cluster::system_clock(), [this](const PeerChanges& changes) { return apply(changes); },
      [this](const std::string& network_id, const auto& entries) {
        return replace(network_id, entries);
      });
  publisher_ = std::make_unique<Publisher>(
      PublisherParts{.changes = parts_.changes,
                     .service = service,
                     .networks = cluster_.networks(),
                     .addresses = cluster_.addresses(),
                     .endpoints = cluster_.endpoints(),
                     .host_id = parts_.host.id,
                     .boot_id = parts_.boot_id,
                     .on_network = [this](const Network& network) { add(network); },
                     .on_network_gone = [this](const std::string& id) { drop(id); },
                     .peers = *peers_});
  member_ = std::jthread([this](std::stop_token stop) { take_part(std::move(stop)); });
  comparer_ = std::jthread([this](std::stop_token stop) { compare_now_and_then(std::move(stop)); });
  std::unique_lock hold(guard_);
  changed_.wait_for(hold, kFirstJoin, [this] { return tried_; });
}

void HostAgent::stop() {
  if (service_ == nullptr) return;
  for (std::jthread* thread : {&member_, &comparer_}) {
    thread->request_stop();
    thread->join();
  }
  publisher_.reset();
  peers_.reset();
  if (auto left = cluster_.membership().leave(); !left)
    log::warn("cluster.leave", {{"error", left.error().text}});
  service_ = nullptr;
}

// ---- membership

void HostAgent::take_part(std::stop_token stop) {
  unsigned beats = 0;
  while (!stop.stop_requested()) {
    const auto state = heartbeat();
    if (state) {
      note("");
      if (beats++ % kBeatsPerLook == 0) cluster_.membership().unreadable();  // for the log
      if (auto maintained = cluster_.addresses().maintain(*leases_); !maintained)
        log::warn("cluster.maintain", {{"error", maintained.error().text}});
    } else {
      note(state.error().text);
    }
    std::unique_lock hold(guard_);
    tried_ = true;
    changed_.notify_all();
    const std::chrono::milliseconds pause =
        joined_ ? std::chrono::milliseconds(cluster::kHeartbeatPeriod) : kJoinRetry;
    changed_.wait_for(hold, stop, pause, [] { return false; });
  }
}

Result<MembershipState> HostAgent::heartbeat() {
  bool joined = false;
  {
    const std::scoped_lock hold(guard_);
    joined = joined_;
  }
  auto& membership = cluster_.membership();
  if (!joined) TRY_STATUS(underlay_->guard_tunnels());
  const auto told = joined ? membership.keep_alive() : membership.join();
  if (joined && !told && told.error().code == Code::kConflict) step_back();
  TRY(const MembershipState state, told);
  if (state == MembershipState::kRemoved) TRY_STATUS(return_after_removal());
  if (!joined || state != MembershipState::kMember) publisher_->joined();
  const std::scoped_lock hold(guard_);
  joined_ = true;
  return state;
}

// This process is not the host any more: it was removed, or another machine has its id.
void HostAgent::step_back() {
  publisher_->left();
  const std::scoped_lock hold(guard_);
  joined_ = false;
}

// Somebody said `host rm`: other hosts may have the addresses of the containers here.
Status HostAgent::return_after_removal() {
  step_back();
  log::error("cluster.removed", {{"host", parts_.host.name}});
  TRY(const auto usages, service_->list_networks());
  for (const auto& [network, count] : usages) {
    if (!network.overlay) continue;
    TRY(const auto endpoints, service_->list_endpoints(NetworkId{network.id}));
    for (const Endpoint& endpoint : endpoints) {
      log::warn("cluster.cut off", {{"network", network.name.str()}, {"endpoint", endpoint.id}});
      TRY_STATUS(service_->remove_endpoint({NetworkId{network.id}, endpoint.id}));
    }
  }
  return cluster_.membership().join_again();
}

void HostAgent::note(std::string problem) {
  const std::scoped_lock hold(guard_);
  if (problem != problem_ && !problem.empty()) log::warn("cluster.member", {{"error", problem}});
  if (problem.empty() && !problem_.empty()) log::info("cluster.member", {{"is", "well again"}});
  problem_ = std::move(problem);
}

void HostAgent::tell_of_peers(cluster::ClusterStatus& status) {
  status.peers = peers_->status();
  for (const cluster::HostInfo& host : peers_->hosts())
    if (host.wireguard && parts_.wireguard && wireguard_of(host) == nullptr)
      status.peers.refused.push_back(fmt::format(
          "WireGuard address {} of host {} ({}) is refused: it is not the one of that host's id",
          host.wireguard->address.to_string(), host.name, host.id.substr(0, 12)));
}

namespace {

// The first few in words; the API shows all.
void name_some(const std::vector<std::string>& texts, std::vector<std::string>& problems) {
  const std::size_t named = std::min(texts.size(), kMostNamed);
  problems.insert(problems.end(), texts.begin(),
                  texts.begin() + static_cast<std::ptrdiff_t>(named));
  if (named < texts.size())
    problems.push_back(
        fmt::format("and {} more; `fairlead cluster status --json` has all", texts.size() - named));
}

}  // namespace

cluster::ClusterStatus HostAgent::status() {
  cluster::ClusterStatus status{.cluster = parts_.cluster, .host = parts_.host};
  {
    const std::scoped_lock hold(guard_);
    status.joined = joined_;
    if (!problem_.empty()) status.problems.push_back(problem_);
  }
  status.members = parts_.members();
  if (peers_) tell_of_peers(status);
  if (publisher_) {
    status.waiting = publisher_->waiting();
    for (std::string& text : publisher_->problems()) status.problems.push_back(std::move(text));
  }
  for (const cluster::StoreMember& member : status.members)
    if (!member.error.empty())
      status.problems.push_back(
          fmt::format("member {} of etcd does not answer: {}", member.endpoint, member.error));
  for (const cluster::StoreMember& member : status.members)
    if (member.endpoint.starts_with("http://"))
      status.problems.push_back(
          fmt::format("member {} of etcd is asked without TLS: whoever is on the way can write all "
                      "records of the cluster; use https:// and certificates",
                      member.endpoint));
  const bool answers = std::ranges::any_of(
      status.members, [](const auto& member) { return member.error.empty() && member.has_leader; });
  if (answers) tell_of_store(status);  // else each question would wait for its deadline
  name_some(status.peers.refused, status.problems);
  name_some(status.peers.unreadable, status.problems);
  return status;
}

void HostAgent::tell_of_store(cluster::ClusterStatus& status) {
  for (std::string& text : cluster_.membership().unreadable())
    status.peers.unreadable.push_back(std::move(text));
  status.is_holding = cluster_.membership().is_holding();
  for (std::string& text : cluster_.membership().problems())
    status.problems.push_back(std::move(text));
  if (const auto networks = cluster_.networks().list()) status.networks = networks->size();
  if (const auto hosts = cluster_.membership().hosts())
    for (const Host& host : *hosts)
      ++(host.state == HostState::kAlive     ? status.alive
         : host.state == HostState::kSuspect ? status.suspect
                                             : status.gone);
}

// ---- entries

void HostAgent::add(const Network& network) {
  {
    const std::scoped_lock hold(guard_);
    devices_[network.id] = {overlay_device(*network.overlay), network.options.encrypted};
    compare_at_.try_emplace(network.id, std::chrono::steady_clock::now() + kFirstCompare);
    changed_.notify_all();
  }
  cluster::PeerNetwork view{.id = network.id,
                            .name = network.name.str(),
                            .subnets = network.subnets,
                            .macs = {bridge_mac_of(network.id), tunnel_mac_of(network.id)}};
  if (auto attached = peers_->attach(view); !attached)
    log::error("cluster.attach", {{"error", attached.error().text}});
}

void HostAgent::drop(const std::string& network_id) {
  peers_->detach(network_id);
  const std::scoped_lock hold(guard_);
  devices_.erase(network_id);
  compare_at_.erase(network_id);
}

std::optional<HostAgent::Device> HostAgent::device_of(const std::string& network_id) {
  const std::scoped_lock hold(guard_);
  const auto found = devices_.find(network_id);
  if (found == devices_.end()) return std::nullopt;
  return found->second;
}

// Whom packets are taken from, and whom they are sent to in secret.
Status HostAgent::apply_hosts(const std::vector<cluster::HostInfo>& hosts) {
  std::vector<IpAddress> addresses;
  std::map<IpAddress, IpAddress> wireguard;
  for (const cluster::HostInfo& host : hosts) {
    addresses.push_back(host.vtep);
    const cluster::WireguardInfo* inside = wireguard_of(host);
    if (inside == nullptr) continue;
    addresses.push_back(inside->address);
    wireguard.emplace(host.vtep, inside->address);
  }
  std::ranges::sort(addresses);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  std::vector<IfName> links;
  if (parts_.wireguard) links.push_back(parts_.wireguard->spec.name);
  TRY_STATUS(underlay_->guard_underlay(addresses, links));
  TRY_STATUS(set_peers(hosts));
  const std::scoped_lock hold(guard_);
  if (wireguard == wireguard_) return {};
  wireguard_ = std::move(wireguard);
  for (const auto& [id, device] : devices_)
    if (device.encrypted) compare_at_[id] = {};
  changed_.notify_all();
  return {};
}

// A host's address inside follows from its id: with any other it would get the packets of the host
// whose address that is. nullptr when the host has none, or this host cannot encrypt.
const cluster::WireguardInfo* HostAgent::wireguard_of(const cluster::HostInfo& host) const {
  if (!host.wireguard || !parts_.host.wireguard || !parts_.wireguard) return nullptr;
  const IpAddress expected = kernel::wireguard_address("", host.id).address();
  const auto own = parts_.host.wireguard->address.bytes(), its = host.wireguard->address.bytes();
  const bool is_its_own = its.size() == 16 && own.size() == 16 &&
                          std::ranges::equal(its.first(8), own.first(8)) &&
                          std::ranges::equal(its.last(8), expected.bytes().last(8));
  return is_its_own ? &*host.wireguard : nullptr;
}

Status HostAgent::set_peers(const std::vector<cluster::HostInfo>& hosts) {
  if (!parts_.wireguard) return {};
  std::vector<kernel::WireguardPeer> peers;
  for (const cluster::HostInfo& host : hosts) {
    if (wireguard_of(host) == nullptr) continue;
    auto key = kernel::PublicKey::parse(host.wireguard->key);
    if (!key) {
      log::error("cluster.peer", {{"host", host.name}, {"error", key.error().text}});
      continue;
    }
    const unsigned whole = host.wireguard->address.is_v4() ? 32 : 128;
    peers.push_back({.key = *key,
                     .endpoint = kernel::UdpEndpoint{host.vtep, host.wireguard->port},
                     .allowed_ips = {Cidr::of(host.wireguard->address, whole)}});
  }
  return status_of(parts_.wireguard->links.set_peers(parts_.wireguard->spec.name, peers));
}

// What others did to the device is undone.
void HostAgent::mend_wireguard_link() {
  if (!parts_.wireguard) return;
  const auto ensured = parts_.wireguard->links.ensure(parts_.wireguard->spec);
  if (!ensured) return log::error("cluster.wireguard", {{"error", ensured.error().text}});
  if (const Status set = set_peers(peers_->hosts()); !set)
    log::error("cluster.wireguard", {{"error", set.error().text}});
}

// A host that cannot be reached through the network's tunnel is left out: it has no address there,
// or one of the other family. What is for it goes nowhere.
std::vector<kernel::RemoteEntry> HostAgent::reachable(
    const Device& device, const std::vector<cluster::RemoteEntry>& entries) {
  std::vector<kernel::RemoteEntry> reachable;
  reachable.reserve(entries.size());
  const std::scoped_lock hold(guard_);
  for (const cluster::RemoteEntry& entry : entries) {
    kernel::RemoteEntry known{entry.ip, entry.mac, entry.vtep};
    if (device.encrypted) {
      const auto inside = wireguard_.find(entry.vtep);
      if (inside == wireguard_.end()) continue;
      known.vtep = inside->second;
    } else if (entry.vtep.family() != parts_.host.vtep.family()) {
      continue;
    }
    reachable.push_back(known);
  }
  return reachable;
}

namespace {

// Without a device there is nothing to program: when it is made, all entries come again.
Status outcome(Result<kernel::EntryChanges> changed) {
  if (!changed) return changed.error().code == Code::kNotFound ? Status() : fail(changed.error());
  if (changed->failures.empty()) return {};
  return fail(changed->failures.front().error);
}

}  // namespace

Status HostAgent::apply(const PeerChanges& changes) {
  const auto device = device_of(changes.network_id);
  if (!device) return {};
  return outcome(parts_.tunnels.apply(device->name, reachable(*device, changes.to_set),
                                      reachable(*device, changes.to_remove)));
}

Status HostAgent::replace(const std::string& network_id,
                          const std::vector<cluster::RemoteEntry>& entries) {
  const auto device = device_of(network_id);
  if (!device) return {};
  auto changed = parts_.tunnels.sync(device->name, reachable(*device, entries));
  if (changed && changed->set + changed->removed > 0)
    log::info(
        "cluster.entries mended",
        {{"device", device->name.str()}, {"set", changed->set}, {"removed", changed->removed}});
  return outcome(std::move(changed));
}

void HostAgent::on_tunnel_made(const std::string& network_id) {
  const std::scoped_lock hold(guard_);
  compare_at_[network_id] = {};
  changed_.notify_all();
}

void HostAgent::compare_now_and_then(std::stop_token stop) {
  std::unique_lock hold(guard_);
  Time links_due = std::chrono::steady_clock::now() + kFirstCompare;
  while (!stop.stop_requested()) {
    const Time now = std::chrono::steady_clock::now();
    Time next = std::max(links_due, now + std::chrono::milliseconds(1));
    std::vector<std::string> due;
    for (auto& [id, at] : compare_at_) {
      if (!devices_.contains(id)) continue;  // it is still being made
      if (at <= now) {
        due.push_back(id);
        at = now + kCompare;
      }
      next = std::min(next, at);
    }
    hold.unlock();
    if (now >= links_due) {
      mend_wireguard_link();
      links_due = now + kCompare;
    }
    for (const std::string& id : due) {
      peers_->refresh(id);
      const bool many = peers_->entries(id).size() > kMany;
      const std::scoped_lock again(guard_);
      if (many && compare_at_.contains(id)) compare_at_[id] = now + kCompareMany;
    }
    hold.lock();
    changed_.wait_until(hold, stop, next, [&] {
      return std::ranges::any_of(compare_at_, [&](const auto& entry) {
        return entry.second == Time{} && devices_.contains(entry.first);
      });
    });
  }
}

}  // namespace

std::unique_ptr<Agent> make_agent(AgentParts parts) {
  return std::make_unique<HostAgent>(std::move(parts));
}

}  // namespace fairlead::network
