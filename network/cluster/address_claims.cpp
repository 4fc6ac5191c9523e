#include "network/cluster/address_claims.h"

#include <algorithm>
#include <unordered_set>

#include "network/cluster/block_layout.h"
#include "network/cluster/keys.h"
#include "network/cluster/peer_table.h"

namespace fairlead::network::cluster {

Result<ListedClaim> decode_claim(const state::Record& record) {
  const auto kind = keys::kind_of(record.key);
  if (kind != keys::Kind::kBlock && kind != keys::Kind::kAddress)
    return fail(Code::kNotFound, "{} is no claim", record.key);
  auto first = IpAddress::from_hex(keys::last_part(record.key));
  if (!first) return fail(Code::kIo, "record {}: {}", record.key, first.error().text);
  ListedClaim listed{
      .is_block = kind == keys::Kind::kBlock, .first = *first, .revision = record.revision};
  if (listed.is_block) {
    TRY(auto block, decode<BlockRecord>(record));
    listed.claim = {std::move(block.host_id), block.epoch, std::move(block.holes)};
  } else {
    TRY(auto single, decode<StaticClaimRecord>(record));
    listed.claim = {std::move(single.host_id), single.epoch, {}};
  }
  return listed;
}

state::Record record_of(const ListedClaim& listed, const std::string& network_id) {
  const auto& [host_id, epoch, holes] = listed.claim;
  if (listed.is_block)
    return {keys::block(network_id, listed.first), encode(BlockRecord{host_id, epoch, holes}),
            listed.revision};
  return {keys::address(network_id, listed.first),
          encode(StaticClaimRecord{.endpoint_id = {}, .host_id = host_id, .epoch = epoch}),
          listed.revision};
}

AddressClaims::AddressClaims(std::vector<Subnet> subnets, IsVoid is_void)
    : subnets_(std::move(subnets)), is_void_(std::move(is_void)) {}

// The part of the subnet that holds `ip` from which addresses are given out.
std::optional<Cidr> AddressClaims::area_of(const IpAddress& ip) const {
  for (const Subnet& subnet : subnets_)
    if (const Cidr area = allocation_area(subnet); area.contains(ip)) return area;
  return std::nullopt;
}

std::vector<Cidr> AddressClaims::covered(bool is_block, const IpAddress& first) const {
  if (!is_block) return {Cidr::of(first, first.is_v4() ? 32 : 128)};
  const auto area = area_of(first);
  if (!area || !has_blocks(*area)) return {};
  const Cidr block = block_of(*area, first);
  return block.first() == first ? std::vector{block} : std::vector<Cidr>();
}

std::vector<Cidr> AddressClaims::set(const ListedClaim& claim, Seen seen) {
  const auto [place, is_new] = table(claim.is_block).try_emplace(claim.first);
  Held& held = place->second;
  if (held.missing_since) --missing_;
  held.missing_since.reset();
  if (!is_new && claim.revision <= held.revision()) return {};
  const bool is_taken_over = !is_new && seen == Seen::kEveryChange &&
                             claim.claim.host_id != held.holder.claim.host_id &&
                             !is_void_(held.holder.claim);
  if (is_taken_over) {
    held.contender = claim;
    return {};
  }
  held.holder = claim;
  held.contender.reset();
  return covered(claim.is_block, claim.first);
}

std::vector<Cidr> AddressClaims::drop(bool is_block, const IpAddress& first,
                                      std::int64_t revision) {
  Table& of = table(is_block);
  const auto found = of.find(first);
  if (found == of.end() || revision <= found->second.revision()) return {};
  if (found->second.missing_since) --missing_;
  of.erase(found);
  return covered(is_block, first);
}

std::vector<Cidr> AddressClaims::replace(const std::vector<ListedClaim>& listed,
                                         std::int64_t revision, Seen seen, Time now) {
  std::vector<Cidr> changed;
  for (const ListedClaim& claim : listed)
    for (const Cidr& cidr : set(claim, seen)) changed.push_back(cidr);
  for (const bool is_block : {true, false}) drop_missing(is_block, listed, revision, now, changed);
  return changed;
}

void AddressClaims::drop_missing(bool is_block, const std::vector<ListedClaim>& listed,
                                 std::int64_t revision, Time now, std::vector<Cidr>& changed) {
  std::unordered_set<IpAddress, HashIp> present;
  for (const ListedClaim& claim : listed)
    if (claim.is_block == is_block) present.insert(claim.first);
  Table& of = table(is_block);
  for (auto entry = of.begin(); entry != of.end();) {
    auto& [first, held] = *entry;
    const bool is_missing = !present.contains(first) && held.revision() <= revision;
    if (is_missing && held.missing_since && now - *held.missing_since >= kSecondLook) {
      --missing_;
      for (const Cidr& cidr : covered(is_block, first)) changed.push_back(cidr);
      entry = of.erase(entry);
      continue;
    }
    if (is_missing && !held.missing_since) {
      held.missing_since = now;
      ++missing_;
    }
    ++entry;
  }
}

void AddressClaims::rewind() {
  for (Table* of : {&blocks_, &singles_})
    for (auto& [first, held] : *of) {
      held.holder.revision = 0;
      held.contender.reset();
    }
}

const AddressClaim* AddressClaims::counting(const Table& table, const IpAddress& first) const {
  const auto found = table.find(first);
  if (found == table.end()) return nullptr;
  const auto& [holder, contender, missing_since] = found->second;
  if (!is_void_(holder.claim)) return &holder.claim;
  return contender && !is_void_(contender->claim) ? &contender->claim : nullptr;
}

const AddressClaim* AddressClaims::owner(const IpAddress& ip) const {
  if (const auto area = area_of(ip); area && has_blocks(*area)) {
    const AddressClaim* block = counting(blocks_, block_of(*area, ip).first());
    if (block != nullptr && std::ranges::find(block->holes, ip) == block->holes.end()) return block;
  }
  return counting(singles_, ip);
}

std::vector<ListedClaim> AddressClaims::all() const {
  std::vector<ListedClaim> found;
  for (const Table* of : {&blocks_, &singles_})
    for (const auto& [first, held] : *of) found.push_back(held.holder);
  return found;
}

std::vector<AddressClaims::Refusal> AddressClaims::refusals() const {
  std::vector<Refusal> found;
  for (const Table* of : {&blocks_, &singles_})
    for (const auto& [first, held] : *of) {
      const bool is_block = of == &blocks_;
      const auto cidrs = covered(is_block, first);
      const std::string what =
          is_block && !cidrs.empty() ? cidrs[0].to_string() : first.to_string();
      const bool is_inside = std::ranges::any_of(
          subnets_, [&base = first](const Subnet& subnet) { return subnet.subnet.contains(base); });
      if (!is_void_(held.holder.claim) && (!is_inside || cidrs.empty()))
        found.push_back(
            {held.holder.claim.host_id, fmt::format("claims {}, which is no {} of the network",
                                                    what, is_block ? "block" : "address")});
      if (held.contender && counting(*of, first) == &held.holder.claim)
        found.push_back(
            {held.contender->claim.host_id, fmt::format("claims {}, which host {} has", what,
                                                        held.holder.claim.host_id.substr(0, 12))});
    }
  return found;
}

}  // namespace fairlead::network::cluster
