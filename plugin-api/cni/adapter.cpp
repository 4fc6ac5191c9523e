#include "plugin-api/cni/adapter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "plugin-api/cni/resolv_conf.h"
#include "plugin-api/cni/result.h"

namespace fairlead::cni {

namespace {

using network::EndpointRef;
using network::NetworkRef;
using network::NetworkService;
using network::Route;

constexpr std::uint32_t kScopeLink = 253;  // RT_SCOPE_LINK, linux/rtnetlink.h

// The text that a verb prints on success.
using Answer = Decoded<std::string>;

NetworkRef network_ref(const Request& request) { return request.network_name(); }

EndpointRef endpoint_ref(const Request& request) {
  const Invocation& invocation = request.invocation;
  return {network_ref(request),
          network::endpoint_id(invocation.container.str(), invocation.ifname.str())};
}

Answer answer_of(const Status& status) {
  if (status) return std::string();
  return fail(failure_of(status.error()));
}

// ---- ADD

Decoded<UniqueFd> open_container(const Request& request, const NetnsOpener& netns) {
  const Invocation& invocation = request.invocation;
  auto fd = netns.open(invocation.netns);
  if (!fd)
    return fail(Failure{ErrorCode::kNetns,
                        fmt::format("CNI_NETNS cannot be used: {}", fd.error().text), ""});
  if (!invocation.own_netns_allowed && netns.is_own(fd->get()))
    return fail(Failure{ErrorCode::kNetns,
                        fmt::format("CNI_NETNS \"{}\" is the network namespace of the plugin "
                                    "itself; set CNI_NETNS_OVERRIDE=1 if that is meant",
                                    invocation.netns),
                        ""});
  return std::move(*fd);
}

Failure cannot_make(const Request& request, const Error& error) {
  Failure failure = failure_of(error);
  if (error.code == Code::kConflict)
    failure.details = fmt::format(
        "to use the existing network as it is, write \"network\": \"{0}\" in the configuration; "
        "to make it again, remove it first: fairlead network rm {0}",
        request.name.str());
  return failure;
}

Failure cannot_join(const Request& request, const Error& error) {
  Failure failure = failure_of(error);
  if (error.code == Code::kNotFound)
    failure.details =
        fmt::format("the network to join must exist; make it first: fairlead network create {}",
                    request.join->str());
  return failure;
}

Decoded<network::Network> find_network(const Request& request, NetworkService& service) {
  if (request.join) {
    auto network = service.inspect_network(network_ref(request));
    if (!network) return fail(cannot_join(request, network.error()));
    return std::move(*network);
  }
  auto network = service.create_network(request.network);
  if (!network) return fail(cannot_make(request, network.error()));
  return std::move(*network);
}

std::vector<IpAddress> gateways_of(const network::Network& network, Family family) {
  std::vector<IpAddress> gateways;
  for (const network::Subnet& subnet : network.subnets)
    if (subnet.subnet.family() == family && subnet.gateway) gateways.push_back(*subnet.gateway);
  return gateways;
}

// Whether every attachment to the network has a default route through a gateway of its own.
bool has_default(const network::Network& network, Family family) {
  const auto mode =
      family == Family::kV4 ? network.options.gateway_mode_v4 : network.options.gateway_mode_v6;
  return !network.internal && mode != network::GatewayMode::kIsolated;
}

// Whether this is the default route that every attachment to a network with a gateway gets anyway.
bool is_plain_default(const Route& route, const network::Network& network) {
  const Family family = route.destination.family();
  const auto gateways = gateways_of(network, family);
  if (!has_default(network, family) || gateways.empty() || route.destination.prefix_length() != 0)
    return false;
  if (route == Route{.destination = route.destination}) return gateways.size() > 1;
  return gateways.size() == 1 &&
         route == Route{.destination = route.destination, .via = gateways.front()};
}

// Gives routes without a gateway the network's own gateway, as with host-local. Which one that is where
// there are several is the service's to say, once it has chosen the address.
std::vector<Route> complete_routes(std::vector<Route> routes, const network::Network& network) {
  for (Route& route : routes) {
    const Family family = route.destination.family();
    const auto gateways = gateways_of(network, family);
    const bool chosen_later = gateways.size() > 1 && has_default(network, family);
    if (!route.via && route.scope != kScopeLink && !gateways.empty() && !chosen_later)
      route.via = gateways.front();
  }
  std::erase_if(routes, [&](const Route& route) { return is_plain_default(route, network); });
  return routes;
}

// The network by whose gateway routes are completed. A network to join is looked up only when there
// are routes.
Decoded<network::Network> network_for(const Request& request, NetworkService& service) {
  if (request.join && request.endpoint.routes.empty()) return network::Network();
  return find_network(request, service);
}

// Excludes others that work on the same attachment.
Decoded<network::Turn> take_turn(const Request& request, NetworkService& service) {
  auto turn = service.take_turn(endpoint_ref(request).id);
  if (!turn) return fail(failure_of(turn.error()));
  return std::move(*turn);
}

tl::unexpected<Failure> nobody_waits() {
  return fail(Failure{ErrorCode::kTryAgain, "the caller hung up: nothing was attached", ""});
}

void undo_add(const Request& request, NetworkService& service) {
  const Status removed = service.remove_endpoint(endpoint_ref(request));
  log::write(removed ? log::Level::kInfo : log::Level::kError, "cni: ADD undone",
             {{"container", request.invocation.container.str()},
              {"network", request.network_name().str()},
              {"outcome", removed ? "ok" : removed.error().text}});
}

Decoded<network::Dns> dns_of(const Request& request) {
  if (request.resolv_conf.empty() || request.dns != network::Dns{}) return request.dns;
  auto read = read_resolv_conf(request.resolv_conf);
  if (!read) return fail(failure_of(read.error()));
  return std::move(*read);
}

// A caller that hangs up was killed; it calls DEL next, or never again. Either that DEL comes after
// this call, or this call notices here that the caller is gone.
Answer add(const Request& request, const Call& call, NetworkService& service) {
  TRY(const UniqueFd container, open_container(request, call.netns));
  TRY(const network::Turn turn, take_turn(request, service));
  if (call.hung_up()) return nobody_waits();
  TRY(const network::Dns dns, dns_of(request));
  TRY(const network::Network network, network_for(request, service));
  fault_point("cni.add.network-made");
  network::EndpointSpec spec = request.endpoint;
  spec.routes = complete_routes(std::move(spec.routes), network);
  const network::IntoNetns placement{container.get(), request.invocation.ifname};
  const auto attachment = service.attach(spec, placement);
  if (!attachment && request.join) return fail(cannot_join(request, attachment.error()));
  if (!attachment) return fail(failure_of(attachment.error()));
  fault_point("cni.add.attached");
  Answer result = encode_result(*attachment, dns, request.invocation.netns, *request.version);
  if (result && call.hung_up()) result = nobody_waits();
  if (!result) undo_add(request, service);
  return result;
}

// ---- the other verbs

Answer del(const Request& request, NetworkService& service) {
  TRY(const network::Turn turn, take_turn(request, service));
  const Status removed = service.remove_endpoint(endpoint_ref(request));
  if (!removed && removed.error().code == Code::kNotFound) return std::string();
  return answer_of(removed);
}

Answer check(const Request& request, const NetnsOpener& netns, NetworkService& service) {
  TRY(const UniqueFd container, open_container(request, netns));
  const network::Expectation expected{.netns_fd = container.get(),
                                      .ifname = request.invocation.ifname.str(),
                                      .addresses = request.previous.addresses,
                                      .routes = request.previous.routes,
                                      .mac = request.previous.mac};
  return answer_of(service.check(endpoint_ref(request), expected));
}

Answer collect(const Request& request, NetworkService& service) {
  if (!request.valid) return std::string();
  const auto removed = service.collect(network_ref(request), request.runtime(), *request.valid);
  if (removed || removed.error().code == Code::kNotFound) return std::string();
  return fail(failure_of(removed.error()));
}

// The next ADD would be refused.
Answer room(const Request& request, NetworkService& service) {
  const Status free = service.check_room(request.endpoint);
  if (free) return std::string();
  Failure failure = failure_of(free.error());
  failure.code = ErrorCode::kNotAvailable;
  return fail(std::move(failure));
}

Answer status(const Request& request, NetworkService& service) {
  const auto network = service.inspect_network(network_ref(request));
  if (network) return room(request, service);
  const bool missing = network.error().code == Code::kNotFound;
  if (missing && !request.join) return std::string();  // the first ADD creates the network
  Failure failure = missing ? cannot_join(request, network.error()) : failure_of(network.error());
  failure.code = ErrorCode::kNotAvailable;
  return fail(std::move(failure));
}

Answer perform_verb(const Request& request, const Call& call, NetworkService& service) {
  switch (request.invocation.verb) {
    case Verb::kAdd:
      return add(request, call, service);
    case Verb::kDel:
      return del(request, service);
    case Verb::kCheck:
      return check(request, call.netns, service);
    case Verb::kGc:
      return collect(request, service);
    case Verb::kStatus:
      return status(request, service);
    case Verb::kVersion:
      return encode_versions(request.version_text);
  }
  return std::string();
}

Outcome outcome_of(const Answer& answer, const Version& version) {
  if (answer) return {.out = *answer};
  return {.exit_code = 1, .out = encode_failure(answer.error(), version.text)};
}

// The outcome when the plugin is called by hand, as for packagers and bug reports.
Outcome about() {
  std::vector<std::string_view> names;
  for (const Version& version : versions()) names.push_back(version.text);
  return {.err = fmt::format("CNI fairlead plugin {}\nCNI protocol versions supported: {}\n",
                             FAIRLEAD_VERSION, fmt::join(names, ", "))};
}

}  // namespace

Outcome refused(const Failure& failure, std::string_view input) {
  const bool readable = failure.code != ErrorCode::kDecoding;
  return outcome_of(fail(failure), readable ? answer_version(input) : newest_version());
}

Prepared prepare(const Call& call) {
  if (call.environment.command.empty()) return {.outcome = about()};
  auto request = decode(call.environment, call.input);
  if (!request) return {.outcome = outcome_of(fail(request.error()), answer_version(call.input))};
  if (request->invocation.verb == Verb::kVersion)
    return {.outcome = {.out = encode_versions(request->version_text)}};
  return {.request = std::move(*request)};
}

Outcome perform(const Request& request, const Call& call, NetworkService& service) {
  return outcome_of(perform_verb(request, call, service), *request.version);
}

Outcome run(const Call& call, NetworkService& service) {
  const Prepared prepared = prepare(call);
  if (!prepared.request) return prepared.outcome;
  return perform(*prepared.request, call, service);
}

Outcome unavailable(const Request& request, const Error& error) {
  Failure failure = failure_of(error);
  if (request.invocation.verb == Verb::kStatus) failure.code = ErrorCode::kNotAvailable;
  return outcome_of(fail(std::move(failure)), *request.version);
}

}  // namespace fairlead::cni
