#include "network/cluster/records.h"

#include <algorithm>

#include "base/state/record_fields.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

using json::defaulted;
using json::fields;
using json::Json;
using json::object;
using json::one_of;
using json::Range;
using json::required;
using json::sparse;
using json::text;
using state::read_record;

namespace {

// ---- forms

constexpr std::size_t kLongestText = 255;
constexpr Range kPort{0, 65535}, kMtu{0, 65535};
constexpr auto kSubnetText = text<&Cidr::parse_subnet>();
constexpr auto kHostPhase = one_of<HostPhase::kMember, HostPhase::kLeft, HostPhase::kRemoved>();
constexpr auto kNetworkPhase = one_of<NetworkPhase::kReady, NetworkPhase::kDeleting>();
constexpr auto kClaimPhase =
    one_of<ClaimPhase::kClaiming, ClaimPhase::kHeld, ClaimPhase::kReleasing>();
constexpr auto kEndpointState =
    one_of<EndpointState::kStarting, EndpointState::kReady, EndpointState::kDraining>();

// ---- the fields of each record

struct IdRecord {
  std::string id;
};
constexpr auto kId = fields(required<&IdRecord::id>("id"));

constexpr auto kMeta =
    fields(required<&ClusterMeta::uuid>("uuid"), defaulted<&ClusterMeta::port>("port", kPort),
           defaulted<&ClusterMeta::pools>("pools", kSubnetText),
           defaulted<&ClusterMeta::format>("format"));

constexpr auto kWireguard =
    fields(required<&WireguardInfo::key>("key"), defaulted<&WireguardInfo::port>("port"),
           required<&WireguardInfo::address>("address"));

constexpr auto kHost = fields(
    required<&HostRecord::info, &HostInfo::name>("name"),
    required<&HostRecord::info, &HostInfo::vtep>("vtep"),
    defaulted<&HostRecord::info, &HostInfo::underlay_mtu>("underlay_mtu", kMtu),
    sparse<&HostRecord::info, &HostInfo::wireguard>("secure", object(kWireguard)),
    defaulted<&HostRecord::info, &HostInfo::version>("version"),
    required<&HostRecord::epoch>("epoch"), required<&HostRecord::phase>("phase", kHostPhase),
    defaulted<&HostRecord::changed>("changed"), sparse<&HostRecord::free_after>("free_after"));

constexpr auto kLive =
    fields(required<&LiveRecord::boot_id>("boot"), required<&LiveRecord::epoch>("epoch"),
           required<&LiveRecord::nonce>("nonce"));

constexpr auto kSubnet =
    fields(required<&Subnet::subnet>("subnet", kSubnetText), sparse<&Subnet::gateway>("gateway"),
           sparse<&Subnet::range>("range"), sparse<&Subnet::aux>("aux"));

constexpr auto kNetwork =
    fields(required<&NetworkRecord::network, &SharedNetwork::name>("name"),
           required<&NetworkRecord::network, &SharedNetwork::vni>("vni", Range{1, 0xffffff}),
           defaulted<&NetworkRecord::network, &SharedNetwork::subnets>("subnets", object(kSubnet)),
           defaulted<&NetworkRecord::network, &SharedNetwork::mtu>("mtu", kMtu),
           defaulted<&NetworkRecord::network, &SharedNetwork::options>("options"),
           defaulted<&NetworkRecord::network, &SharedNetwork::internal>("internal"),
           required<&NetworkRecord::phase>("phase", kNetworkPhase),
           defaulted<&NetworkRecord::network, &SharedNetwork::created>("created"));

constexpr auto kVni =
    fields(sparse<&VniRecord::network_id>("id"), defaulted<&VniRecord::free_after>("free_after"));

constexpr auto kPool =
    fields(required<&SharedPool::network_id>("id"), defaulted<&SharedPool::name>("name"));

constexpr auto kBlock =
    fields(required<&BlockRecord::host_id>("host"), required<&BlockRecord::epoch>("epoch"),
           sparse<&BlockRecord::holes>("holes"));

constexpr auto kStaticClaim = fields(required<&StaticClaimRecord::endpoint_id>("endpoint"),
                                     required<&StaticClaimRecord::host_id>("host"),
                                     required<&StaticClaimRecord::epoch>("epoch"));

constexpr auto kEndpoint =
    fields(required<&SharedEndpoint::host_id>("host"), required<&SharedEndpoint::epoch>("epoch"),
           defaulted<&SharedEndpoint::addresses>("ips"), required<&SharedEndpoint::mac>("mac"),
           sparse<&SharedEndpoint::container>("container"), sparse<&SharedEndpoint::names>("names"),
           required<&SharedEndpoint::state>("state", kEndpointState));

constexpr auto kMember =
    fields(required<&MemberRecord::cluster>("cluster"), required<&MemberRecord::epoch>("epoch"),
           defaulted<&MemberRecord::nonce>("nonce"), defaulted<&MemberRecord::boot_id>("boot"));

constexpr auto kLocalBlock = fields(required<&LocalBlock::block>("block", kSubnetText),
                                    required<&LocalBlock::epoch>("epoch"),
                                    required<&LocalBlock::phase>("phase", kClaimPhase),
                                    defaulted<&LocalBlock::ranges>("ranges", kSubnetText),
                                    sparse<&LocalBlock::empty_since>("empty_since"));

constexpr auto kLocalAddress = fields(
    required<&LocalAddress::endpoint_id>("endpoint"), required<&LocalAddress::epoch>("epoch"),
    required<&LocalAddress::phase>("phase", kClaimPhase), defaulted<&LocalAddress::since>("since"));

constexpr auto kSeen = fields(required<&SeenRecord::revision>("revision"),
                              sparse<&SeenRecord::quarantined_since>("doubt_since"));

// Ids become parts of keys, of names of files and devices, and are shown to people.
Status check_id(const state::Record& record) {
  const auto id = keys::last_part(record.key);
  const bool is_id = !id.empty() && id.size() <= 64 &&
                     id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (is_id) return {};
  return fail(state::damaged(record, {Code::kInvalid, 0, "its key does not end in an id"}));
}

// Texts for people are shown on terminals and in logs.
Status check_text(const state::Record& record, std::string_view what, std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (text.size() <= kLongestText && std::ranges::none_of(text, is_control)) return {};
  return fail(state::damaged(
      record, {Code::kInvalid, 0, fmt::format("its {} is too long or not printable", what)}));
}

}  // namespace

std::string_view to_string(EndpointState state) {
  switch (state) {
    case EndpointState::kStarting:
      return "starting";
    case EndpointState::kReady:
      return "ready";
    case EndpointState::kDraining:
      return "draining";
  }
  return "starting";
}

std::string_view to_string(HostPhase phase) {
  switch (phase) {
    case HostPhase::kMember:
      return "member";
    case HostPhase::kLeft:
      return "left";
    case HostPhase::kRemoved:
      return "removed";
  }
  return "member";
}

std::string_view to_string(NetworkPhase phase) {
  return phase == NetworkPhase::kDeleting ? "deleting" : "ready";
}

std::string_view to_string(ClaimPhase phase) {
  switch (phase) {
    case ClaimPhase::kClaiming:
      return "claiming";
    case ClaimPhase::kHeld:
      return "held";
    case ClaimPhase::kReleasing:
      return "releasing";
  }
  return "claiming";
}

std::string encode_id(std::string_view id) {
  return json::dump(json::write(IdRecord{std::string(id)}, kId));
}
std::string encode_last(std::string_view last) { return json::dump(Json{{"last", last}}); }

Result<std::string> decode_id(const state::Record& record) {
  TRY(auto found, read_record(record, kId));
  return std::move(found.id);
}

std::string encode(const ClusterMeta& meta) { return json::dump(json::write(meta, kMeta)); }

template <>
Result<ClusterMeta> decode(const state::Record& record) {
  return read_record(record, kMeta);
}

std::string encode(const HostRecord& host) { return json::dump(json::write(host, kHost)); }

template <>
Result<HostRecord> decode(const state::Record& record) {
  TRY_STATUS(check_id(record));
  TRY(auto host, read_record(record, kHost));
  TRY_STATUS(check_text(record, "name", host.info.name));
  TRY_STATUS(check_text(record, "version", host.info.version));
  host.info.id = keys::last_part(record.key);
  return host;
}

std::string encode(const LiveRecord& live) { return json::dump(json::write(live, kLive)); }

template <>
Result<LiveRecord> decode(const state::Record& record) {
  return read_record(record, kLive);
}

std::string encode(const NetworkRecord& network) {
  return json::dump(json::write(network, kNetwork));
}

template <>
Result<NetworkRecord> decode(const state::Record& record) {
  TRY_STATUS(check_id(record));
  TRY(auto found, read_record(record, kNetwork));
  found.network.id = keys::last_part(record.key);
  for (Subnet& subnet : found.network.subnets) subnet.pool_id = subnet.subnet.to_string();
  return found;
}

std::string encode(const VniRecord& vni) {
  if (vni.network_id.empty()) return json::dump(json::write(vni, kVni));
  return encode_id(vni.network_id);
}

template <>
Result<VniRecord> decode(const state::Record& record) {
  return read_record(record, kVni);
}

std::string encode(const SharedPool& pool) { return json::dump(json::write(pool, kPool)); }

template <>
Result<SharedPool> decode(const state::Record& record) {
  TRY(auto pool, read_record(record, kPool));
  TRY_STATUS(check_text(record, "name", pool.name));
  return pool;
}

std::string encode(const BlockRecord& block) { return json::dump(json::write(block, kBlock)); }

template <>
Result<BlockRecord> decode(const state::Record& record) {
  return read_record(record, kBlock);
}

std::string encode(const StaticClaimRecord& static_claim) {
  return json::dump(json::write(static_claim, kStaticClaim));
}

template <>
Result<StaticClaimRecord> decode(const state::Record& record) {
  return read_record(record, kStaticClaim);
}

std::string encode(const SharedEndpoint& endpoint) {
  return json::dump(json::write(endpoint, kEndpoint));
}

template <>
Result<SharedEndpoint> decode(const state::Record& record) {
  TRY(auto endpoint, read_record(record, kEndpoint));
  TRY_STATUS(check_text(record, "key", record.key));
  TRY_STATUS(check_text(record, "host", endpoint.host_id));
  endpoint.id = keys::last_part(record.key);
  endpoint.network_id = keys::network_part(record.key);
  return endpoint;
}

std::string encode(const MemberRecord& member) { return json::dump(json::write(member, kMember)); }

template <>
Result<MemberRecord> decode(const state::Record& record) {
  return read_record(record, kMember);
}

std::string encode(const LocalBlock& block) { return json::dump(json::write(block, kLocalBlock)); }

template <>
Result<LocalBlock> decode(const state::Record& record) {
  return read_record(record, kLocalBlock);
}

std::string encode(const LocalAddress& address) {
  return json::dump(json::write(address, kLocalAddress));
}

template <>
Result<LocalAddress> decode(const state::Record& record) {
  TRY(auto address, read_record(record, kLocalAddress));
  auto key = IpAddress::from_hex(keys::last_part(record.key));
  if (!key) return fail(state::damaged(record, std::move(key.error())));
  address.address = *key;
  return address;
}

std::string encode(const SeenRecord& seen) { return json::dump(json::write(seen, kSeen)); }

template <>
Result<SeenRecord> decode(const state::Record& record) {
  return read_record(record, kSeen);
}

}  // namespace fairlead::network::cluster
