// What the peer table believes, and the words for what it does not.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "network/cluster/peer_table.h"
#include "network/cluster/peer_table_parts.h"

namespace fairlead::network::cluster {

void PeerTable::judge() {
  if (!std::exchange(must_judge_, false)) return;
  std::vector<KnownHost> known;
  for (const auto& [id, one] : hosts_)
    if (one->known) known.push_back({one->record, one->since});
  auto refused = judge_hosts(own_, known);
  for (auto& [id, one] : hosts_) {
    std::string why;
    if (const auto found = refused.find(id); found != refused.end()) why = std::move(found->second);
    if (one->refusal.empty() != why.empty()) touch_all(*one);
    one->refusal = std::move(why);
  }
}

// ---- what is believed

bool PeerTable::is_void(const AddressClaim& claim) const {
  const auto found = hosts_.find(claim.host_id);
  return found == hosts_.end() || !found->second->known ||
         claim.epoch < found->second->record.epoch;
}

// Whether it is an endpoint of another host that is a member in this epoch and is believed.
bool PeerTable::counts(const Endpoint& endpoint) const {
  const Host& host = *endpoint.host;
  return host.known && host.refusal.empty() && endpoint.epoch >= host.record.epoch &&
         host.record.info.id != own_.id;
}

PeerTable::Doubt PeerTable::doubt(const Network& network, const Endpoint& endpoint,
                                  const IpAddress& ip) const {
  if (!network.is_inside(ip)) return Doubt::kOutside;
  if (network.reserved.contains(ip)) return Doubt::kReserved;
  if (network.is_local(ip)) return Doubt::kLocal;
  const AddressClaim* owner = network.claims.owner(ip);
  const bool is_its_own = owner != nullptr && owner->host_id == endpoint.host->record.info.id;
  return is_its_own ? Doubt::kNone : Doubt::kNotItsOwn;
}

PeerTable::Doubt PeerTable::doubt_of_mac(const Network& network, const Endpoint& endpoint) const {
  if (network.is_local(endpoint.mac)) return Doubt::kOurMac;
  if (network.macs.at(endpoint.mac).size() == 1) return Doubt::kNone;
  const Endpoint* holder = holder_of_mac(network, endpoint.mac);
  return holder == nullptr || holder->host == endpoint.host ? Doubt::kNone : Doubt::kOthersMac;
}

// Of the endpoints with an address that is believed: see the text at the top of the header.
const PeerTable::Endpoint* PeerTable::holder_of_mac(const Network& network,
                                                    const MacAddress& mac) const {
  const auto sharers = network.macs.find(mac);
  if (sharers == network.macs.end()) return nullptr;
  std::vector<const Endpoint*> believed;
  std::optional<std::tuple<bool, std::int64_t, std::string_view>> first;
  const Host* owner = nullptr;
  for (const Endpoint* one : sharers->second) {
    if (!counts(*one)) continue;
    bool is_believed = false, is_derived = false;
    for (const IpAddress& ip : one->addresses) {
      if (doubt(network, *one, ip) != Doubt::kNone) continue;
      is_believed = true;
      is_derived = is_derived || MacAddress::for_ip(ip) == mac;
    }
    if (!is_believed) continue;
    believed.push_back(one);
    const std::tuple rank(!is_derived, one->since, std::string_view(one->id));
    if (first && *first <= rank) continue;
    first = rank;
    owner = one->host;
  }
  const Endpoint* newest = nullptr;
  for (const Endpoint* one : believed)
    if (one->host == owner && (newest == nullptr || one->revision > newest->revision)) newest = one;
  return newest;
}

const PeerTable::Endpoint* PeerTable::winner(const Network& network, const IpAddress& ip) const {
  const auto slot = network.slots.find(ip);
  if (slot == network.slots.end()) return nullptr;
  const Endpoint* best = nullptr;
  for (const Endpoint* one : slot->second.candidates) {
    if (!counts(*one) || doubt(network, *one, ip) != Doubt::kNone) continue;
    if (best == nullptr || one->revision > best->revision ||
        (one->revision == best->revision && one->id > best->id))
      best = one;
  }
  return best;
}

std::optional<RemoteEntry> PeerTable::wanted(const Network& network, const IpAddress& ip) const {
  const Endpoint* best = winner(network, ip);
  if (best == nullptr || network.is_local(best->mac)) return std::nullopt;
  const bool is_shared = network.macs.at(best->mac).size() > 1;
  if (is_shared && holder_of_mac(network, best->mac) != best) return std::nullopt;
  return RemoteEntry{ip, best->mac, best->host->record.info.vtep};
}

// ---- what is not

std::string PeerTable::name_of(const std::string& host_id) const {
  const auto found = hosts_.find(host_id);
  const bool is_known = found != hosts_.end() && found->second->known;
  return is_known ? fmt::format("{} ({})", found->second->record.info.name, host_id.substr(0, 12))
                  : host_id.substr(0, 12);
}

std::string PeerTable::why(const Network& network, const Endpoint& endpoint, const IpAddress& ip,
                           Doubt doubt) const {
  const AddressClaim* owner = network.claims.owner(ip);
  switch (doubt) {
    case Doubt::kOutside:
      return fmt::format("{} is outside of the network", ip.to_string());
    case Doubt::kReserved:
      return fmt::format("{} is the gateway's or reserved", ip.to_string());
    case Doubt::kLocal:
      return fmt::format("a container of this host has {}", ip.to_string());
    case Doubt::kNotItsOwn:
      return owner == nullptr
                 ? fmt::format("{} is in no block or claim of it", ip.to_string())
                 : fmt::format("{} is host {}'s", ip.to_string(), name_of(owner->host_id));
    case Doubt::kOurMac:
      return fmt::format("this host has {}", endpoint.mac.to_string());
    case Doubt::kOthersMac:
      return fmt::format("another host has {}", endpoint.mac.to_string());
    case Doubt::kNone:
      break;
  }
  return "";
}

void PeerTable::refusals_of(const Network& network, std::vector<std::string>& texts) const {
  for (const auto& [id, one] : network.endpoints) {
    if (!counts(*one)) continue;
    Doubt found = Doubt::kNone;
    IpAddress about;
    for (const IpAddress& ip : one->addresses) {
      if (found != Doubt::kNone) break;
      found = doubt(network, *one, ip);
      about = ip;
    }
    if (found == Doubt::kNone) found = doubt_of_mac(network, *one);
    if (found != Doubt::kNone)
      texts.push_back(fmt::format("endpoint {} of host {} on network {} is refused: {}", id,
                                  name_of(one->host->record.info.id), network.view.name,
                                  why(network, *one, about, found)));
  }
  for (const auto& [host_id, text] : network.claims.refusals())
    texts.push_back(fmt::format("a claim of host {} on network {} is refused: it {}",
                                name_of(host_id), network.view.name, text));
}

std::vector<std::string> PeerTable::refusals() {
  judge();
  std::vector<std::string> texts;
  for (const auto& [id, one] : hosts_)
    if (one->known && !one->refusal.empty())
      texts.push_back(
          fmt::format("host {} is not believed, and nothing is sent to it: {}; when that other "
                      "host is gone for good, `fairlead host rm` it",
                      name_of(id), one->refusal));
  for (const auto& [id, network] : networks_) refusals_of(*network, texts);
  std::ranges::sort(texts);
  return texts;
}

}  // namespace fairlead::network::cluster
