// The verbs behind the routes: each takes a parsed call and returns a document. There is one
// function per row of the table in native_handler.cpp.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json/json.h"
#include "plugin-api/native/codec.h"
#include "plugin-api/native/native_handler.h"

namespace fairlead::native {

using Core = Services;

struct Call {
  std::vector<std::string>
      params;  // the values for {…} in the pattern, in order; each a valid token
  std::map<std::string, std::string> query;  // only parameters that the route takes
  json::Json body;                           // null when the route takes none
  // whether the client has stopped waiting for the response
  std::function<bool()> hung_up;
};

struct Answer {
  int status = 200;
  Document body;                               // null: no content
  std::shared_ptr<http::BodyStream> stream{};  // instead of the body: lines of JSON
};
using Operation = Result<Answer> (*)(const Core&, const Call&);

inline constexpr int kOk = 200, kCreated = 201, kNoContent = 204;
inline int created_or_ok(bool existed) { return existed ? kOk : kCreated; }
Result<bool> is_set(const Call& call, const std::string& parameter);  // to true
Result<bool> is_forced(const Call& call);                             // force=true

Result<Answer> list_networks(const Core& core, const Call& call);
Result<Answer> create_network(const Core& core, const Call& call);
Result<Answer> get_network(const Core& core, const Call& call);
Result<Answer> delete_network(const Core& core, const Call& call);
Result<Answer> collect_endpoints(const Core& core, const Call& call);

Result<Answer> list_endpoints(const Core& core, const Call& call);
Result<Answer> attach_endpoint(const Core& core, const Call& call);
Result<Answer> get_endpoint(const Core& core, const Call& call);
Result<Answer> delete_endpoint(const Core& core, const Call& call);
Result<Answer> check_endpoint(const Core& core, const Call& call);

Result<Answer> reserve_address(const Core& core, const Call& call);
Result<Answer> unreserve_address(const Core& core, const Call& call);
Result<Answer> list_leases(const Core& core, const Call& call);
Result<Answer> delete_lease(const Core& core, const Call& call);

Result<Answer> list_ports(const Core& core, const Call& call);
Result<Answer> publish_ports(const Core& core, const Call& call);
Result<Answer> change_ports(const Core& core, const Call& call);
Result<Answer> unpublish_ports(const Core& core, const Call& call);

Result<Answer> list_policies(const Core& core, const Call& call);
Result<Answer> add_policy(const Core& core, const Call& call);
Result<Answer> get_policy(const Core& core, const Call& call);
Result<Answer> delete_policy(const Core& core, const Call& call);
Result<Answer> set_endpoint_labels(const Core& core, const Call& call);

Result<Answer> list_volumes(const Core& core, const Call& call);
Result<Answer> create_volume(const Core& core, const Call& call);
Result<Answer> get_volume(const Core& core, const Call& call);
Result<Answer> delete_volume(const Core& core, const Call& call);
Result<Answer> mount_volume(const Core& core, const Call& call);
Result<Answer> unmount_volume(const Core& core, const Call& call);

Result<Answer> change_volume(const Core& core, const Call& call);
Result<Answer> get_usage(const Core& core, const Call& call);
Result<Answer> check_volume(const Core& core, const Call& call);

Result<Answer> list_snapshots(const Core& core, const Call& call);
Result<Answer> list_snapshots_of(const Core& core, const Call& call);
Result<Answer> create_snapshot(const Core& core, const Call& call);
Result<Answer> get_snapshot(const Core& core, const Call& call);
Result<Answer> mount_snapshot(const Core& core, const Call& call);
Result<Answer> unmount_snapshot(const Core& core, const Call& call);
Result<Answer> delete_snapshot(const Core& core, const Call& call);
Result<Answer> roll_back(const Core& core, const Call& call);

Result<Answer> list_snapshot_groups(const Core& core, const Call& call);
Result<Answer> create_snapshot_group(const Core& core, const Call& call);
Result<Answer> get_snapshot_group(const Core& core, const Call& call);
Result<Answer> delete_snapshot_group(const Core& core, const Call& call);
Result<Answer> roll_snapshot_group_back(const Core& core, const Call& call);

Result<Answer> list_trash(const Core& core, const Call& call);
Result<Answer> empty_trash(const Core& core, const Call& call);
Result<Answer> restore_trashed(const Core& core, const Call& call);
Result<Answer> delete_trashed(const Core& core, const Call& call);

Result<Answer> list_pools(const Core& core, const Call& call);
Result<Answer> create_pool(const Core& core, const Call& call);
Result<Answer> get_pool(const Core& core, const Call& call);
Result<Answer> grow_pool(const Core& core, const Call& call);
Result<Answer> delete_pool(const Core& core, const Call& call);

Result<Answer> list_jobs(const Core& core, const Call& call);
Result<Answer> stop_job(const Core& core, const Call& call);

Result<Answer> follow_events(const Core& core, const Call& call);

Result<Answer> get_cluster(const Core& core, const Call& call);
Result<Answer> release_cluster(const Core& core, const Call& call);
Result<Answer> list_hosts(const Core& core, const Call& call);
Result<Answer> delete_host(const Core& core, const Call& call);

Result<Answer> get_doctor(const Core& core, const Call& call);
Result<Answer> get_status(const Core& core, const Call& call);
Result<Answer> get_version(const Core& core, const Call& call);
Result<Answer> reconcile(const Core& core, const Call& call);

}  // namespace fairlead::native
