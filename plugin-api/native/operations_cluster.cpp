#include <algorithm>

#include "plugin-api/native/operations.h"

namespace fairlead::native {

namespace {

Result<network::cluster::Control*> cluster_of(const Core& core) {
  if (core.cluster != nullptr) return core.cluster;
  return fail(Code::kUnsupported,
              "this host is in no cluster; name the members of etcd under \"cluster\" in "
              "/etc/fairlead/fairlead.json and start fairleadd again");
}

// Refuses a host that is alive, because its containers would lose their networks at once. An
// unknown host is refused by the removal itself.
Status check_not_alive(network::cluster::Control& cluster, const std::string& name) {
  using network::cluster::Host;
  TRY(const auto hosts, cluster.hosts());
  const bool is_a_name =
      std::ranges::any_of(hosts, [&](const Host& host) { return host.info.name == name; });
  for (const Host& host : hosts)
    if (host.state == network::cluster::HostState::kAlive &&
        (is_a_name ? host.info.name == name : host.info.id.starts_with(name)))
      return fail(Code::kInUse,
                  "host {} is alive; stop fairleadd there first, or force it, which takes the "
                  "shared networks away from its containers",
                  host.info.name);
  return {};
}

}  // namespace

Result<Answer> get_cluster(const Core& core, const Call&) {
  TRY(auto* cluster, cluster_of(core));
  return Answer{kOk, encode_cluster(cluster->status())};
}

Result<Answer> release_cluster(const Core& core, const Call&) {
  TRY(auto* cluster, cluster_of(core));
  cluster->release_hold();
  return Answer{kNoContent, {}};
}

Result<Answer> list_hosts(const Core& core, const Call&) {
  TRY(auto* cluster, cluster_of(core));
  TRY(const auto hosts, cluster->hosts());
  Document list = Document::array();
  for (const network::cluster::Host& host : hosts) list.push_back(encode_host(host));
  return Answer{kOk, {{"hosts", std::move(list)}}};
}

Result<Answer> delete_host(const Core& core, const Call& call) {
  TRY(auto* cluster, cluster_of(core));
  TRY(const bool forced, is_forced(call));
  if (!forced) TRY_STATUS(check_not_alive(*cluster, call.params[0]));
  TRY(const auto removal, cluster->remove_host(call.params[0]));
  return Answer{kOk, encode_host_removal(removal)};
}

}  // namespace fairlead::native
