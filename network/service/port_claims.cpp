#include "network/service/port_claims.h"

#include <algorithm>
#include <map>

#include "network/service/keys.h"
#include "network/service/record_store.h"

namespace fairlead::network {

bool overlap(const std::optional<IpAddress>& a, const std::optional<IpAddress>& b) {
  if (!a || !b) return true;
  if (a->family() != b->family()) return false;
  return a->is_any() || b->is_any() || *a == *b;
}

// The claims of one key, with the revision that was read and the changes of the plan.
struct PortClaims::Slot {
  std::string key;
  std::int64_t revision = state::kAbsent;
  std::vector<PortClaim> claims;
  bool changed = false;
};

class PortClaims::Plan {
 public:
  Plan(PortClaims& parent, const PortOwner& owner) : parent_(parent), owner_(owner) {}

  Status give_up(const PublishedPort& port) {
    TRY(Slot * slot, slot_of(port.proto, port.host_port));
    slot->changed |= std::erase_if(slot->claims, [&](const PortClaim& claim) {
                       return is_ours(claim) && claim.host_ip == port.host_ip;
                     }) > 0;
    freed_.push_back(port);
    return {};
  }

  Result<PublishedPort> take(const PortSpec& wanted) {
    if (wanted.container_port == 0)
      return fail(Code::kInvalid, "publish a port: the container's port must be 1 to 65535");
    if (wanted.host_port == 0) return take_ephemeral(wanted);
    const unsigned last = std::max(wanted.host_port, wanted.host_port_end);
    Error error;
    for (unsigned number = wanted.host_port; number <= last; ++number) {
      auto taken = take_exactly(wanted, static_cast<std::uint16_t>(number));
      if (taken || taken.error().code != Code::kInUse) return taken;
      error = taken.error();
    }
    if (last == wanted.host_port) return fail(std::move(error));
    return fail(Code::kInUse, "publish a port: none of {}-{}/{} is free ({})", wanted.host_port,
                last, to_string(wanted.proto), error.text);
  }

  void write_to(state::Txn& txn) const {
    for (const auto& [key, slot] : slots_) {
      if (!slot.changed) continue;
      txn.preconditions.push_back({key, slot.revision});
      if (slot.claims.empty())
        txn.deletes.push_back(key);
      else
        txn.puts.push_back({key, encode(slot.claims)});
    }
    for (const auto& [proto, port] : cursors_)
      txn.puts.push_back({keys::port_cursor(proto), encode_port(port)});
  }

 private:
  bool is_ours(const PortClaim& claim) const {
    return claim.endpoint_id == owner_.endpoint_id && claim.network_id == owner_.network_id;
  }

  Result<Slot*> slot_of(Proto proto, std::uint16_t number) {
    const std::string key = keys::port(proto, number);
    const auto [slot, fresh] = slots_.try_emplace(key);
    if (!fresh) return &slot->second;
    slot->second.key = key;
    TRY(auto record, parent_.store_.get(key));
    if (record) {
      slot->second.revision = record->revision;
      TRY(slot->second.claims, decode_claims(record->value));
      slot->second.changed = std::erase_if(slot->second.claims, [&](const PortClaim& claim) {
                               return claim.boot_id != parent_.boot_id_;
                             }) > 0;
    }
    return &slot->second;
  }

  Result<PublishedPort> take_exactly(const PortSpec& wanted, std::uint16_t number) {
    TRY(Slot * slot, slot_of(wanted.proto, number));
    for (const PortClaim& claim : slot->claims) {
      if (!overlap(claim.host_ip, wanted.host_ip)) continue;
      if (is_ours(claim))
        return fail(Code::kInUse, "publish port {}/{}: it is named twice", number,
                    to_string(wanted.proto));
      return fail(Code::kInUse,
                  "publish port {}/{}: it is published already by {}; `fairlead port ls` shows all",
                  number, to_string(wanted.proto),
                  RecordStore(parent_.store_).describe(claim.network_id, claim.endpoint_id));
    }
    const PublishedPort port{wanted.proto, wanted.host_ip, number, wanted.container_port};
    if (!was_ours(port)) {
      if (auto free = parent_.host_ports_.check_free(static_cast<std::uint8_t>(wanted.proto),
                                                     wanted.host_ip, number);
          !free)
        return fail(with_context(
            free.error(), fmt::format("publish port {}/{}", number, to_string(wanted.proto))));
    }
    slot->claims.push_back({wanted.host_ip, owner_.network_id, owner_.endpoint_id,
                            wanted.container_port, parent_.boot_id_});
    slot->changed = true;
    return port;
  }

  bool was_ours(const PublishedPort& port) const {
    return std::ranges::find(freed_, port) != freed_.end();
  }

  // Next-fit through the ephemeral range, so that a port that was given up is not chosen again at
  // once.
  Result<PublishedPort> take_ephemeral(const PortSpec& wanted) {
    const auto [first, last] = parent_.host_ports_.ephemeral_range();
    TRY(std::uint16_t start, cursor_of(wanted.proto, first, last));
    const unsigned count = last - first + 1U;
    for (unsigned step = 1; step <= count; ++step) {
      const auto number = static_cast<std::uint16_t>(first + (start - first + step) % count);
      auto taken = take_exactly(wanted, number);
      if (!taken && taken.error().code == Code::kInUse) continue;
      if (taken) cursors_[wanted.proto] = number;
      return taken;
    }
    return fail(Code::kExhausted,
                "publish a port: every port of {}-{} is taken (net.ipv4.ip_local_port_range)",
                first, last);
  }

  Result<std::uint16_t> cursor_of(Proto proto, std::uint16_t first, std::uint16_t last) {
    if (const auto known = cursors_.find(proto); known != cursors_.end()) return known->second;
    TRY(auto record, parent_.store_.get(keys::port_cursor(proto)));
    if (!record) return last;
    TRY(auto port, decode_port(record->value));
    return port < first || port > last ? last : port;
  }

  PortClaims& parent_;
  const PortOwner& owner_;
  std::map<std::string, Slot> slots_;
  std::map<Proto, std::uint16_t> cursors_;
  std::vector<PublishedPort> freed_;
};

Result<std::vector<PublishedPort>> PortClaims::plan(const PortOwner& owner,
                                                    std::span<const PortSpec> wanted,
                                                    std::span<const PublishedPort> before,
                                                    state::Txn& txn) {
  Plan plan(*this, owner);
  for (const PublishedPort& port : before) TRY_STATUS(plan.give_up(port));
  std::vector<PublishedPort> published;
  for (const PortSpec& spec : wanted) {
    TRY(auto port, plan.take(spec));
    published.push_back(port);
  }
  plan.write_to(txn);
  return published;
}

Result<std::vector<PortOwner>> PortClaims::holders(std::span<const PortSpec> wanted) {
  std::vector<PortOwner> holders;
  for (const PortSpec& spec : wanted) {
    const unsigned last = std::max(spec.host_port, spec.host_port_end);
    for (unsigned number = spec.host_port; number != 0 && number <= last; ++number) {
      TRY(const auto record, store_.get(keys::port(spec.proto, number)));
      if (!record) continue;
      TRY(const auto claims, decode_claims(record->value));
      for (const PortClaim& claim : claims)
        if (claim.boot_id == boot_id_ && overlap(claim.host_ip, spec.host_ip))
          holders.push_back({claim.network_id, claim.endpoint_id});
    }
  }
  return holders;
}

// Whether the endpoint of the claim has the port. An endpoint and its claims are committed in one
// transaction.
Result<bool> PortClaims::is_confirmed(const std::string& key, const PortClaim& claim) {
  if (claim.boot_id != boot_id_) return false;
  TRY(const auto endpoint, RecordStore(store_).endpoint(claim.network_id, claim.endpoint_id));
  return endpoint && std::ranges::any_of(endpoint->value.ports, [&](const PublishedPort& port) {
           return keys::port(port.proto, port.host_port) == key && port.host_ip == claim.host_ip;
         });
}

// When the endpoint of a claim is removed after the claim was read, the claim looks like a stray;
// its key has changed too then, so the key is read again before the claim counts.
Result<PortClaims::Strays> PortClaims::strays() {
  Strays strays;
  // Claims of an earlier boot are dropped too, but not counted, because they do not keep anybody
  // from the port.
  const auto is_of_now = [&](const PortClaim& claim) { return claim.boot_id == boot_id_; };
  TRY(const auto records, store_.list(keys::kPorts));
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
