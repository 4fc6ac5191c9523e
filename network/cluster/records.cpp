#include "network/cluster/records.h"

#include <array>

#include "base/json/json.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

using json::Json;
using json::Object;

namespace {

template <class Value>
struct Word {
  Value value;
  std::string_view text;
};
constexpr std::array<Word<HostPhase>, 3> kHostPhases{
    {{HostPhase::kMember, "member"}, {HostPhase::kLeft, "left"}, {HostPhase::kRemoved, "removed"}}};
constexpr std::array<Word<NetworkPhase>, 2> kNetworkPhases{
    {{NetworkPhase::kReady, "ready"}, {NetworkPhase::kDeleting, "deleting"}}};
constexpr std::array<Word<ClaimPhase>, 3> kClaimPhases{{{ClaimPhase::kClaiming, "claiming"},
                                                        {ClaimPhase::kHeld, "held"},
                                                        {ClaimPhase::kReleasing, "releasing"}}};
constexpr std::array<Word<EndpointState>, 3> kEndpointStates{
    {{EndpointState::kStarting, "starting"},
     {EndpointState::kReady, "ready"},
     {EndpointState::kDraining, "draining"}}};

template <class Words, class Value>
std::string_view word_of(const Words& words, Value value) {
  for (const auto& word : words)
    if (word.value == value) return word.text;
  return words[0].text;
}

template <class Value, std::size_t size>
Result<Value> word_field(const Object& object, std::string_view key,
                         const std::array<Word<Value>, size>& words) {
  TRY(const auto text, object.string(key));
  for (const auto& word : words)
    if (word.text == text) return word.value;
  return fail(Code::kInvalid, "field {} has the unknown value \"{}\"", object.path_of(key), text);
}

template <class Value>
Result<Value> parsed(const Object& object, std::string_view key,
                     Result<Value> (*parse)(std::string_view)) {
  TRY(const auto text, object.string(key));
  return parse(text);
}

template <class Value>
Result<std::optional<Value>> parsed_or_none(const Object& object, std::string_view key,
                                            Result<Value> (*parse)(std::string_view)) {
  if (object.find(key) == nullptr) return std::optional<Value>();
  TRY(auto value, parsed(object, key, parse));
  return std::optional<Value>(std::move(value));
}

template <class Value>
Result<std::vector<Value>> parsed_list(const Object& object, std::string_view key,
                                       Result<Value> (*parse)(std::string_view)) {
  std::vector<Value> values;
  TRY(const auto texts, object.strings_or_empty(key));
  for (const std::string& text : texts) {
    TRY(auto value, parse(text));
    values.push_back(std::move(value));
  }
  return values;
}

template <class Range>
Json texts_of(const Range& values) {
  Json texts = Json::array();
  for (const auto& value : values) texts.push_back(value.to_string());
  return texts;
}

Result<std::uint64_t> epoch_of(const Object& object) {
  TRY(const auto number, object.integer("epoch", 0, INT64_MAX));
  return static_cast<std::uint64_t>(number);
}

Result<unsigned> small_number(const Object& object, std::string_view key, unsigned fallback) {
  TRY(const auto number, object.integer_or(key, 0, 65535, fallback));
  return static_cast<unsigned>(number);
}

Result<long long> seconds_of(const Object& object, std::string_view key) {
  TRY(const auto number, object.integer_or(key, 0, INT64_MAX, 0));
  return number;
}

Result<WireguardInfo> read_wireguard(const Object& object) {
  WireguardInfo wireguard;
  TRY(wireguard.key, object.string("key"));
  TRY(const auto port, small_number(object, "port", 0));
  wireguard.port = static_cast<std::uint16_t>(port);
  TRY(wireguard.address, parsed(object, "address", &IpAddress::parse));
  return wireguard;
}

Json encode_subnet(const Subnet& subnet) {
  Json json{{"subnet", subnet.subnet.to_string()}};
  if (subnet.gateway) json["gateway"] = subnet.gateway->to_string();
  if (subnet.range) json["range"] = subnet.range->to_string();
  for (const auto& [name, address] : subnet.aux) json["aux"][name] = address.to_string();
  return json;
}

Result<Subnet> read_subnet(const Object& object) {
  Subnet subnet;
  TRY(subnet.subnet, parsed(object, "subnet", &Cidr::parse_subnet));
  TRY(subnet.gateway, parsed_or_none(object, "gateway", &IpAddress::parse));
  TRY(subnet.range, parsed_or_none(object, "range", &Cidr::parse));
  TRY(const auto aux, object.string_map_or_empty("aux"));
  for (const auto& [name, address] : aux) {
    TRY(subnet.aux[name], IpAddress::parse(address));
  }
  subnet.pool_id = subnet.subnet.to_string();
  return subnet;
}

// A record is ours: what is wrong with it is damage, not bad input.
template <class Read>
auto read_record(const state::Record& record, Read read)
    -> decltype(read(std::declval<const Object&>())) {
  const auto damaged = [&](Error error) {
    error.code = Code::kIo;
    return fail(with_context(std::move(error), fmt::format("read the record {}", record.key)));
  };
  auto document = json::parse(record.value);
  if (!document) return damaged(document.error());
  auto object = Object::of(*document);
  if (!object) return damaged(object.error());
  auto value = read(*object);
  if (!value) return damaged(value.error());
  return value;
}

}  // namespace

std::string_view to_string(EndpointState state) { return word_of(kEndpointStates, state); }

std::string encode_id(std::string_view id) { return json::dump(Json{{"id", id}}); }
std::string encode_last(std::string_view last) { return json::dump(Json{{"last", last}}); }

Result<std::string> decode_id(const state::Record& record) {
  return read_record(record, [](const Object& object) { return object.string("id"); });
}

std::string encode(const ClusterMeta& meta) {
  return json::dump(
      Json{{"uuid", meta.uuid}, {"port", meta.port}, {"pools", texts_of(meta.pools)}});
}

template <>
Result<ClusterMeta> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<ClusterMeta> {
    ClusterMeta meta;
    TRY(meta.uuid, object.string("uuid"));
    TRY(meta.port, small_number(object, "port", 4789));
    TRY(meta.pools, parsed_list(object, "pools", &Cidr::parse_subnet));
    return meta;
  });
}

std::string encode(const HostRecord& host) {
  const HostInfo& info = host.info;
  Json json{{"name", info.name},
            {"vtep", info.vtep.to_string()},
            {"underlay_mtu", info.underlay_mtu},
            {"version", info.version},
            {"epoch", host.epoch},
            {"phase", word_of(kHostPhases, host.phase)},
            {"changed", host.changed}};
  if (!info.capabilities.empty()) json["capabilities"] = info.capabilities;
  if (info.wireguard)
    json["secure"] = {{"key", info.wireguard->key},
                      {"port", info.wireguard->port},
                      {"address", info.wireguard->address.to_string()}};
  if (host.free_after != 0) json["free_after"] = host.free_after;
  return json::dump(json);
}

template <>
Result<HostRecord> decode(const state::Record& record) {
  return read_record(record, [&](const Object& object) -> Result<HostRecord> {
    HostRecord host;
    host.info.id = keys::last_part(record.key);
    TRY(host.info.name, object.string("name"));
    TRY(host.info.vtep, parsed(object, "vtep", &IpAddress::parse));
    TRY(host.info.underlay_mtu, small_number(object, "underlay_mtu", 1500));
    TRY(host.info.capabilities, object.strings_or_empty("capabilities"));
    TRY(const auto wireguard, object.object_or_none("secure"));
    if (wireguard) {
      TRY(host.info.wireguard, read_wireguard(*wireguard));
    }
    TRY(host.info.version, object.string_or("version", ""));
    TRY(host.epoch, epoch_of(object));
    TRY(host.phase, word_field(object, "phase", kHostPhases));
    TRY(host.changed, seconds_of(object, "changed"));
    TRY(host.free_after, seconds_of(object, "free_after"));
    return host;
  });
}

std::string encode(const LiveRecord& live) {
  return json::dump(Json{{"boot", live.boot_id}, {"epoch", live.epoch}, {"nonce", live.nonce}});
}

template <>
Result<LiveRecord> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<LiveRecord> {
    LiveRecord live;
    TRY(live.boot_id, object.string("boot"));
    TRY(live.epoch, epoch_of(object));
    TRY(live.nonce, object.string("nonce"));
    return live;
  });
}

std::string encode(const NetworkRecord& record) {
  const SharedNetwork& network = record.network;
  Json json{{"name", network.name.str()},
            {"vni", network.vni},
            {"subnets", Json::array()},
            {"mtu", network.mtu},
            {"options", network.options},
            {"internal", network.internal},
            {"phase", word_of(kNetworkPhases, record.phase)},
            {"created", network.created}};
  for (const Subnet& subnet : network.subnets) json["subnets"].push_back(encode_subnet(subnet));
  return json::dump(json);
}

template <>
Result<NetworkRecord> decode(const state::Record& record) {
  return read_record(record, [&](const Object& object) -> Result<NetworkRecord> {
    NetworkRecord found;
    SharedNetwork& network = found.network;
    network.id = keys::last_part(record.key);
    TRY(network.name, parsed(object, "name", &NetworkName::parse));
    TRY(const auto vni, object.integer("vni", 1, 0xffffff));
    network.vni = static_cast<std::uint32_t>(vni);
    TRY(const auto subnets, object.objects_or_empty("subnets"));
    for (const Object& one : subnets) {
      TRY(auto subnet, read_subnet(one));
      network.subnets.push_back(std::move(subnet));
    }
    TRY(network.mtu, small_number(object, "mtu", 1450));
    TRY(network.options, object.string_map_or_empty("options"));
    TRY(network.internal, object.bool_or("internal", false));
    TRY(found.phase, word_field(object, "phase", kNetworkPhases));
    TRY(network.created, seconds_of(object, "created"));
    return found;
  });
}

std::string encode(const VniRecord& vni) {
  if (vni.network_id.empty()) return json::dump(Json{{"free_after", vni.free_after}});
  return encode_id(vni.network_id);
}

template <>
Result<VniRecord> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<VniRecord> {
    VniRecord vni;
    TRY(vni.network_id, object.string_or("id", ""));
    TRY(vni.free_after, seconds_of(object, "free_after"));
    return vni;
  });
}

std::string encode(const SharedPool& pool) {
  return json::dump(Json{{"id", pool.network_id}, {"name", pool.name}});
}

template <>
Result<SharedPool> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<SharedPool> {
    SharedPool pool;
    TRY(pool.network_id, object.string("id"));
    TRY(pool.name, object.string_or("name", ""));
    return pool;
  });
}

std::string encode(const BlockRecord& block) {
  Json json{{"host", block.host_id}, {"epoch", block.epoch}};
  if (!block.holes.empty()) json["holes"] = texts_of(block.holes);
  return json::dump(json);
}

template <>
Result<BlockRecord> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<BlockRecord> {
    BlockRecord block;
    TRY(block.host_id, object.string("host"));
    TRY(block.epoch, epoch_of(object));
    TRY(block.holes, parsed_list(object, "holes", &IpAddress::parse));
    return block;
  });
}

std::string encode(const StaticClaimRecord& static_claim) {
  return json::dump(Json{{"endpoint", static_claim.endpoint_id},
                         {"host", static_claim.host_id},
                         {"epoch", static_claim.epoch}});
}

template <>
Result<StaticClaimRecord> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<StaticClaimRecord> {
    StaticClaimRecord static_claim;
    TRY(static_claim.endpoint_id, object.string("endpoint"));
    TRY(static_claim.host_id, object.string("host"));
    TRY(static_claim.epoch, epoch_of(object));
    return static_claim;
  });
}

std::string encode(const SharedEndpoint& endpoint) {
  Json json{{"ips", texts_of(endpoint.addresses)},
            {"mac", endpoint.mac.to_string()},
            {"host", endpoint.host_id},
            {"epoch", endpoint.epoch},
            {"state", to_string(endpoint.state)}};
  if (!endpoint.container.empty()) json["container"] = endpoint.container;
  if (!endpoint.names.empty()) json["names"] = endpoint.names;
  return json::dump(json);
}

template <>
Result<SharedEndpoint> decode(const state::Record& record) {
  return read_record(record, [&](const Object& object) -> Result<SharedEndpoint> {
    SharedEndpoint endpoint;
    endpoint.id = keys::last_part(record.key);
    endpoint.network_id = keys::network_part(record.key);
    TRY(endpoint.host_id, object.string("host"));
    TRY(endpoint.epoch, epoch_of(object));
    TRY(endpoint.addresses, parsed_list(object, "ips", &IpAddress::parse));
    TRY(endpoint.mac, parsed(object, "mac", &MacAddress::parse));
    TRY(endpoint.container, object.string_or("container", ""));
    TRY(endpoint.names, object.strings_or_empty("names"));
    TRY(endpoint.state, word_field(object, "state", kEndpointStates));
    return endpoint;
  });
}

std::string encode(const MemberRecord& member) {
  return json::dump(Json{{"cluster", member.cluster},
                         {"epoch", member.epoch},
                         {"nonce", member.nonce},
                         {"boot", member.boot_id}});
}

template <>
Result<MemberRecord> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<MemberRecord> {
    MemberRecord member;
    TRY(member.cluster, object.string("cluster"));
    TRY(member.epoch, epoch_of(object));
    TRY(member.nonce, object.string_or("nonce", ""));
    TRY(member.boot_id, object.string_or("boot", ""));
    return member;
  });
}

std::string encode(const LocalBlock& block) {
  Json json{{"block", block.block.to_string()},
            {"epoch", block.epoch},
            {"phase", word_of(kClaimPhases, block.phase)},
            {"ranges", texts_of(block.ranges)}};
  if (block.empty_since != 0) json["empty_since"] = block.empty_since;
  return json::dump(json);
}

template <>
Result<LocalBlock> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<LocalBlock> {
    LocalBlock block;
    TRY(block.block, parsed(object, "block", &Cidr::parse_subnet));
    TRY(block.epoch, epoch_of(object));
    TRY(block.phase, word_field(object, "phase", kClaimPhases));
    TRY(block.ranges, parsed_list(object, "ranges", &Cidr::parse_subnet));
    TRY(block.empty_since, seconds_of(object, "empty_since"));
    return block;
  });
}

std::string encode(const LocalAddress& address) {
  return json::dump(Json{{"endpoint", address.endpoint_id},
                         {"epoch", address.epoch},
                         {"phase", word_of(kClaimPhases, address.phase)},
                         {"since", address.since}});
}

template <>
Result<LocalAddress> decode(const state::Record& record) {
  return read_record(record, [&](const Object& object) -> Result<LocalAddress> {
    LocalAddress address;
    TRY(address.address, IpAddress::from_hex(keys::last_part(record.key)));
    TRY(address.endpoint_id, object.string("endpoint"));
    TRY(address.epoch, epoch_of(object));
    TRY(address.phase, word_field(object, "phase", kClaimPhases));
    TRY(address.since, seconds_of(object, "since"));
    return address;
  });
}

std::string encode(const SeenRecord& seen) {
  Json json{{"revision", seen.revision}};
  if (seen.quarantined_since != 0) json["doubt_since"] = seen.quarantined_since;
  return json::dump(json);
}

template <>
Result<SeenRecord> decode(const state::Record& record) {
  return read_record(record, [](const Object& object) -> Result<SeenRecord> {
    SeenRecord seen;
    TRY(seen.revision, object.integer("revision", 0, INT64_MAX));
    TRY(seen.quarantined_since, seconds_of(object, "doubt_since"));
    return seen;
  });
}

}  // namespace fairlead::network::cluster
