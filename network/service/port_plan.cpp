#include "network/service/port_plan.h"

#include <algorithm>

#include "network/service/keys.h"
#include "network/service/record_store.h"

namespace fairlead::network {

namespace {

kernel::HostPort host_port(const PublishedPort& port) {
  return {.proto = static_cast<std::uint8_t>(port.proto),
          .host_ip = port.host_ip,
          .number = port.host_port,
          .last = port.last()};
}

}  // namespace

bool PortPlan::is_ours(const PortClaim& claim) const {
  return claim.endpoint_id == claimant_.owner.endpoint_id &&
         claim.network_id == claimant_.owner.network_id;
}

// Whatever number of connections it had.
bool PortPlan::was_ours(PublishedPort port) const {
  port.max_connections = 0;
  return freed_.contains(port);
}

// By the runtime's id of the container, or by the namespace: Docker does not tell the id.
Result<bool> PortPlan::is_same_container(const PortClaim& claim) {
  const PortOwner owner{claim.network_id, claim.endpoint_id};
  if (const auto known = same_container_.find(owner); known != same_container_.end())
    return known->second;
  TRY(const auto stored, RecordStore(claims_.store_).endpoint(claim.network_id, claim.endpoint_id));
  bool same = false;
  if (stored) {
    const Endpoint& other = stored->value;
    const bool same_id = !other.container.empty() && other.container == claimant_.container &&
                         other.runtime == claimant_.runtime;
    const bool same_netns = !other.netns_path.empty() && other.netns_path == claimant_.netns_path;
    same = same_id || same_netns;
  }
  same_container_[owner] = same;
  return same;
}

Result<PortPlan::Slot*> PortPlan::slot_of(const PublishedPort& port) {
  return slot_at(port.is_range() ? keys::port_ranges(port.proto)
                                 : keys::port(port.proto, port.host_port));
}

Result<PortPlan::Slot*> PortPlan::slot_at(const std::string& key) {
  const auto [slot, fresh] = slots_.try_emplace(key);
  if (!fresh) return &slot->second;
  slot->second.key = key;
  TRY(auto record, claims_.store_.get(key));
  if (record) {
    slot->second.revision = record->revision;
    TRY(slot->second.claims, decode_claims(record->value));
    slot->second.changed = std::erase_if(slot->second.claims, [&](const PortClaim& claim) {
                             return claim.boot_id != claims_.boot_id_;
                           }) > 0;
  }
  return &slot->second;
}

Status PortPlan::give_up(const PublishedPort& port) {
  TRY(Slot * slot, slot_of(port));
  slot->changed |= std::erase_if(slot->claims, [&](const PortClaim& claim) {
                     const bool same_range =
                         claim.host_port_end == port.host_port_end &&
                         (!port.is_range() || claim.host_port == port.host_port);
                     return is_ours(claim) && claim.host_ip == port.host_ip && same_range;
                   }) > 0;
  PublishedPort freed = port;
  freed.max_connections = 0;
  freed_.insert(freed);
  return {};
}

Status PortPlan::take(const PortSpec& wanted) {
  if (wanted.container_port == 0)
    return fail(Code::kInvalid, "publish a port: the container's port must be 1 to 65535");
  if (wanted.max_connections > kMostConnections)
    return fail(Code::kInvalid, "publish a port: {} connections are too many; use 1 to {}",
                wanted.max_connections, kMostConnections);
  if (wanted.host_port == 0) return take_ephemeral(wanted);
  if (wanted.container_port_end != 0) return take_range(wanted);
  const unsigned last = std::max(wanted.host_port, wanted.host_port_end);
  if (last > wanted.host_port) return take_one_of(wanted, last);
  TRY(const Taken taken, find_place(wanted, wanted.host_port));
  if (!taken.standby && !was_ours(taken.port)) to_check_.push_back(taken.port);
  return settle(taken);
}

// The single ports in the range are read now, and once more after the commit
// (PortClaims::confirm()): whoever claims one meanwhile does so at the revision of the ranges that
// this plan changes, or is seen then.
Status PortPlan::take_range(const PortSpec& wanted) {
  Taken taken{.port = {wanted.proto, wanted.host_ip, wanted.host_port, wanted.container_port,
                       wanted.host_port_end, wanted.max_connections}};
  TRY(Slot * ranges, slot_of(taken.port));
  TRY_STATUS(ask(ranges->claims, taken));
  TRY_STATUS(ask_singles(taken));
  if (!taken.standby && !was_ours(taken.port)) to_check_.push_back(taken.port);
  return settle(taken);
}

Status PortPlan::look_for_singles(const PublishedPort& range) {
  Taken taken{.port = range};
  return ask_singles(taken);
}

Status PortPlan::ask_singles(Taken& taken) {
  TRY(const auto records,
      claims_.singles_in(taken.port.proto, taken.port.host_port, taken.port.last()));
  for (const state::Record& record : records) {
    TRY(const Slot* single, slot_at(record.key));  // without what this plan gives up
    std::vector<PortClaim> numbered = single->claims;
    for (PortClaim& claim : numbered)
      claim.host_port =
          static_cast<std::uint16_t>(std::stoul(record.key.substr(record.key.rfind('/') + 1)));
    TRY_STATUS(ask(numbered, taken));
  }
  return {};
}

Status PortPlan::take_one_of(const PortSpec& wanted, unsigned last) {
  Error error;
  for (unsigned number = wanted.host_port; number <= last; ++number) {
    const auto taken = find_place(wanted, static_cast<std::uint16_t>(number));
    Status free;
    if (!taken)
      free = fail(taken.error());
    else if (!taken->standby && !was_ours(taken->port))
      free = check_socket(taken->port);
    if (free) return settle(*taken);
    if (free.error().code != Code::kInUse) return free;
    error = free.error();
  }
  return fail(Code::kInUse, "publish a port: none of {}-{}/{} is free ({})", wanted.host_port, last,
              to_string(wanted.proto), error.text);
}

// Next-fit through the ephemeral range, so that a port that was given up is not chosen again at
// once.
Status PortPlan::take_ephemeral(const PortSpec& wanted) {
  const auto [first, last] = claims_.host_ports_.ephemeral_range();
  TRY(const std::uint16_t start, cursor_of(wanted.proto, first, last));
  const unsigned count = last - first + 1U;
  for (unsigned step = 1; step <= count; ++step) {
    const auto number = static_cast<std::uint16_t>(first + (start - first + step) % count);
    const auto taken = find_place(wanted, number);
    if (taken && taken->standby) continue;
    const Status free = taken ? check_socket(taken->port) : fail(taken.error());
    if (!free && free.error().code == Code::kInUse) continue;
    if (!free) return free;
    cursors_[wanted.proto] = number;
    return settle(*taken);
  }
  return fail(Code::kExhausted,
              "publish a port: every port of {}-{} is taken (net.ipv4.ip_local_port_range)", first,
              last);
}

Result<std::uint16_t> PortPlan::cursor_of(Proto proto, std::uint16_t first, std::uint16_t last) {
  if (const auto known = cursors_.find(proto); known != cursors_.end()) return known->second;
  TRY(const auto record, claims_.store_.get(keys::port_cursor(proto)));
  if (!record) return last;
  TRY(const auto port, decode_port(record->value));
  return port < first || port > last ? last : port;
}

Error PortPlan::taken_by(const PortClaim& claim, const PublishedPort& port) {
  const bool same_mapping =
      claim.host_port == 0
          ? claim.container_port == port.container_port && !port.is_range()
          : claim.container_port - claim.host_port == port.container_port - port.host_port;
  if (is_ours(claim) && same_mapping)
    return {Code::kInUse, 0,
            fmt::format("publish port {}/{}: it is named twice, with different numbers of "
                        "connections; name it once",
                        port.host_port, to_string(port.proto))};
  if (is_ours(claim))
    return {Code::kInUse, 0,
            fmt::format("publish port {}/{}: it is named twice, for the container's ports {} and "
                        "{}; one port of the host leads to one of them",
                        port.host_port, to_string(port.proto), claim.container_port,
                        port.container_port)};
  return {Code::kInUse, 0,
          fmt::format("publish a port: port {}/{} is published by {}; `fairlead port ls` shows all",
                      std::max(claim.host_port, port.host_port), to_string(port.proto),
                      RecordStore(claims_.store_).describe(claim.network_id, claim.endpoint_id))};
}

// Two endpoints of one container may both have a mapping. Where one has it on more addresses, both
// serve it, each on its own.
Result<PortPlan::Hindrance> PortPlan::hindrance(const PortClaim& claim, const PublishedPort& port) {
  if (!overlap(claim.host_ip, port.host_ip)) return Hindrance::kNone;
  const bool of_range = claim.host_port_end != 0;
  if (of_range && (claim.host_port > port.last() || claim.host_port_end < port.host_port))
    return Hindrance::kNone;
  const bool same_mapping = of_range ? port.is_range() && claim.container_port - claim.host_port ==
                                                              port.container_port - port.host_port
                                     : claim.container_port == port.container_port;
  if (is_ours(claim) || !same_mapping || of_range != port.is_range()) return Hindrance::kTaken;
  TRY(const bool same, is_same_container(claim));
  if (!same) return Hindrance::kTaken;
  const bool same_ports =
      !of_range || (claim.host_port == port.host_port && claim.host_port_end == port.host_port_end);
  if (!same_ports) return Hindrance::kTaken;
  const bool serves = !claim.standby && covers(claim.host_ip, port.host_ip);
  return serves ? Hindrance::kServes : Hindrance::kNone;
}

Result<PortPlan::Taken> PortPlan::find_place(const PortSpec& wanted, std::uint16_t number) {
  Taken taken{.port = {wanted.proto, wanted.host_ip, number, wanted.container_port, 0,
                       wanted.max_connections}};
  TRY(Slot * slot, slot_of(taken.port));
  TRY_STATUS(ask(slot->claims, taken));
  TRY(Slot * ranges, slot_at(keys::port_ranges(wanted.proto)));
  ranges->pinned = true;
  TRY_STATUS(ask(ranges->claims, taken));
  return taken;
}

Status PortPlan::ask(std::span<const PortClaim> claims, Taken& taken) {
  for (const PortClaim& claim : claims) {
    TRY(const Hindrance hinders, hindrance(claim, taken.port));
    if (hinders == Hindrance::kTaken) return fail(taken_by(claim, taken.port));
    taken.standby |= hinders == Hindrance::kServes;
  }
  return {};
}

Status PortPlan::settle(const Taken& taken) {
  TRY(Slot * slot, slot_of(taken.port));
  const std::uint16_t first = taken.port.is_range() ? taken.port.host_port : std::uint16_t{0};
  slot->claims.push_back({.host_ip = taken.port.host_ip,
                          .network_id = claimant_.owner.network_id,
                          .endpoint_id = claimant_.owner.endpoint_id,
                          .container_port = taken.port.container_port,
                          .boot_id = claims_.boot_id_,
                          .standby = taken.standby,
                          .host_port = first,
                          .host_port_end = taken.port.host_port_end});
  slot->changed = true;
  (taken.standby ? result_.standby : result_.serves).push_back(taken.port);
  return {};
}

kernel::PortUser PortPlan::user() const {
  return {.container = claimant_.container,
          .by_podman = claimant_.runtime == "podman",
          .allow_missing_address = claimant_.allow_missing_address};
}

Status PortPlan::check_socket(const PublishedPort& port) {
  const kernel::HostPort asked = host_port(port);
  auto free = claims_.host_ports_.check_free({&asked, 1}, user());
  return free ? Status() : fail(with_context(free.error(), "publish a port"));
}

Status PortPlan::check_sockets() {
  if (to_check_.empty()) return {};
  std::vector<kernel::HostPort> asked;
  for (const PublishedPort& port : to_check_) asked.push_back(host_port(port));
  auto free = claims_.host_ports_.check_free(asked, user());
  return free ? Status() : fail(with_context(free.error(), "publish a port"));
}

void PortPlan::write_to(state::Txn& txn) const {
  for (const auto& [key, slot] : slots_) {
    if (!slot.changed && !slot.pinned) continue;
    txn.preconditions.push_back({key, slot.revision});
    if (!slot.changed) continue;
    if (slot.claims.empty())
      txn.deletes.push_back(key);
    else
      txn.puts.push_back({key, encode(slot.claims)});
  }
  for (const auto& [proto, port] : cursors_)
    txn.puts.push_back({keys::port_cursor(proto), encode_port(port)});
}

std::vector<PortOwner> PortPlan::heirs() const {
  std::vector<PortOwner> heirs;
  for (const auto& [key, slot] : slots_)
    for (const PortClaim& waiting : slot.claims)
      if (waiting.standby && std::ranges::none_of(slot.claims, [&](const PortClaim& claim) {
            return !claim.standby && covers(claim.host_ip, waiting.host_ip) &&
                   claim.host_port == waiting.host_port &&
                   claim.host_port_end == waiting.host_port_end;
          }))
        heirs.push_back({waiting.network_id, waiting.endpoint_id});
  return heirs;
}

}  // namespace fairlead::network
