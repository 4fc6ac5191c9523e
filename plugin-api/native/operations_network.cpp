#include "plugin-api/native/docker_objects.h"
#include "plugin-api/native/operations.h"
#include "volume/api/health.h"

namespace fairlead::native {

Result<bool> is_set(const Call& call, const std::string& parameter) {
  const auto given = call.query.find(parameter);
  if (given == call.query.end() || given->second == "false") return false;
  if (given->second == "true") return true;
  return fail(Code::kInvalid, "query parameter {} is true or false, not \"{}\"", parameter,
              given->second);
}

Result<bool> is_forced(const Call& call) { return is_set(call, "force"); }

Result<Answer> list_networks(const Core& core, const Call&) {
  TRY(auto networks, core.networks.list_networks());
  Document list = Document::array();
  for (const auto& [network, endpoints] : networks)
    list.push_back(encode_network(network, endpoints));
  return Answer{kOk, {{"networks", std::move(list)}}};
}

Result<Answer> create_network(const Core& core, const Call& call) {
  TRY(auto spec, decode_network_spec(call.body));
  const auto before = core.networks.inspect_network(spec.name);
  const bool existed = before && before->phase == network::Phase::kReady;
  TRY(auto network, core.networks.create_network(spec));
  return Answer{created_or_ok(existed), encode_network(network)};
}

Result<Answer> get_network(const Core& core, const Call& call) {
  TRY(auto network, core.networks.inspect_network(network::NetworkText{call.params[0]}));
  TRY(const auto endpoints, core.networks.list_endpoints(network::NetworkId{network.id}));
  return Answer{kOk, encode_network(network, endpoints.size(), endpoints)};
}

Result<Answer> delete_network(const Core& core, const Call& call) {
  TRY(const bool forced, is_forced(call));
  const network::NetworkText ref{call.params[0]};
  if (!forced) TRY_STATUS(check_not_dockers(core.networks, ref));
  TRY_STATUS(core.networks.remove_network(ref));
  return Answer{kNoContent, {}};
}

Result<Answer> collect_endpoints(const Core& core, const Call& call) {
  TRY(const auto request, decode_collect(call.body));
  TRY(const auto removed,
      core.networks.collect(network::NetworkText{call.params[0]}, request.runtime, request.valid));
  return Answer{kOk, encode_removed(removed)};
}

Result<Answer> get_status(const Core& core, const Call&) {
  TRY(auto status, core.networks.status());
  TRY(auto volumes, core.volumes.list());
  const auto problems = volume::problems_of(core.volumes, volumes);
  status.problems.insert(status.problems.end(), problems.begin(), problems.end());
  TRY(const auto pools, core.pools.list());
  return Answer{kOk, encode_status(status, volumes.size(), pools.size())};
}

Result<Answer> get_version(const Core& core, const Call&) {
  return Answer{kOk, encode_version(core.version)};
}

Result<Answer> reconcile(const Core& core, const Call&) {
  TRY(auto networks, core.networks.reconcile());
  TRY(auto volumes, core.volumes.reconcile());
  return Answer{kOk, encode_reconcile(networks, volumes)};
}

}  // namespace fairlead::native
