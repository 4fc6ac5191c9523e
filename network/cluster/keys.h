// The keys under which the cluster keeps its records. All values are JSON (records.h).
//
// In the shared store (the etcd store adds the cluster's prefix to each key):
//
//   meta/cluster                 uuid, port, address pools and the records' format; made by the
//                                first host
//   host/<hid>                   the host and its epoch; stays as a tombstone after `host rm`
//   live/<hid>                   {boot, epoch, nonce}, bound to a lease: the host is alive
//   net/<nid>                    the network; its revision is a precondition of everything below it
//   netname/<name>               {"id"}: makes names unique
//   vni/<6 hex>                  {"id"}, or {"free_after"} for 10 minutes after a removal
//   joined/<nid>/<hid>           {"id"}: that host has the network; the last host to leave removes
//                                the network
//   pool/<hex>-<length>          {"id","name"}: the subnet belongs to that network
//   pool-guard                   changed by each new pool, so that of two creators that each see no
//                                overlap only one commits
//   pin-guard/<nid>/<hex>        changed by each claim of a single address inside that block, so
//                                that no block is claimed by a host that has not seen the claim
//   in/<nid>/blk/<hex of first>  {host, epoch, holes}: the block belongs to that host alone
//   in/<nid>/ip/<hex>            {endpoint, host, epoch}: this address belongs to that endpoint
//   in/<nid>/ep/<eid>            the endpoint, written by its host only
//
// Endpoints stand beside the blocks and addresses that they are checked against, so that one watch
// tells of all three in the order in which they were written. (Rejected: keys that begin with the
// host, which etcd could let only that host write: a host would have to follow the endpoints of all
// networks, and a block could be claimed twice.)
//
// In the local store of each host:
//
//   cluster/member               who this host is in the cluster: epoch, nonce of its live key
//   cluster/block/<nid>/<hex>    a block that is being claimed, owned, or being given back
//   cluster/address/<nid>/<hex>  a single address that is being claimed, held, or being given back
//   cluster/endpoint/<nid>/<eid> an endpoint as it was published
//   cluster/seen                 the shared store's last revision, and since when this host is in
//                                quarantine (store_rollback.h)
//
// Only live/ keys are bound to a lease, because a missed heartbeat must not delete anything whose
// loss matters.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "base/ip.h"

namespace fairlead::network::cluster::keys {

inline constexpr std::string_view kMeta = "meta/cluster";
inline constexpr std::string_view kHosts = "host/";
inline constexpr std::string_view kLives = "live/";
inline constexpr std::string_view kNetworks = "net/";
inline constexpr std::string_view kNetworkNames = "netname/";
inline constexpr std::string_view kVnis = "vni/";
inline constexpr std::string_view kPools = "pool/";
inline constexpr std::string_view kPoolGuard = "pool-guard";
inline constexpr std::string_view kMembers = "in/";  // blocks, addresses and endpoints
inline constexpr std::string_view kJoined = "joined/";

inline std::string host(std::string_view id) { return fmt::format("host/{}", id); }
inline std::string live(std::string_view id) { return fmt::format("live/{}", id); }
inline std::string network(std::string_view id) { return fmt::format("net/{}", id); }
inline std::string network_name(std::string_view name) { return fmt::format("netname/{}", name); }
inline std::string vni(std::uint32_t number) { return fmt::format("vni/{:06x}", number); }
inline std::string pool(const Cidr& subnet) {
  return fmt::format("pool/{}-{}", subnet.first().to_hex(), subnet.prefix_length());
}
inline std::string members_of(std::string_view network_id) {
  return fmt::format("in/{}/", network_id);
}
// The reverse of pool().
inline Result<Cidr> subnet_of_pool(std::string_view key) {
  const auto part = key.substr(key.rfind('/') + 1);
  const auto dash = part.find('-');
  if (dash == std::string_view::npos)
    return fail(Code::kIo, "{} is not a key of an address pool", key);
  TRY(const auto base, IpAddress::from_hex(part.substr(0, dash)));
  return Cidr::parse_subnet(fmt::format("{}/{}", base.to_string(), part.substr(dash + 1)));
}
inline std::string blocks_of(std::string_view network_id) {
  return fmt::format("in/{}/blk/", network_id);
}
inline std::string block(std::string_view network_id, const IpAddress& base) {
  return fmt::format("in/{}/blk/{}", network_id, base.to_hex());
}
inline std::string claim_guards_of(std::string_view network_id) {
  return fmt::format("pin-guard/{}/", network_id);
}
inline std::string claim_guard(std::string_view network_id, const IpAddress& base) {
  return fmt::format("pin-guard/{}/{}", network_id, base.to_hex());
}
inline std::string addresses_of(std::string_view network_id) {
  return fmt::format("in/{}/ip/", network_id);
}
inline std::string address(std::string_view network_id, const IpAddress& ip) {
  return fmt::format("in/{}/ip/{}", network_id, ip.to_hex());
}
inline std::string joined_of(std::string_view network_id) {
  return fmt::format("joined/{}/", network_id);
}
inline std::string joined(std::string_view network_id, std::string_view host_id) {
  return fmt::format("joined/{}/{}", network_id, host_id);
}
inline std::string endpoints_of(std::string_view network_id) {
  return fmt::format("in/{}/ep/", network_id);
}
inline std::string endpoint(std::string_view network_id, std::string_view id) {
  return fmt::format("in/{}/ep/{}", network_id, id);
}

inline constexpr std::string_view kMember = "cluster/member";
inline constexpr std::string_view kLocalBlocks = "cluster/block/";
inline constexpr std::string_view kLocalAddresses = "cluster/address/";
inline constexpr std::string_view kLocalEndpoints = "cluster/endpoint/";
inline constexpr std::string_view kSeen = "cluster/seen";

inline std::string local_blocks_of(std::string_view network_id) {
  return fmt::format("cluster/block/{}/", network_id);
}
inline std::string local_block(std::string_view network_id, const IpAddress& base) {
  return fmt::format("cluster/block/{}/{}", network_id, base.to_hex());
}
inline std::string local_addresses_of(std::string_view network_id) {
  return fmt::format("cluster/address/{}/", network_id);
}
inline std::string local_address(std::string_view network_id, const IpAddress& ip) {
  return fmt::format("cluster/address/{}/{}", network_id, ip.to_hex());
}

inline std::string local_endpoints_of(std::string_view network_id) {
  return fmt::format("cluster/endpoint/{}/", network_id);
}
inline std::string local_endpoint(std::string_view network_id, std::string_view id) {
  return fmt::format("cluster/endpoint/{}/{}", network_id, id);
}

// The part of a key after its last slash, and the id of the network that it belongs to (<hex> and
// <nid> of "in/<nid>/blk/<hex>", "joined/<nid>/<hid>" and "cluster/block/<nid>/<hex>").
inline std::string_view last_part(std::string_view key) { return key.substr(key.rfind('/') + 1); }
inline std::string_view without_last_part(std::string_view key) {
  const auto end = key.rfind('/');
  return end == std::string_view::npos ? std::string_view() : key.substr(0, end);
}
inline std::string_view network_part(std::string_view key) {
  const auto folder = without_last_part(key);
  return last_part(key.starts_with(kMembers) ? without_last_part(folder) : folder);
}

enum class Kind { kBlock, kAddress, kEndpoint, kOther };
// Of a key below kMembers.
inline Kind kind_of(std::string_view key) {
  const auto kind = last_part(without_last_part(key));
  if (kind == "blk") return Kind::kBlock;
  if (kind == "ip") return Kind::kAddress;
  return kind == "ep" ? Kind::kEndpoint : Kind::kOther;
}

}  // namespace fairlead::network::cluster::keys
