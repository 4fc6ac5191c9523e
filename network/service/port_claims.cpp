#include "network/service/port_claims.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "network/service/keys.h"
#include "network/service/port_plan.h"
#include "network/service/record_store.h"

namespace fairlead::network {

bool overlap(const std::optional<IpAddress>& a, const std::optional<IpAddress>& b) {
  if (!a || !b) return true;
  if (a->family() != b->family()) return false;
  return a->is_any() || b->is_any() || *a == *b;
}

PortClaimant PortClaimant::of(const Endpoint& endpoint, const Network& network) {
  return {.owner = {network.id, endpoint.id},
          .container = endpoint.container,
          .runtime = endpoint.runtime,
          .netns_path = endpoint.netns_path,
          .allow_missing_address = network.options.host_ip_missing};
}

ClaimedPorts claimed_of(const Endpoint& endpoint) {
  return {.serves = endpoint.ports, .standby = endpoint.standby_ports};
}

namespace {

// The port, or range, that the specification names, when it leaves nothing to choose.
std::optional<PublishedPort> named_by(const PortSpec& spec) {
  const bool range = spec.container_port_end != 0;
  if (spec.host_port == 0 || (spec.host_port_end > spec.host_port && !range)) return std::nullopt;
  return PublishedPort{spec.proto,
                       spec.host_ip,
                       spec.host_port,
                       spec.container_port,
                       range ? spec.host_port_end : std::uint16_t{0},
                       spec.max_connections};
}

// The shortest set of decimal prefixes of 5 digits that means the numbers from `first` to `last`:
// "070" for 7000 to 7099. At most 40.
std::vector<std::string> prefixes_of(unsigned first, unsigned last) {
  std::vector<std::string> prefixes;
  while (first <= last) {
    unsigned size = 1, digits = 5;
    while (digits > 1 && first % (size * 10) == 0 && first + size * 10 - 1 <= last) {
      size *= 10;
      --digits;
    }
    prefixes.push_back(fmt::format("{:05}", first).substr(0, digits));
    first += size;
  }
  return prefixes;
}

}  // namespace

Result<std::vector<state::Record>> PortClaims::singles_in(Proto proto, unsigned first,
                                                          unsigned last) {
  std::vector<state::Record> all;
  for (const std::string& prefix : prefixes_of(first, last)) {
    TRY(auto some, store_.list(fmt::format("{}{}/{}", keys::kPorts, to_string(proto), prefix)));
    std::ranges::move(some, std::back_inserter(all));
  }
  return all;
}

Status PortClaims::confirm(const PortClaimant& claimant, const ClaimedPorts& claimed) {
  for (const PublishedPort& port : claimed.serves) {
    if (!port.is_range()) continue;
    PortPlan plan(*this, claimant);
    TRY_STATUS(plan.look_for_singles(port));
  }
  return {};
}

// Ports that stay are neither read nor written, so that one port more costs the same beside
// thousands.
Result<ClaimedPorts> PortClaims::plan(const PortClaimant& claimant,
                                      std::span<const PortSpec> wanted, const ClaimedPorts& before,
                                      state::Txn& txn, std::vector<PortOwner>* heirs) {
  TRY(const std::vector<PortSpec> asked, in_ranges(wanted));
  const std::set<PublishedPort> had(before.serves.begin(), before.serves.end());
  std::set<PublishedPort> kept;
  for (const PortSpec& spec : asked)
    if (const auto port = named_by(spec); port && had.contains(*port)) kept.insert(*port);
  PortPlan plan(*this, claimant);
  for (const PublishedPort& port : before.serves)
    if (!kept.contains(port)) TRY_STATUS(plan.give_up(port));
  for (const PublishedPort& port : before.standby) TRY_STATUS(plan.give_up(port));
  for (const PortSpec& spec : asked) {
    const auto port = named_by(spec);
    if (port && kept.contains(*port))
      plan.keep(*port);
    else
      TRY_STATUS(plan.take(spec));
  }
  TRY_STATUS(plan.check_sockets());
  plan.write_to(txn);
  if (heirs != nullptr) *heirs = plan.heirs();
  return std::move(plan.result());
}

Status PortClaims::add_holders(std::string_view key, const PortSpec& spec,
                               std::vector<PortOwner>& holders) {
  TRY(const auto record, store_.get(key));
  if (!record) return {};
  TRY(const auto claims, decode_claims(record->value));
  const unsigned last = std::max(spec.host_port, spec.host_port_end);
  for (const PortClaim& claim : claims) {
    const bool apart = claim.host_port_end != 0 &&
                       (claim.host_port > last || claim.host_port_end < spec.host_port);
    if (claim.boot_id == boot_id_ && overlap(claim.host_ip, spec.host_ip) && !apart)
      holders.push_back({claim.network_id, claim.endpoint_id});
  }
  return {};
}

Result<std::vector<PortOwner>> PortClaims::holders(std::span<const PortSpec> wanted) {
  std::vector<PortOwner> holders;
  TRY(const auto asked, in_ranges(wanted));
  for (const PortSpec& spec : asked) {
    if (spec.host_port == 0) continue;
    const unsigned last = std::max(spec.host_port, spec.host_port_end);
    TRY_STATUS(add_holders(keys::port_ranges(spec.proto), spec, holders));
    TRY(const auto singles, singles_in(spec.proto, spec.host_port, last));
    for (const state::Record& single : singles) TRY_STATUS(add_holders(single.key, spec, holders));
  }
  std::ranges::sort(holders);
  holders.erase(std::unique(holders.begin(), holders.end()), holders.end());
  return holders;
}

// Whether the endpoint of the claim has the port. An endpoint and its claims are committed in one
// transaction.
Result<bool> PortClaims::is_confirmed(const std::string& key, const PortClaim& claim) {
  if (claim.boot_id != boot_id_) return false;
  TRY(const auto endpoint, RecordStore(store_).endpoint(claim.network_id, claim.endpoint_id));
  if (!endpoint) return false;
  const auto& ports = claim.standby ? endpoint->value.standby_ports : endpoint->value.ports;
  return std::ranges::any_of(ports, [&](const PublishedPort& port) {
    if (port.host_ip != claim.host_ip || port.host_port_end != claim.host_port_end) return false;
    if (!port.is_range()) return keys::port(port.proto, port.host_port) == key;
    return keys::port_ranges(port.proto) == key && port.host_port == claim.host_port;
  });
}

// When the endpoint of a claim is removed after the claim was read, the claim looks like a stray;
// its key has changed too then, so the key is read again before the claim counts.
Result<PortClaims::Strays> PortClaims::strays() {
  Strays strays;
  // Claims of an earlier boot are dropped too, but not counted, because they do not keep anybody
  // from the port.
  const auto is_of_now = [&](const PortClaim& claim) { return claim.boot_id == boot_id_; };
  TRY(auto records, store_.list(keys::kPorts));
  TRY(auto ranges, store_.list(keys::kPortRanges));
  std::ranges::move(ranges, std::back_inserter(records));
  for (const state::Record& record : records) {
    TRY(const auto claims, decode_claims(record.value));
    std::vector<PortClaim> confirmed;
    for (const PortClaim& claim : claims) {
      TRY(const bool holds, is_confirmed(record.key, claim));
      if (holds) confirmed.push_back(claim);
    }
    if (confirmed.size() == claims.size()) continue;
    TRY(const auto now, store_.get(record.key));
    if (!now || now->revision != record.revision) continue;
    strays.count +=
        static_cast<std::size_t>(std::ranges::count_if(claims, is_of_now)) - confirmed.size();
    state::Txn cure{.preconditions = {{record.key, record.revision}}};
    if (confirmed.empty())
      cure.deletes.push_back(record.key);
    else
      cure.puts.push_back({record.key, encode(confirmed)});
    strays.cures.push_back(std::move(cure));
  }
  return strays;
}

Result<std::size_t> PortClaims::count_strays() {
  TRY(const auto found, strays());
  return found.count;
}

Result<std::size_t> PortClaims::drop_strays() {
  TRY(const auto found, strays());
  for (const state::Txn& cure : found.cures) {
    const auto done = store_.commit(cure);
    if (!done && done.error().code != Code::kConflict) return fail(done.error());
  }
  return found.count;
}

}  // namespace fairlead::network
