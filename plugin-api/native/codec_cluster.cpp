// Hosts and clusters as documents.
#include "base/host.h"
#include "plugin-api/native/codec.h"

namespace fairlead::native {

namespace {

using network::cluster::ClusterStatus;
using network::cluster::HostInfo;
using network::cluster::StoreMember;

Document encode_info(const HostInfo& info) {
  return {{"id", info.id},
          {"name", info.name},
          {"address", info.vtep.to_string()},
          {"underlay_mtu", info.underlay_mtu},
          {"version", info.version}};
}

Document encode_member(const StoreMember& member) {
  if (!member.error.empty()) return {{"endpoint", member.endpoint}, {"error", member.error}};
  return {{"endpoint", member.endpoint},
          {"version", member.version},
          {"leader", member.is_leader},
          {"has_leader", member.has_leader}};
}

}  // namespace

Document encode_cluster(const ClusterStatus& status) {
  Document members = Document::array();
  for (const StoreMember& member : status.members) members.push_back(encode_member(member));
  return {{"cluster", status.cluster},
          {"host", encode_info(status.host)},
          {"joined", status.joined},
          {"frozen", status.is_holding},
          {"etcd", std::move(members)},
          {"hosts", {{"alive", status.alive}, {"suspect", status.suspect}, {"gone", status.gone}}},
          {"networks", status.networks},
          {"peers",
           {{"networks", status.peers.networks},
            {"hosts", status.peers.hosts},
            {"entries", status.peers.entries},
            {"full_lists", status.peers.full_lists},
            {"batches", status.peers.batches},
            {"failures", status.peers.failures}}},
          {"waiting", status.waiting},
          {"problems", status.problems}};
}

Document encode_host(const network::cluster::Host& host) {
  Document document = encode_info(host.info);
  document["state"] = std::string(to_string(host.state));
  document["since"] = rfc3339(host.since);
  document["epoch"] = host.epoch;
  return document;
}

Document encode_host_removal(const network::cluster::HostRemoval& removal) {
  return {{"complete", removal.complete},
          {"retry_after", removal.retry_after},
          {"endpoints", removal.endpoints},
          {"addresses", removal.addresses}};
}

}  // namespace fairlead::native
