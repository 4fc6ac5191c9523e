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
  const network::IntoNetns placement{container.get(), request.ifname};
  const auto attachment = service.attach(spec, placement);
  if (!attachment && request.join) return fail(cannot_join(request, attachment.error()));
  if (!attachment) return fail(failure_of(attachment.error()));
  fault_point("cni.add.attached");
  Answer result = encode_result(*attachment,
                                {.dns = dns == network::Dns() ? attachment->dns : dns,
                                 .netns = request.invocation.netns,
                                 .earlier = request.earlier},
                                *request.version);
  if (result && call.hung_up()) result = nobody_waits();
  if (!result) undo_add(request, service);
  return result;
}

// ---- with the addresses of another IPAM plugin

Decoded<std::string> ask_ipam(const Request& request, const Call& call, const char* command) {
  const std::string ifname =
      request.ifname == request.invocation.ifname ? "" : request.ifname.str();
  return run_ipam(request.ipam, {.command = command, .ifname = ifname}, call.run_plugin);
}

Status remove_if_any(const Request& request, NetworkService& service) {
  const Status removed = service.remove_endpoint(endpoint_ref(request));
  return !removed && removed.error().code == Code::kNotFound ? Status() : removed;
}

// Removes the endpoint and gives its addresses back, both whatever becomes of the other. A link that is
// gone cannot carry an address that somebody else has got; but an address that came by DHCP is given
// back through the link.
Answer take_away(const Request& request, const Call& call, NetworkService& service) {
  const bool link_last = works_on_interface(request.ipam);
  Answer given_back;
  if (link_last) given_back = ask_ipam(request, call, "DEL");
  const Status removed = remove_if_any(request, service);
  fault_point("cni.ipam.link-removed");
  if (!link_last) given_back = ask_ipam(request, call, "DEL");
  if (!removed) return answer_of(removed);
  if (!given_back) return given_back;
  return std::string();
}

Status refuse_overlay(const network::Network& network) {
  if (!network.overlay) return {};
  return fail(Code::kUnsupported,
              "network {} is shared by several hosts, and its addresses come from Fairlead, which "
              "knows of all of them; leave out the type of \"ipam\"",
              network.name.str());
}

// A plugin's addresses and routes, with the routes of the configuration.
network::GivenAddresses given_by(const IpamResult& result, std::string text,
                                 std::vector<Route> routes, const Request& request) {
  network::GivenAddresses given{.addresses = {},
                                .ports = request.endpoint.ports,
                                .routes = std::move(routes),
                                .digest = request.endpoint.digest,
                                .allocation = std::move(text)};
  for (const IpamAddress& each : result.addresses) given.addresses.push_back(each.address);
  given.routes.insert(given.routes.end(), result.routes.begin(), result.routes.end());
  return given;
}

Decoded<IpamResult> read_ipam(const Request& request, const std::string& text) {
  auto result = decode_ipam_result(text);
  if (result) return std::move(*result);
  return fail(Failure{ErrorCode::kDecoding,
                      fmt::format("ipam plugin \"{}\": its result cannot be used: {}", request.ipam,
                                  result.error().text),
                      ""});
}

Answer encode_delegated(const Request& request, const network::Attachment& attachment,
                        const IpamResult& result) {
  const network::Dns& given = result.dns == network::Dns() ? attachment.dns : result.dns;
  ResultParts parts{.dns = request.dns == network::Dns() ? given : request.dns,
                    .netns = request.invocation.netns,
                    .earlier = request.earlier};
  for (const IpamAddress& each : result.addresses)
    if (each.gateway) parts.gateways.emplace(each.address.address(), *each.gateway);
  return encode_result(attachment, parts, *request.version);
}

// From the link to the result; what it leaves after a failure is taken away by the caller.
Answer fill_link(const Request& request, const Call& call, const network::Network& network,
                 const network::IntoNetns& placement, NetworkService& service) {
  fault_point("cni.ipam.linked");
  TRY(std::string text, ask_ipam(request, call, "ADD"));
  fault_point("cni.ipam.added");
  TRY(const auto result, read_ipam(request, text));
  const auto given =
      given_by(result, std::move(text), complete_routes(request.endpoint.routes, network), request);
  const auto attachment = service.give_addresses(endpoint_ref(request), given, placement);
  if (!attachment) return fail(failure_of(attachment.error()));
  fault_point("cni.add.attached");
  return encode_delegated(request, *attachment, result);
}

network::EndpointSpec link_alone(const Request& request) {
  network::EndpointSpec spec = request.endpoint;
  spec.ports.clear();
  spec.routes.clear();
  spec.digest.clear();
  return spec;
}

// The same call once more, whose answer was lost.
Answer say_again(const Request& request, const network::IntoNetns& placement,
                 const network::Endpoint& known, NetworkService& service) {
  TRY(const auto result, read_ipam(request, known.allocation));
  const auto attachment = service.attach(request.endpoint, placement);
  if (!attachment) return fail(failure_of(attachment.error()));
  if (attachment->endpoint.addresses.empty())
    return fail(Failure{ErrorCode::kNotFound, "the container of that call is gone", ""});
  return encode_delegated(request, *attachment, result);
}

// What an earlier call for this attachment has left unfinished is given back first: plugins refuse to
// give an attachment a second address.
Answer clear_unfinished(const Request& request, const Call& call, NetworkService& service) {
  const auto known = service.inspect_endpoint(endpoint_ref(request));
  const bool unfinished = known && known->address_source == network::AddressSource::kPlugin &&
                          known->allocation.empty();
  return unfinished ? take_away(request, call, service) : Answer();
}

Answer add_delegated(const Request& request, const Call& call, NetworkService& service) {
  TRY(const UniqueFd container, open_container(request, call.netns));
  TRY(const network::Turn turn, take_turn(request, service));
  TRY(const network::Network network, find_network(request, service));
  if (auto here = refuse_overlay(network); !here) return fail(failure_of(here.error()));
  fault_point("cni.add.network-made");
  const network::IntoNetns placement{container.get(), request.ifname};
  const auto known = service.inspect_endpoint(endpoint_ref(request));
  if (known && !known->allocation.empty() && known->digest == request.endpoint.digest)
    if (Answer again = say_again(request, placement, *known, service)) return again;
  if (const Answer cleared = clear_unfinished(request, call, service); !cleared) return cleared;
  const auto linked = service.attach(link_alone(request), placement);
  if (!linked && request.join) return fail(cannot_join(request, linked.error()));
  if (!linked) return fail(failure_of(linked.error()));
  // attach() has removed a dead endpoint, but not what the plugin had given it.
  Answer result = known ? ask_ipam(request, call, "DEL") : Answer();
  if (result) result = fill_link(request, call, network, placement, service);
  if (result) return result;
  if (const Answer undone = take_away(request, call, service); !undone)
    log::error("cni: undo ADD", {{"container", request.invocation.container.str()},
                                 {"error", undone.error().message}});
  return result;
}

// ---- the other verbs

Answer del(const Request& request, const Call& call, NetworkService& service) {
  TRY(const network::Turn turn, take_turn(request, service));
  if (!request.ipam.empty()) return take_away(request, call, service);
  return answer_of(remove_if_any(request, service));
}

// Verbs of the IPAM plugin that follow ours, and print nothing.
Answer then_ipam(const Request& request, const Call& call, const char* command, Answer ours) {
  if (request.ipam.empty()) return ours;
  const Answer theirs = ask_ipam(request, call, command);
  if (!ours || theirs) return ours;
  return theirs;
}

Answer check(const Request& request, const NetnsOpener& netns, NetworkService& service) {
  TRY(const UniqueFd container, open_container(request, netns));
  const network::Expectation expected{.netns_fd = container.get(),
                                      .ifname = request.ifname.str(),
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
  if (network && !request.ipam.empty())
    return std::string();  // the plugin says whether there is room
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
      return request.ipam.empty() ? add(request, call, service)
                                  : add_delegated(request, call, service);
    case Verb::kDel:
      return del(request, call, service);
    case Verb::kCheck:
      return then_ipam(request, call, "CHECK", check(request, call.netns, service));
    case Verb::kGc:
      return then_ipam(request, call, "GC", collect(request, service));
    case Verb::kStatus:
      return then_ipam(request, call, "STATUS", status(request, service));
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
