// Fairlead's own API v1 as JSON: values to documents and back. Pure, without I/O; fuzzed by
// tests/fuzz/fuzz_native.cpp.
//
// One rule holds for every object: the top level is what a client may POST; what Fairlead decided
// on its own stands under "state", which a POST accepts and ignores. So the answer to a GET can be
// sent again, and `inspect` output can be fed to `create -f`. (Rejected: a flat object whose
// read-only fields are refused; every client would have to strip it.)
//
//   {"name": "shop", "id": "3f...", "options": {"mtu": "1400"},
//    "subnets": [{"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"}],
//    "ipv6": false, "internal": false, "address_source": "fairlead", "labels": {},
//    "state": {"phase": "ready", "bridge": "fl-3f...", ...}}
//
// Every decoder of a request refuses unknown fields with a suggestion; its errors are kInvalid and
// name the field. Requests and answers go both ways by the same tables: the server decodes what the
// client (plugin-api/client) encodes, and the other way round; decoders of answers let unknown
// fields through, because the server may be newer. The documents are described by openapi.json beside this file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/changes.h"
#include "base/json/json.h"
#include "network/api/cluster.h"
#include "network/api/service.h"
#include "volume/api/groups.h"
#include "volume/api/service.h"

namespace fairlead::native {

using Document = json::Json;  // its fields stay in the order in which people read them

// ---- networks

network::NetworkSpec spec_of(const network::Network& network);
Document encode_network_spec(const network::NetworkSpec& spec);
// `endpoints`: how many there are, when the caller knows. `attached`: which, to be shown with it.
Document encode_network(const network::Network& network,
                        std::optional<std::size_t> endpoints = std::nullopt,
                        std::span<const network::Endpoint> attached = {});
Result<network::NetworkSpec> decode_network_spec(const json::Json& document);
// Of an answer: what it does not say (the pools of the subnets, for one) is empty.
Result<network::NetworkUsage> decode_network(const json::Json& document);

// ---- endpoints

// An endpoint together with what a reader wants to know of its network.
struct EndpointView {
  network::Endpoint endpoint;
  std::string network;          // its name; its id when the network is gone
  unsigned mtu = 0;             // 0: not known
  std::string network_title{};  // title_of() the network, where it is not its name
  network::Dns dns{};           // name_service_of() the two
};
EndpointView view_of(network::Endpoint endpoint, const network::Network& network);
// A list for the document of their network.
Document encode_attached(std::span<const network::Endpoint> endpoints);
Document encode_endpoint(const EndpointView& view);
Result<EndpointView> decode_endpoint(const json::Json& document);

// Attach a container: `spec.netns_path` is set ("pid" is decoded to /proc/<pid>/ns/net), `spec.id`
// defaults to endpoint_id(container, ifname), `ifname` to eth0, `spec.runtime` to "api".
struct AttachRequest {
  network::EndpointSpec spec;
  IfName ifname;
};
Document encode_attach(const AttachRequest& request);
Result<AttachRequest> decode_attach(const json::Json& document);

// What an endpoint is compared with. Without a path only the host's side is.
struct ExpectationRequest {
  network::Expectation expected;  // without a descriptor
  std::optional<std::string> netns_path;
};
Document encode_expectation(const ExpectationRequest& request);
Result<ExpectationRequest> decode_expectation(const json::Json& document);

// The endpoints of a runtime that shall stay in a network.
struct CollectRequest {
  std::string runtime;
  std::vector<network::ValidAttachment> valid;
};
Document encode_collect(const CollectRequest& request);
Result<CollectRequest> decode_collect(const json::Json& document);

// {"removed": 3}
Document encode_removed(std::size_t count);
Result<std::size_t> decode_removed(const json::Json& document);

// ---- addresses

Document encode_reservation(const network::Reservation& reservation);
Result<network::Reservation> decode_reservation(const json::Json& document);
Document encode_lease(const network::AddressLease& lease);
Result<network::AddressLease> decode_lease(const json::Json& document);

// ---- ports

Document encode_port_holder(const network::PortHolder& holder);
Result<network::PortHolder> decode_port_holder(const json::Json& document);
Document encode_ports(const std::vector<network::PublishedPort>& ports);
Result<network::PublishedPort> decode_port(const json::Json& document);  // one of them
Document encode_port_change(const network::PortChange& change);
Result<network::PortChange> decode_port_change(const json::Json& document);
Document encode_publish(std::span<const network::PortSpec> ports);
Result<std::vector<network::PortSpec>> decode_publish(
    const json::Json& document);  // {"ports": [...]}

// ---- policies

// {"action": "allow", "from": "net:shop", "to": "10.0.0.0/8", "ports": ["443/tcp"], "state": {"id": "3", ...}}
Document encode_policy_spec(const network::PolicySpec& spec);
Result<network::PolicySpec> decode_policy_spec(const json::Json& document);
Document encode_policy(const network::Policy& policy);
Result<network::Policy> decode_policy(const json::Json& document);
// {"labels": {...}} of an endpoint
Document encode_labels(const std::map<std::string, std::string>& labels);
Result<std::map<std::string, std::string>> decode_labels(const json::Json& document);

// ---- volumes

Document encode_volume_spec(const volume::VolumeSpec& spec);
Document encode_volume(const volume::Volume& volume,
                       const std::optional<volume::VolumeStatus>& status = std::nullopt);
Result<volume::VolumeSpec> decode_volume_spec(const json::Json& document);
Result<volume::Volume> decode_volume(const json::Json& document);
Result<volume::VolumeStatus> decode_volume_status(const json::Json& document);  // of a volume's

struct MountRequest {
  std::string client = "api";  // the runtime
  std::string id;              // of the container, say; one call more of the same counts one more
};
Document encode_mount(const MountRequest& request);
Result<MountRequest> decode_mount(const json::Json& document);

// PATCH of a volume: what is absent stays as it is.
struct VolumeChange {
  std::optional<VolumeName> name;
  std::map<std::string, std::optional<std::string>> labels;  // without a value: removed
  std::optional<std::uint64_t> size;                         // bytes
};
Document encode_volume_change(const VolumeChange& change);
Result<VolumeChange> decode_volume_change(const json::Json& document);

// {"name": "monday", "state": {"volume": "data", "id": "5e...", "origin": "user", ...}}
// `only_here`: the bytes that no other has, where that is known.
Document encode_snapshot(const VolumeName& volume, const volume::Snapshot& snapshot,
                         std::optional<std::uint64_t> only_here = {});
Document encode_view(const volume::SnapshotView& view);
Result<volume::SnapshotView> decode_view(const json::Json& document);
struct SnapshotSpace {
  std::string id;
  std::optional<std::uint64_t> only_here;
};
Result<SnapshotSpace> decode_space(const json::Json& document);
Result<volume::Snapshot> decode_taken_snapshot(const json::Json& document);
Document encode_snapshot_request(const SnapshotName& name);
Result<std::string> decode_snapshot(const json::Json& document);  // its name; empty: by the time
Document encode_rollback(const SnapshotName& snapshot);
Result<SnapshotName> decode_rollback(const json::Json& document);

// Snapshots of several volumes at one moment.
struct SnapshotGroup {
  std::string id;  // Snapshot::group; empty: one volume had it, taken alone
  SnapshotName name;
  std::vector<volume::VolumeSnapshot> snapshots;
};
Document encode_snapshot_group(const SnapshotGroup& group);
struct SnapshotGroupRequest {
  std::string volumes;  // as VolumeGroups takes it: "db,files", "shop"
  SnapshotName name;    // empty: by the time
};
Result<SnapshotGroupRequest> decode_snapshot_group(const json::Json& document);
// {"snapshots": [...]}
Document encode_snapshots(const std::vector<volume::VolumeSnapshot>& snapshots);

Document encode_check_request(bool repair);
Result<bool> decode_check(const json::Json& document);  // repair?
Document encode_check(const volume::CheckReport& report);
Result<volume::CheckReport> decode_check_report(const json::Json& document);
Document encode_usage(const volume::VolumeStatus& usage);
Result<volume::VolumeStatus> decode_usage(const json::Json& document);

// ---- trash, pools, jobs, backups

Document encode_trashed(const volume::TrashedVolume& trashed);
Result<volume::TrashedVolume> decode_trashed(const json::Json& document);
Document encode_trash_restore(const VolumeName& as);
Result<std::string> decode_trash_restore(const json::Json& document);  // the new name, or empty

Document encode_pool(const volume::VolumePool& pool);
Result<volume::PoolSpec> decode_pool_spec(const json::Json& document);
Result<std::uint64_t> decode_pool_growth(const json::Json& document);  // 0: all of the device

Document encode_job(const volume::Job& job);
Document encode_backup(const volume::BackupInfo& backup);
Document encode_prune(const volume::PruneReport& report);
Document encode_repair(const volume::RepairReport& report);
Document encode_archive(const volume::ArchiveReport& report);

// ---- clusters

Document encode_cluster(const network::cluster::ClusterStatus& status);
Document encode_host(const network::cluster::Host& host);
// {"complete": false, "retry_after": 20, "endpoints": 3, "addresses": 0}
Document encode_host_removal(const network::cluster::HostRemoval& removal);

// ---- events

// A line of GET /v1/events that tells no change (event_stream.h): "heartbeat" or "end".
struct EventMark {
  std::string kind, reason;
  std::int64_t revision = 0;
  long long time = 0;  // milliseconds since the epoch
};
using EventLine = std::variant<Change, EventMark>;
Document encode_change(const Change& change);
Document encode_mark(const EventMark& mark);
Result<EventLine> decode_event(const json::Json& document);
// "2026-11-29T15:00:00.123Z"
std::string time_text(long long milliseconds);
// Also without the fraction, or with one of 1 to 9 digits.
Result<long long> parse_time(std::string_view text);

// ---- the rest

Document encode_status(const network::ServiceStatus& status, std::size_t volumes,
                       std::size_t volume_pools);
Result<network::ServiceStatus> decode_status(const json::Json& document);

struct ReconcileReports {
  network::ReconcileReport network;
  volume::ReconcileReport volume;
};
Result<ReconcileReports> decode_reconcile(const json::Json& document);
Document encode_reconcile(const network::ReconcileReport& network,
                          const volume::ReconcileReport& volume);
Document encode_version(std::string_view version);

// A problem document (RFC 9457): type, title, status, detail, and `code` = to_string(error.code).
Document encode_problem(const Error& error, int http_status, std::string_view title);
Result<Error> decode_problem(const json::Json& document);

}  // namespace fairlead::native
