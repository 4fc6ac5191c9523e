#include "network/dns/tables.h"

#include <algorithm>

#include "network/dns/name.h"

namespace fairlead::dns {

namespace {

std::vector<std::string> keys_of(const std::vector<std::string>& names) {
  std::vector<std::string> keys;
  for (const std::string& name : names) {
    const auto key = key_of(name);
    if (key && std::ranges::find(keys, *key) == keys.end()) keys.push_back(*key);
  }
  return keys;
}

template <class Map, class Key, class Entry>
void erase_from(Map& map, const Key& key, const Entry* entry) {
  const auto found = map.find(key);
  if (found == map.end()) return;
  std::erase(found->second, entry);
  if (found->second.empty()) map.erase(found);
}

void remove_repetitions(std::vector<IpAddress>& addresses) {
  std::vector<IpAddress> once;
  for (const IpAddress& address : addresses)
    if (std::ranges::find(once, address) == once.end()) once.push_back(address);
  addresses = std::move(once);
}

template <class T>
std::vector<T> without(const std::vector<T>& all, const std::vector<T>& others) {
  std::vector<T> rest;
  for (const T& each : all)
    if (std::ranges::find(others, each) == others.end()) rest.push_back(each);
  return rest;
}

template <class Function>
void for_each_parent(std::string_view key, Function call) {
  for (key = without_first_label(key); !key.empty(); key = without_first_label(key)) call(key);
}

void add_name(ZoneEntry& zone, const std::string& key, HostEntry& entry) {
  zone.groups[key].hosts.push_back(&entry);
  for_each_parent(key, [&](std::string_view parent) { ++zone.inner[std::string(parent)]; });
}

void remove_name(ZoneEntry& zone, const std::string& key, HostEntry& entry) {
  const auto group = zone.groups.find(key);
  std::erase(group->second.hosts, &entry);
  if (group->second.hosts.empty()) zone.groups.erase(group);
  for_each_parent(key, [&](std::string_view parent) {
    const auto inner = zone.inner.find(parent);
    if (--inner->second == 0) zone.inner.erase(inner);
  });
}

}  // namespace

bool ZoneEntry::has_gateway(const IpAddress& address) const {
  return zone && std::ranges::find(zone->gateways, address) != zone->gateways.end();
}

bool ZoneEntry::has_subnet_of(const IpAddress& address) const {
  return zone && std::ranges::any_of(zone->subnets,
                                     [&](const Cidr& subnet) { return subnet.contains(address); });
}

const HostEntry* ZoneEntry::holder_of(const IpAddress& address) const {
  const auto found = addresses.find(address);
  return found == addresses.end() ? nullptr : found->second.back();
}

Group* ZoneEntry::group(std::string_view key) {
  const auto found = groups.find(key);
  return found == groups.end() ? nullptr : &found->second;
}

const std::string* ZoneEntry::suffix() const {
  if (!domain.empty()) return &domain;
  return names.empty() ? nullptr : &names.front();
}

void Tables::put(Zone zone) {
  ZoneEntry& entry = zone_entry(zone.network);
  forget_gateways(entry);
  for (const IpAddress& gateway : zone.gateways) gateways_[gateway].push_back(&entry);
  entry.names = keys_of(zone.names);
  entry.domain = key_of(zone.domain).value_or("");
  entry.zone = std::move(zone);
}

void Tables::put(Host host) {
  ZoneEntry& zone = zone_entry(host.network);
  auto& entry = zone.hosts[host.endpoint];
  if (!entry) {
    entry = std::make_unique<HostEntry>();
    entry->zone = &zone;
  }
  move(*entry, std::move(host));
}

void Tables::remove_zone(const std::string& network) {
  const auto found = zones_.find(network);
  if (found == zones_.end()) return;
  for (auto& [endpoint, entry] : found->second->hosts)
    erase_from(owners_, entry->host.owner, entry.get());
  forget_gateways(*found->second);
  zones_.erase(found);
}

void Tables::remove_host(const std::string& network, const std::string& endpoint) {
  ZoneEntry* of = zone(network);
  if (of == nullptr) return;
  const auto found = of->hosts.find(endpoint);
  if (found == of->hosts.end()) return;
  move(*found->second, {});
  of->hosts.erase(found);
  if (!of->zone && of->hosts.empty()) zones_.erase(network);
}

ZoneEntry* Tables::zone(std::string_view network) {
  const auto found = zones_.find(network);
  return found == zones_.end() ? nullptr : found->second.get();
}

ZoneEntry* Tables::zone_asked(std::string_view network, const IpAddress& client) {
  ZoneEntry* asked = zone(network);
  if (asked == nullptr || !asked->zone || asked->holder_of(client) != nullptr) return asked;
  for (const IpAddress& gateway : asked->zone->gateways)
    for (ZoneEntry* other : gateways_.at(gateway))
      if (other->holder_of(client) != nullptr) return other;
  return asked;
}

void Tables::forget_gateways(ZoneEntry& entry) {
  if (!entry.zone) return;
  for (const IpAddress& gateway : entry.zone->gateways) erase_from(gateways_, gateway, &entry);
}

const std::vector<HostEntry*>& Tables::of_owner(const std::string& owner) const {
  static const std::vector<HostEntry*> none;
  const auto found = owners_.find(owner);
  return found == owners_.end() ? none : found->second;
}

ZoneEntry& Tables::zone_entry(const std::string& network) {
  auto& entry = zones_[network];
  if (!entry) {
    entry = std::make_unique<ZoneEntry>();
    entry->network = network;
  }
  return *entry;
}

// What stays of it stays where it is: an endpoint that is told of again is no newer for it.
void Tables::move(HostEntry& entry, Host to) {
  remove_repetitions(to.addresses);
  std::vector<std::string> keys = keys_of(to.names);
  ZoneEntry& zone = *entry.zone;
  for (const std::string& key : without(entry.keys, keys)) remove_name(zone, key, entry);
  for (const std::string& key : without(keys, entry.keys)) add_name(zone, key, entry);
  for (const IpAddress& address : without(entry.host.addresses, to.addresses))
    erase_from(zone.addresses, address, &entry);
  for (const IpAddress& address : without(to.addresses, entry.host.addresses))
    zone.addresses[address].push_back(&entry);
  if (entry.host.owner != to.owner) {
    erase_from(owners_, entry.host.owner, &entry);
    if (!to.owner.empty()) owners_[to.owner].push_back(&entry);
  }
  entry.keys = std::move(keys);
  entry.host = std::move(to);
}

}  // namespace fairlead::dns
