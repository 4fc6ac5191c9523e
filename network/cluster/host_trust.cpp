#include "network/cluster/host_trust.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace fairlead::network::cluster {

namespace {

// What only one host can have, and who has it.
class Holders {
 public:
  // Returns in words who has it already; empty when it is `host`'s from now on.
  template <class Key>
  static std::string take(std::map<Key, std::string>& holders, const Key& key,
                          const HostInfo& host) {
    const auto [holder, taken] =
        holders.try_emplace(key, host.name.empty() ? host.id.substr(0, 12) : host.name);
    return taken ? "" : holder->second;
  }
  std::string take(const HostInfo& host) {
    if (const std::string other = take(addresses_, host.vtep, host); !other.empty())
      return fmt::format("its address {} is host {}'s", host.vtep.to_string(), other);
    if (!host.wireguard) return "";
    if (const std::string other = take(keys_, host.wireguard->key, host); !other.empty())
      return fmt::format("its WireGuard key is host {}'s", other);
    if (const std::string other = take(inside_, host.wireguard->address, host); !other.empty())
      return fmt::format("its WireGuard address {} is host {}'s",
                         host.wireguard->address.to_string(), other);
    return "";
  }

 private:
  std::map<IpAddress, std::string> addresses_, inside_;
  std::map<std::string, std::string> keys_;
};

}  // namespace

namespace {

// Hosts on one link may have nothing else.
bool are_link_local(const IpAddress& one, const IpAddress& other) {
  static const Cidr kLinkLocal = *Cidr::parse("169.254.0.0/16");
  return kLinkLocal.contains(one) && kLinkLocal.contains(other);
}

}  // namespace

bool is_host_address(const IpAddress& address) {
  static const std::array<Cidr, 5> kNobodys{
      *Cidr::parse("0.0.0.0/8"), *Cidr::parse("169.254.0.0/16"), *Cidr::parse("240.0.0.0/4"),
      *Cidr::parse("fe80::/10"), *Cidr::parse("::ffff:0:0/96")};
  return !address.is_any() && !address.is_loopback() && !address.is_multicast() &&
         std::ranges::none_of(kNobodys, [&](const Cidr& of) { return of.contains(address); });
}

std::map<std::string, std::string> judge_hosts(const HostInfo& own,
                                               const std::vector<KnownHost>& hosts) {
  std::vector<const KnownHost*> ordered;
  for (const KnownHost& host : hosts)
    if (host.record.phase != HostPhase::kRemoved && host.record.info.id != own.id)
      ordered.push_back(&host);
  std::ranges::sort(ordered, {}, [](const KnownHost* host) {
    return std::tuple(host->record.phase != HostPhase::kMember, host->since, host->record.info.id);
  });
  std::map<std::string, std::string> refused;
  Holders holders;
  if (!own.vtep.is_any()) holders.take(own);
  for (const KnownHost* host : ordered) {
    const HostInfo& info = host->record.info;
    std::string why;
    if (!is_host_address(info.vtep) && !are_link_local(info.vtep, own.vtep))
      why = fmt::format("its address {} is no host's", info.vtep.to_string());
    else
      why = holders.take(info);
    if (!why.empty()) refused.emplace(info.id, std::move(why));
  }
  return refused;
}

}  // namespace fairlead::network::cluster
