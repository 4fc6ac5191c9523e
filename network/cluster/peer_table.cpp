#include "network/cluster/peer_table.h"

#include <algorithm>
#include <unordered_set>

#include "network/cluster/peer_table_parts.h"

namespace fairlead::network::cluster {

namespace {

template <class T>
void erase_one(std::vector<T>& values, T value) {
  const auto found = std::ranges::find(values, value);
  if (found == values.end()) return;
  *found = values.back();
  values.pop_back();
}

}  // namespace

PeerTable::PeerTable(HostInfo own) : own_(std::move(own)) {}
PeerTable::~PeerTable() = default;

void PeerTable::attach(const PeerNetwork& about) {
  auto& network = networks_[about.id];
  if (network) return;
  network = std::make_unique<Network>(about,
                                      [this](const AddressClaim& claim) { return is_void(claim); });
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
  const HostInfo &before = one.record.info, &now = record.info;
  const bool is_where_it_was =
      one.known && before.vtep == now.vtep && before.wireguard == now.wireguard;
  const bool is_same = is_where_it_was && one.record.epoch == record.epoch;
  const bool was_removed = one.known && one.record.epoch != record.epoch;
  if (!is_where_it_was || one.since == 0) one.since = revision;
  one.record = record;
  one.revision = revision;
  one.known = true;
  must_judge_ = true;
  if (was_removed) touch_everything();  // others may have what it had
  if (!is_same) touch_all(one);
}

void PeerTable::drop_host(const std::string& host_id, std::int64_t revision) {
  Host& one = host(host_id);
  if (!one.known || revision <= one.revision) return;
  one.known = false;
  one.revision = revision;
  must_judge_ = true;
  touch_everything();
}

void PeerTable::touch_all(const Host& host) {
  for (const Host::Of& of : host.endpoints) touch(*of.network, *of.endpoint);
}

void PeerTable::touch_everything() {
  for (auto& [id, network] : networks_)
    for (const auto& [ip, slot] : network->slots) network->dirty.insert(ip);
}

void PeerTable::touch(Network& network, const IpAddress& ip) {
  const auto slot = network.slots.find(ip);
  if (slot == network.slots.end()) return;
  network.dirty.insert(ip);
  for (const Endpoint* one : slot->second.candidates) touch(network, *one);
}

void PeerTable::touch(Network& network, const std::vector<Cidr>& changed) {
  for (const Cidr& cidr : changed) {
    if (cidr.size() > network.slots.size()) {
      std::vector<IpAddress> inside;
      for (const auto& [ip, slot] : network.slots)
        if (cidr.contains(ip)) inside.push_back(ip);
      for (const IpAddress& ip : inside) touch(network, ip);
      continue;
    }
    for (std::uint64_t i = 0; i < cidr.size(); ++i)
      if (const auto ip = cidr.first().plus(i)) touch(network, *ip);
  }
}

void PeerTable::touch_mac(Network& network, const MacAddress& mac) {
  const auto sharers = network.macs.find(mac);
  if (sharers == network.macs.end()) return;
  for (const Endpoint* one : sharers->second)
    network.dirty.insert(one->addresses.begin(), one->addresses.end());
}

// ---- this host's own

void PeerTable::set_local(const SharedEndpoint& endpoint) {
  Network* network = find(endpoint.network_id);
  if (network == nullptr) return;
  drop_local(endpoint.network_id, endpoint.id);
  network->local_macs.insert(endpoint.mac);
  touch_mac(*network, endpoint.mac);
  for (const IpAddress& ip : endpoint.addresses) {
    network->local_addresses.insert(ip);
    touch(*network, ip);
  }
  network->local.emplace(endpoint.id, endpoint);
}

void PeerTable::drop_local(const std::string& network_id, const std::string& id) {
  Network* network = find(network_id);
  if (network == nullptr) return;
  const auto found = network->local.find(id);
  if (found == network->local.end()) return;
  const SharedEndpoint gone = std::move(found->second);
  network->local.erase(found);
  network->local_macs.erase(network->local_macs.find(gone.mac));
  touch_mac(*network, gone.mac);
  for (const IpAddress& ip : gone.addresses) {
    network->local_addresses.erase(network->local_addresses.find(ip));
    touch(*network, ip);
  }
}

void PeerTable::replace_local(const std::vector<SharedEndpoint>& endpoints) {
  std::unordered_set<std::string> present;
  for (const SharedEndpoint& one : endpoints) present.insert(one.network_id + "/" + one.id);
  for (auto& [network_id, network] : networks_) {
    std::vector<std::string> gone;
    for (const auto& [id, one] : network->local)
      if (!present.contains(network_id + "/" + id)) gone.push_back(id);
    for (const std::string& id : gone) drop_local(network_id, id);
  }
  for (const SharedEndpoint& one : endpoints) set_local(one);
}

// ---- records

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
  std::int64_t since = revision;
  const auto present = network->endpoints.find(endpoint.id);
  if (present != network->endpoints.end()) {
    Endpoint& known = *present->second;
    if (known.mac == endpoint.mac && known.host->record.info.id == endpoint.host_id)
      since = known.since;
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
  made->since = since;
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

void PeerTable::set_claim(const std::string& network_id, const ListedClaim& claim) {
  if (Network* network = find(network_id); network != nullptr)
    touch(*network, network->claims.set(claim, AddressClaims::Seen::kEveryChange));
}

void PeerTable::drop_claim(const std::string& network_id, bool is_block, const IpAddress& first,
                           std::int64_t revision) {
  if (Network* network = find(network_id); network != nullptr)
    touch(*network, network->claims.drop(is_block, first, revision));
}

std::size_t PeerTable::replace(const std::string& network_id, const Listed& listed, Time now) {
  Network* network = find(network_id);
  if (network == nullptr) return 0;
  touch(*network, network->claims.replace(listed.claims, listed.revision, listed.seen, now));
  std::unordered_set<std::string_view> present;
  for (const ListedEndpoint& one : listed.endpoints) {
    set_endpoint(one.endpoint, one.revision);
    present.insert(one.endpoint.id);
  }
  std::vector<std::string> believed;
  for (auto& [id, known] : network->endpoints) {
    if (present.contains(id) || known->revision > listed.revision) continue;
    if (!known->missing_since) {
      known->missing_since = now;
      ++network->missing;
    } else if (now - *known->missing_since >= kSecondLook) {
      believed.push_back(id);
    }
  }
  for (const std::string& id : believed) remove(*network, id);
  return network->missing + network->claims.missing();
}

void PeerTable::rewind(const std::string& network_id) {
  if (network_id.empty())
    for (auto& [id, one] : hosts_) one->revision = 0;
  if (Network* network = find(network_id); network != nullptr) {
    network->claims.rewind();
    for (auto& [id, known] : network->endpoints) known->revision = 0;
  }
}

// ---- out

std::size_t PeerTable::dirty() {
  judge();
  std::size_t count = 0;
  for (const auto& [id, network] : networks_) count += network->dirty.size();
  return count;
}

std::size_t PeerTable::dirty(const std::string& network_id) {
  judge();
  const auto network = networks_.find(network_id);
  return network == networks_.end() ? 0 : network->second->dirty.size();
}

PeerChanges PeerTable::changes(std::size_t most) {
  judge();
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

std::vector<ListedClaim> PeerTable::claims(const std::string& network_id) const {
  const auto network = networks_.find(network_id);
  return network == networks_.end() ? std::vector<ListedClaim>() : network->second->claims.all();
}

std::vector<std::pair<HostRecord, std::int64_t>> PeerTable::hosts() const {
  std::vector<std::pair<HostRecord, std::int64_t>> found;
  for (const auto& [id, one] : hosts_)
    if (one->known) found.emplace_back(one->record, one->revision);
  return found;
}

std::vector<HostInfo> PeerTable::others() {
  judge();
  std::vector<HostInfo> found;
  for (const auto& [id, one] : hosts_)
    if (one->known && one->record.phase != HostPhase::kRemoved && id != own_.id &&
        one->refusal.empty())
      found.push_back(one->record.info);
  std::ranges::sort(found, {}, &HostInfo::id);
  return found;
}

std::size_t PeerTable::missing() const {
  std::size_t count = 0;
  for (const auto& [id, network] : networks_) count += network->missing + network->claims.missing();
  return count;
}

std::size_t PeerTable::entry_count() const {
  std::size_t count = 0;
  for (const auto& [id, network] : networks_) count += network->given;
  return count;
}

}  // namespace fairlead::network::cluster
