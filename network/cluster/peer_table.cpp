#include "network/cluster/peer_table.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace fairlead::network::cluster {

namespace {

struct HashIp {
  std::size_t operator()(const IpAddress& ip) const {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const std::uint8_t byte : ip.bytes()) hash = (hash ^ byte) * 0x100000001b3ULL;
    return hash ^ (hash >> 29);
  }
};
struct HashMac {
  std::size_t operator()(const MacAddress& mac) const {
    std::uint64_t bits = 0;
    std::memcpy(&bits, mac.bytes().data(), 6);
    return (bits * 0x9e3779b97f4a7c15ULL) >> 7;
  }
};

template <class T>
void erase_one(std::vector<T>& values, T value) {
  const auto found = std::ranges::find(values, value);
  if (found == values.end()) return;
  *found = values.back();
  values.pop_back();
}

}  // namespace

struct PeerTable::Host {
  HostRecord record;
  std::int64_t revision = 0;
  bool known = false;  // `record` was seen; an endpoint's record may come before its host's
  struct Of {
    Network* network;
    const Endpoint* endpoint;
    bool operator==(const Of&) const = default;
  };
  std::vector<Of> endpoints;
};

struct PeerTable::Endpoint {
  std::string id;
  std::vector<IpAddress> addresses;
  MacAddress mac;
  Host* host = nullptr;
  std::size_t place = 0;  // index in the host's list
  std::uint64_t epoch = 0;
  EndpointState state = EndpointState::kStarting;
  std::int64_t revision = 0;
  std::optional<Time> missing_since;

  bool is_void() const { return !host->known || epoch < host->record.epoch; }
};

struct PeerTable::Slot {
  std::vector<const Endpoint*> candidates;
  std::optional<RemoteEntry> given;
};

struct PeerTable::Network {
  std::string id;
  std::unordered_map<std::string, std::unique_ptr<Endpoint>> endpoints;
  std::unordered_map<IpAddress, Slot, HashIp> slots;
  std::unordered_map<MacAddress, std::vector<const Endpoint*>, HashMac> macs;
  std::unordered_set<IpAddress, HashIp> dirty;
  std::size_t missing = 0, given = 0;
};

PeerTable::PeerTable(std::string own_host) : own_host_(std::move(own_host)) {}
PeerTable::~PeerTable() = default;

void PeerTable::attach(const std::string& network_id) {
  auto& network = networks_[network_id];
  if (network) return;
  network = std::make_unique<Network>();
  network->id = network_id;
}

void PeerTable::detach(const std::string& network_id) {
  Network* network = find(network_id);
  if (network == nullptr) return;
  for (auto& [id, one] : hosts_)
    std::erase_if(one->endpoints, [&](const Host::Of& of) { return of.network == network; });
  for (auto& [id, one] : hosts_)
    for (std::size_t i = 0; i < one->endpoints.size(); ++i)
      const_cast<Endpoint*>(one->endpoints[i].endpoint)->place = i;
  networks_.erase(network_id);
}

PeerTable::Network* PeerTable::find(const std::string& network_id) {
  const auto found = networks_.find(network_id);
  return found == networks_.end() ? nullptr : found->second.get();
}

PeerTable::Host& PeerTable::host(const std::string& id) {
  auto& found = hosts_[id];
  if (!found) found = std::make_unique<Host>();
  return *found;
}

void PeerTable::set_host(const HostRecord& record, std::int64_t revision) {
  Host& one = host(record.info.id);
  if (one.known && revision <= one.revision) return;
  const bool same =
      one.known && one.record.info.vtep == record.info.vtep && one.record.epoch == record.epoch;
  one.record = record;
  one.revision = revision;
  one.known = true;
  if (!same) touch_all(one);
}

void PeerTable::drop_host(const std::string& host_id, std::int64_t revision) {
  Host& one = host(host_id);
  if (!one.known || revision <= one.revision) return;
  one.known = false;
  one.revision = revision;
  touch_all(one);
}

void PeerTable::touch_all(const Host& host) {
  for (const Host::Of& of : host.endpoints) touch(*of.network, *of.endpoint);
}

// Marks as dirty the addresses of the endpoint, and those of other endpoints with the same MAC.
void PeerTable::touch(Network& network, const Endpoint& endpoint) {
  network.dirty.insert(endpoint.addresses.begin(), endpoint.addresses.end());
  const auto sharers = network.macs.find(endpoint.mac);
  if (sharers == network.macs.end() || sharers->second.size() < 2) return;
  for (const Endpoint* other : sharers->second)
    network.dirty.insert(other->addresses.begin(), other->addresses.end());
}

void PeerTable::set_endpoint(const SharedEndpoint& endpoint, std::int64_t revision) {
  Network* network = find(endpoint.network_id);
  if (network == nullptr) return;
  const auto present = network->endpoints.find(endpoint.id);
  if (present != network->endpoints.end()) {
    Endpoint& known = *present->second;
    if (known.missing_since) --network->missing;
    known.missing_since.reset();
    if (revision <= known.revision) return;
    remove(*network, endpoint.id);
  }
  auto made = std::make_unique<Endpoint>();
  made->id = endpoint.id;
  made->addresses = endpoint.addresses;
  made->mac = endpoint.mac;
  made->host = &host(endpoint.host_id);
  if (made->host->record.info.id.empty()) made->host->record.info.id = endpoint.host_id;
  made->place = made->host->endpoints.size();
  made->epoch = endpoint.epoch;
  made->state = endpoint.state;
  made->revision = revision;
  made->host->endpoints.push_back({network, made.get()});
  for (const IpAddress& ip : made->addresses) network->slots[ip].candidates.push_back(made.get());
  network->macs[made->mac].push_back(made.get());
  touch(*network, *made);
  network->endpoints[endpoint.id] = std::move(made);
}

void PeerTable::drop_endpoint(const std::string& network_id, const std::string& id,
                              std::int64_t revision) {
  Network* network = find(network_id);
  if (network == nullptr) return;
  const auto found = network->endpoints.find(id);
  if (found != network->endpoints.end() && revision > found->second->revision) remove(*network, id);
}

void PeerTable::remove(Network& network, const std::string& id) {
  const auto found = network.endpoints.find(id);
  const std::unique_ptr<Endpoint> gone = std::move(found->second);
  network.endpoints.erase(found);
  touch(network, *gone);
  if (gone->missing_since) --network.missing;
  auto& siblings = gone->host->endpoints;
  siblings[gone->place] = siblings.back();
  const_cast<Endpoint*>(siblings[gone->place].endpoint)->place = gone->place;
  siblings.pop_back();
  for (const IpAddress& ip : gone->addresses)
    erase_one<const Endpoint*>(network.slots[ip].candidates, gone.get());
  auto& sharers = network.macs[gone->mac];
  erase_one<const Endpoint*>(sharers, gone.get());
  if (sharers.empty()) network.macs.erase(gone->mac);
}

std::size_t PeerTable::replace(const std::string& network_id,
                               const std::vector<ListedEndpoint>& listed, std::int64_t revision,
                               Time now) {
  Network* network = find(network_id);
  if (network == nullptr) return 0;
  std::unordered_set<std::string_view> present;
  for (const ListedEndpoint& one : listed) {
    set_endpoint(one.endpoint, one.revision);
    present.insert(one.endpoint.id);
  }
  std::vector<std::string> believed;
  for (auto& [id, known] : network->endpoints) {
    if (present.contains(id) || known->revision > revision) continue;
    if (!known->missing_since) {
      known->missing_since = now;
      ++network->missing;
    } else if (now - *known->missing_since >= kSecondLook) {
      believed.push_back(id);
    }
  }
  for (const std::string& id : believed) remove(*network, id);
  return network->missing;
}

void PeerTable::rewind(const std::string& network_id) {
  if (network_id.empty())
    for (auto& [id, one] : hosts_) one->revision = 0;
  if (Network* network = find(network_id); network != nullptr)
    for (auto& [id, known] : network->endpoints) known->revision = 0;
}

const PeerTable::Endpoint* PeerTable::newest(const std::vector<const Endpoint*>& candidates) {
  const Endpoint* best = nullptr;
  for (const Endpoint* one : candidates)
    if (!one->is_void() && (best == nullptr || one->revision > best->revision ||
                            (one->revision == best->revision && one->id > best->id)))
      best = one;
  return best;
}

std::optional<RemoteEntry> PeerTable::wanted(const Network& network, const IpAddress& ip) const {
  const auto slot = network.slots.find(ip);
  if (slot == network.slots.end()) return std::nullopt;
  const Endpoint* winner = newest(slot->second.candidates);
  if (winner == nullptr || winner->host->record.info.id == own_host_) return std::nullopt;
  if (newest(network.macs.at(winner->mac)) != winner) return std::nullopt;
  return RemoteEntry{ip, winner->mac, winner->host->record.info.vtep};
}

std::size_t PeerTable::dirty() const {
  std::size_t count = 0;
  for (const auto& [id, network] : networks_) count += network->dirty.size();
  return count;
}

std::size_t PeerTable::dirty(const std::string& network_id) const {
  const auto network = networks_.find(network_id);
  return network == networks_.end() ? 0 : network->second->dirty.size();
}

PeerChanges PeerTable::changes(std::size_t most) {
  for (const auto& [id, network] : networks_) {
    PeerChanges found{.network_id = id};
    for (auto it = network->dirty.begin(); it != network->dirty.end();) {
      const Slot& slot = network->slots[*it];
      const auto entry = wanted(*network, *it);
      if (entry == slot.given) {  // it is again as it was given
        if (slot.candidates.empty()) network->slots.erase(*it);
        it = network->dirty.erase(it);
        continue;
      }
      if (found.to_set.size() + found.to_remove.size() >= most) break;
      if (entry) found.to_set.push_back(*entry);
      if (slot.given && (!entry || entry->mac != slot.given->mac))
        found.to_remove.push_back(*slot.given);
      ++it;
    }
    if (!found.to_set.empty() || !found.to_remove.empty()) return found;
  }
  return {};
}

void PeerTable::confirm(const PeerChanges& changes) {
  Network* network = find(changes.network_id);
  if (network == nullptr) return;
  for (const RemoteEntry& entry : changes.to_remove) {
    auto& given = network->slots[entry.ip].given;
    if (given) --network->given;
    given.reset();
  }
  for (const RemoteEntry& entry : changes.to_set) {
    auto& given = network->slots[entry.ip].given;
    if (!given) ++network->given;
    given = entry;
  }
}

std::vector<RemoteEntry> PeerTable::entries(const std::string& network_id) const {
  std::vector<RemoteEntry> found;
  const auto network = networks_.find(network_id);
  if (network == networks_.end()) return found;
  for (const auto& [ip, slot] : network->second->slots)
    if (slot.given) found.push_back(*slot.given);
  std::ranges::sort(found);
  return found;
}

std::vector<ListedEndpoint> PeerTable::endpoints(const std::string& network_id) const {
  std::vector<ListedEndpoint> found;
  const auto network = networks_.find(network_id);
  if (network == networks_.end()) return found;
  for (const auto& [id, one] : network->second->endpoints)
    found.push_back({{.id = id,
                      .network_id = network_id,
                      .host_id = one->host->record.info.id,
                      .epoch = one->epoch,
                      .addresses = one->addresses,
                      .mac = one->mac,
                      .state = one->state},
                     one->revision});
  return found;
}

std::vector<std::pair<HostRecord, std::int64_t>> PeerTable::hosts() const {
  std::vector<std::pair<HostRecord, std::int64_t>> found;
  for (const auto& [id, one] : hosts_)
    if (one->known) found.emplace_back(one->record, one->revision);
  return found;
}

std::vector<HostInfo> PeerTable::others() const {
  std::vector<HostInfo> found;
  for (const auto& [id, one] : hosts_)
    if (one->known && one->record.phase != HostPhase::kRemoved && id != own_host_)
      found.push_back(one->record.info);
  std::ranges::sort(found, {}, &HostInfo::id);
  return found;
}

std::size_t PeerTable::missing() const {
  std::size_t count = 0;
  for (const auto& [id, network] : networks_) count += network->missing;
  return count;
}

std::size_t PeerTable::entry_count() const {
  std::size_t count = 0;
  for (const auto& [id, network] : networks_) count += network->given;
  return count;
}

}  // namespace fairlead::network::cluster
