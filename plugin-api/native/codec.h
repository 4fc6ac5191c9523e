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
// Every decoder refuses unknown fields with a suggestion; its errors are kInvalid and name the
// field. The documents are described by openapi.json beside this file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/json.h"
#include "network/api/cluster.h"
#include "network/api/service.h"
#include "volume/api/service.h"

namespace fairlead::native {

using Document = json::Json;  // its fields stay in the order in which people read them

// ---- networks

network::NetworkSpec spec_of(const network::Network& network);
Document encode_network_spec(const network::NetworkSpec& spec);
// `endpoints`: how many there are, when the caller knows.
Document encode_network(const network::Network& network,
                        std::optional<std::size_t> endpoints = std::nullopt);
Result<network::NetworkSpec> decode_network_spec(const json::Json& document);

// ---- endpoints

// An endpoint together with what a reader wants to know of its network.
struct EndpointView {
  network::Endpoint endpoint;
  std::string network;  // its name; its id when the network is gone
  unsigned mtu = 0;     // 0: not known
};
Document encode_endpoint(const EndpointView& view);

// Attach a container: `spec.netns_path` is set ("pid" is decoded to /proc/<pid>/ns/net), `spec.id`
// defaults to endpoint_id(container, ifname), `ifname` to eth0, `spec.runtime` to "api".
struct AttachRequest {
  network::EndpointSpec spec;
  IfName ifname;
};
Document encode_attach(const AttachRequest& request);
Result<AttachRequest> decode_attach(const json::Json& document);

// ---- ports

Document encode_port_holder(const network::PortHolder& holder);
Document encode_ports(const std::vector<network::PublishedPort>& ports);
Result<std::vector<network::PortSpec>> decode_publish(
    const json::Json& document);  // {"ports": [...]}

// ---- volumes

Document encode_volume_spec(const volume::VolumeSpec& spec);
Document encode_volume(const volume::Volume& volume,
                       const std::optional<volume::VolumeStatus>& status = std::nullopt);
Result<volume::VolumeSpec> decode_volume_spec(const json::Json& document);

struct MountRequest {
  std::string client = "api";  // the runtime
  std::string id;              // of the container, say; one call more of the same counts one more
};
Result<MountRequest> decode_mount(const json::Json& document);

// PATCH of a volume: what is absent stays as it is.
struct VolumeChange {
  std::optional<VolumeName> name;
  std::map<std::string, std::optional<std::string>> labels;  // without a value: removed
  std::optional<std::uint64_t> size;                         // bytes
};
Result<VolumeChange> decode_volume_change(const json::Json& document);

// {"name": "monday", "state": {"volume": "data", "id": "5e...", "origin": "user", ...}}
Document encode_snapshot(const VolumeName& volume, const volume::Snapshot& snapshot);
Result<std::string> decode_snapshot(const json::Json& document);  // its name; empty: by the time
Result<SnapshotName> decode_rollback(const json::Json& document);
Result<bool> decode_check(const json::Json& document);  // repair?
Document encode_check(const volume::CheckReport& report);
Document encode_usage(const volume::VolumeStatus& usage);

// ---- trash, pools, jobs, backups

Document encode_trashed(const volume::TrashedVolume& trashed);
Result<std::string> decode_trash_restore(const json::Json& document);  // the new name, or empty

Document encode_pool(const volume::VolumePool& pool);
Result<volume::PoolSpec> decode_pool_spec(const json::Json& document);
Result<std::uint64_t> decode_pool_growth(const json::Json& document);  // 0: all of the device

Document encode_job(const volume::Job& job);
Document encode_backup(const volume::BackupInfo& backup);
Document encode_archive(const volume::ArchiveReport& report);

// ---- clusters

Document encode_cluster(const network::cluster::ClusterStatus& status);
Document encode_host(const network::cluster::Host& host);
// {"complete": false, "retry_after": 20, "endpoints": 3, "addresses": 0}
Document encode_host_removal(const network::cluster::HostRemoval& removal);

// ---- the rest

Document encode_status(const network::ServiceStatus& status, std::size_t volumes);
Document encode_reconcile(const network::ReconcileReport& network,
                          const volume::ReconcileReport& volume);
Document encode_version(std::string_view version);

// A problem document (RFC 9457): type, title, status, detail, and `code` = to_string(error.code).
Document encode_problem(const Error& error, int http_status, std::string_view title);

}  // namespace fairlead::native
