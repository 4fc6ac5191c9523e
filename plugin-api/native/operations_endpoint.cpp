#include <algorithm>

#include "plugin-api/native/docker_objects.h"
#include "plugin-api/native/operations.h"

namespace fairlead::native {

using network::Endpoint;
using network::EndpointRef;
using network::PortSpec;
using network::PublishedPort;

namespace {

EndpointRef ref_of(const Call& call) {
  return {network::NetworkText{call.params[0]}, call.params[1]};
}

EndpointView view_of(const Core& core, Endpoint endpoint) {
  const auto network = core.networks.inspect_network(network::NetworkId{endpoint.network_id});
  if (network) return native::view_of(std::move(endpoint), *network);
  EndpointView view{std::move(endpoint), "", 0};
  view.network = view.endpoint.network_id;
  return view;
}

// ---- repeated attach

// A port without a host address, or a number of connections, may have got that of the network's options.
bool serves(const PublishedPort& port, const PortSpec& wanted) {
  if (wanted.max_connections != 0 && port.max_connections != wanted.max_connections) return false;
  const std::uint16_t last = wanted.host_port_end == 0 ? wanted.host_port : wanted.host_port_end;
  const bool in_range =
      wanted.host_port == 0 || (port.host_port >= wanted.host_port && port.last() <= last);
  if (wanted.container_port_end != 0 || port.is_range())
    return wanted.container_port_end != 0 && port.is_range() && port.proto == wanted.proto &&
           (!wanted.host_ip || port.host_ip == wanted.host_ip) && in_range &&
           port.container_port - port.host_port == wanted.container_port - wanted.host_port;
  return port.proto == wanted.proto && (!wanted.host_ip || port.host_ip == wanted.host_ip) &&
         port.container_port == wanted.container_port && in_range;
}

bool same_ports(const std::vector<PublishedPort>& there, const std::vector<PortSpec>& asked) {
  const auto as_ranges = network::in_ranges(asked);
  const std::vector<PortSpec>& wanted = as_ranges ? *as_ranges : asked;
  const auto is_served = [&](const PortSpec& spec) {
    return std::ranges::any_of(there,
                               [&](const PublishedPort& port) { return serves(port, spec); });
  };
  const auto is_wanted = [&](const PublishedPort& port) {
    return std::ranges::any_of(wanted, [&](const PortSpec& spec) { return serves(port, spec); });
  };
  return there.size() >= wanted.size() && std::ranges::all_of(wanted, is_served) &&
         std::ranges::all_of(there, is_wanted);
}

bool has_addresses(const Endpoint& endpoint, const std::vector<Cidr>& wanted) {
  return std::ranges::all_of(wanted, [&](const Cidr& cidr) {
    return std::ranges::any_of(endpoint.addresses,
                               [&](const Cidr& own) { return own.address() == cidr.address(); });
  });
}

// Those that nobody asked for lead to the network's other subnets on the link.
bool has_routes(const Endpoint& endpoint, const std::vector<network::Route>& wanted) {
  constexpr std::uint32_t kScopeLink = 253;  // RT_SCOPE_LINK, linux/rtnetlink.h
  std::vector<network::Route> asked = endpoint.routes;
  std::erase_if(asked, [&](const network::Route& route) {
    return !route.via && route.scope == kScopeLink &&
           std::ranges::find(wanted, route) == wanted.end();
  });
  return asked == wanted;
}

// The first field in which the endpoint differs from the request; empty when it does not.
std::string_view difference(const Endpoint& there, const AttachRequest& request) {
  const network::EndpointSpec& wanted = request.spec;
  if (there.container != wanted.container) return "container";
  if (there.runtime != wanted.runtime) return "runtime";
  if (there.ifname != request.ifname.str()) return "ifname";
  if (!has_addresses(there, wanted.addresses)) return "addresses";
  if (wanted.mac && there.mac != wanted.mac) return "mac";
  auto ports = there.ports;
  std::ranges::copy(there.standby_ports, std::back_inserter(ports));
  if (!same_ports(ports, wanted.ports)) return "ports";
  if (there.aliases != wanted.aliases) return "aliases";
  if (wanted.rates && there.rates != *wanted.rates) return "rates";
  return has_routes(there, wanted.routes) ? "" : "routes";
}

// Called when the attach was refused because the endpoint exists. If this is a repetition of the
// call that created it, the same response is given again.
Result<Endpoint> same_again(const Core& core, const AttachRequest& request, int netns_fd,
                            const Error& refusal) {
  const EndpointRef ref{request.spec.network, request.spec.id};
  auto there = core.networks.inspect_endpoint(ref);
  if (!there || !there->joined) return fail(refusal);
  if (const auto field = difference(*there, request); !field.empty())
    return fail(Code::kConflict,
                "attach endpoint {}: it is there already with another value of {}; delete it first",
                ref.id, field);
  const network::Expectation expected{.netns_fd = netns_fd,
                                      .ifname = request.ifname.str(),
                                      .addresses = there->addresses,
                                      .routes = {},
                                      .mac = there->mac};
  if (auto same = core.networks.check(ref, expected); !same)
    return fail(
        Code::kConflict,
        "attach endpoint {}: it is there already, but not as it was made ({}); delete it first",
        ref.id, same.error().text);
  return std::move(*there);
}

Result<Endpoint> attach(const Core& core, const AttachRequest& request, bool& existed) {
  TRY(auto netns, core.open_netns(*request.spec.netns_path));
  auto attachment =
      core.networks.attach(request.spec, network::IntoNetns{netns.get(), request.ifname});
  if (attachment) return std::move(attachment->endpoint);
  if (attachment.error().code != Code::kExists) return fail(attachment.error());
  existed = true;
  return same_again(core, request, netns.get(), attachment.error());
}

}  // namespace

// What was attached for a client that has hung up meanwhile is undone: the client does not know of
// it, and its DELETE, if there is one, comes after this.
Result<Answer> attach_endpoint(const Core& core, const Call& call) {
  TRY(auto request, decode_attach(call.body));
  TRY(const auto turn, core.networks.take_turn(request.spec.id));
  const auto nobody_waits = fail(Code::kUnavailable, "the client hung up: nothing was attached");
  if (call.hung_up()) return nobody_waits;
  bool existed = false;
  TRY(auto endpoint, attach(core, request, existed));
  if (!existed && call.hung_up()) {
    TRY_STATUS(core.networks.remove_endpoint({request.spec.network, request.spec.id}));
    return nobody_waits;
  }
  return Answer{created_or_ok(existed), encode_endpoint(view_of(core, std::move(endpoint)))};
}

Result<Answer> list_endpoints(const Core& core, const Call& call) {
  const auto only = call.query.find("network");
  TRY(auto endpoints, core.networks.list_endpoints(only == call.query.end()
                                                       ? std::nullopt
                                                       : std::optional<network::NetworkRef>(
                                                             network::NetworkText{only->second})));
  TRY(auto networks, core.networks.list_networks());
  std::map<std::string, const network::Network*> by_id;
  for (const auto& usage : networks) by_id[usage.network.id] = &usage.network;
  Document list = Document::array();
  for (const Endpoint& endpoint : endpoints) {
    const auto found = by_id.find(endpoint.network_id);
    if (found == by_id.end())
      list.push_back(encode_endpoint({endpoint, endpoint.network_id, 0}));
    else
      list.push_back(encode_endpoint(native::view_of(endpoint, *found->second)));
  }
  return Answer{kOk, {{"endpoints", std::move(list)}}};
}

Result<Answer> get_endpoint(const Core& core, const Call& call) {
  TRY(auto endpoint, core.networks.inspect_endpoint(ref_of(call)));
  return Answer{kOk, encode_endpoint(view_of(core, std::move(endpoint)))};
}

Result<Answer> delete_endpoint(const Core& core, const Call& call) {
  TRY(const auto turn, core.networks.take_turn(call.params[1]));
  TRY(const bool forced, is_forced(call));
  const EndpointRef ref = ref_of(call);
  if (!forced) TRY_STATUS(check_not_dockers(core.networks, ref));
  TRY_STATUS(core.networks.remove_endpoint(ref));
  return Answer{kNoContent, {}};
}

Result<Answer> check_endpoint(const Core& core, const Call& call) {
  TRY(auto request, decode_expectation(call.body));
  UniqueFd netns;
  if (request.netns_path) {
    TRY(netns, core.open_netns(*request.netns_path));
    request.expected.netns_fd = netns.get();
  }
  TRY_STATUS(core.networks.check(ref_of(call), request.expected));
  return Answer{kNoContent, {}};
}

Result<Answer> list_ports(const Core& core, const Call&) {
  TRY(auto holders, core.networks.list_ports());
  Document list = Document::array();
  for (const network::PortHolder& holder : holders) list.push_back(encode_port_holder(holder));
  return Answer{kOk, {{"ports", std::move(list)}}};
}

Result<Answer> publish_ports(const Core& core, const Call& call) {
  TRY(auto wanted, decode_publish(call.body));
  TRY(auto published, core.networks.publish(ref_of(call), wanted));
  return Answer{kOk, {{"ports", encode_ports(published)}}};
}

Result<Answer> change_ports(const Core& core, const Call& call) {
  TRY(const auto change, decode_port_change(call.body));
  TRY(auto published, core.networks.change_ports(ref_of(call), change));
  return Answer{kOk, {{"ports", encode_ports(published)}}};
}

Result<Answer> unpublish_ports(const Core& core, const Call& call) {
  TRY_STATUS(core.networks.unpublish(ref_of(call)));
  return Answer{kNoContent, {}};
}

}  // namespace fairlead::native
