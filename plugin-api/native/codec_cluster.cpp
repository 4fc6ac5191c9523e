// Hosts and clusters as documents.
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::fields;
using json::Json;
using json::object;
using json::one_of;
using json::required;
using json::shown;
using json::sparse;
using network::cluster::ClusterStatus;
using network::cluster::Host;
using network::cluster::HostInfo;
using network::cluster::HostRemoval;
using network::cluster::HostState;
using network::cluster::PeerStatus;
using network::cluster::StoreMember;

namespace {

constexpr auto kHostInfo =
    fields(required<&HostInfo::id>("id"), required<&HostInfo::name>("name"),
           required<&HostInfo::vtep>("address"), required<&HostInfo::underlay_mtu>("underlay_mtu"),
           required<&HostInfo::version>("version"));

constexpr auto kInfo = &Host::info;
constexpr auto kHost =
    fields(required<kInfo, &HostInfo::id>("id"), required<kInfo, &HostInfo::name>("name"),
           required<kInfo, &HostInfo::vtep>("address"),
           required<kInfo, &HostInfo::underlay_mtu>("underlay_mtu"),
           required<kInfo, &HostInfo::version>("version"),
           required<&Host::state>(
               "state", one_of<HostState::kAlive, HostState::kSuspect, HostState::kGone>()),
           required<&Host::since>("since", kTime), required<&Host::epoch>("epoch"));

// Of a member of the store that did not answer nothing else is known.
Json version_of(const StoreMember& member) {
  return member.error.empty() ? Json(member.version) : Json();
}
Json leads(const StoreMember& member) {
  return member.error.empty() ? Json(member.is_leader) : Json();
}
Json has_leader(const StoreMember& member) {
  return member.error.empty() ? Json(member.has_leader) : Json();
}
constexpr auto kStoreMember =
    fields(required<&StoreMember::endpoint>("endpoint"), sparse<&StoreMember::error>("error"),
           shown<StoreMember, version_of>("version"), shown<StoreMember, leads>("leader"),
           shown<StoreMember, has_leader>("has_leader"));

constexpr auto kHostCounts =
    fields(required<&ClusterStatus::alive>("alive"), required<&ClusterStatus::suspect>("suspect"),
           required<&ClusterStatus::gone>("gone"));
Json host_counts(const ClusterStatus& status) { return json::write(status, kHostCounts); }

constexpr auto kPeers = fields(
    required<&PeerStatus::networks>("networks"), required<&PeerStatus::hosts>("hosts"),
    required<&PeerStatus::entries>("entries"), required<&PeerStatus::full_lists>("full_lists"),
    required<&PeerStatus::batches>("batches"), required<&PeerStatus::failures>("failures"),
    required<&PeerStatus::refused>("refused"), required<&PeerStatus::unreadable>("unreadable"));

constexpr auto kCluster = fields(
    required<&ClusterStatus::cluster>("cluster"),
    required<&ClusterStatus::host>("host", object(kHostInfo)),
    required<&ClusterStatus::joined>("joined"), required<&ClusterStatus::is_holding>("frozen"),
    required<&ClusterStatus::members>("etcd", object(kStoreMember)),
    shown<ClusterStatus, host_counts>("hosts"), required<&ClusterStatus::networks>("networks"),
    required<&ClusterStatus::peers>("peers", object(kPeers)),
    required<&ClusterStatus::waiting>("waiting"), required<&ClusterStatus::problems>("problems"));

constexpr auto kHostRemoval = fields(required<&HostRemoval::complete>("complete"),
                                     required<&HostRemoval::retry_after>("retry_after"),
                                     required<&HostRemoval::endpoints>("endpoints"),
                                     required<&HostRemoval::addresses>("addresses"));

}  // namespace

Document encode_cluster(const ClusterStatus& status) { return json::write(status, kCluster); }
Document encode_host(const Host& host) { return json::write(host, kHost); }
Document encode_host_removal(const HostRemoval& removal) {
  return json::write(removal, kHostRemoval);
}

std::vector<DocumentTable> cluster_tables() {
  return {{"Cluster", kCluster.rows}, {"Host", kHost.rows}, {"HostRemoval", kHostRemoval.rows}};
}

}  // namespace fairlead::native
