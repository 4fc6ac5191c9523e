// The keys under which the service keeps its records. All values are JSON (records.h).
//
//   network/<id>                       the network; <id> has 64 hex digits
//   network-name/<name>                {"id"}: makes names unique
//   network-alias/<runtime id>         {"id"}: a runtime's id bound to a network of another runtime
//   network-runtime/<network id>/<runtime id>   {"name","project"}: what a runtime calls the network
//   endpoint/<network id>/<id>         the endpoint
//   endpoint-names/<network id>/<id>   {"container","ifname","names"}: what Docker does not tell of it.
//                                      (In the endpoint's record it would need the network's lock,
//                                      for which the container's next call would wait.)
//   port/<proto>/<host port>           {"claims":[...]}: who has published it, on which host
//                                      addresses; 5 digits, so that keys sort. One key for
//                                      all addresses of a port, because 0.0.0.0 overlaps each of
//                                      them: two claims race on one revision. (A key per address
//                                      was rejected: no single precondition covers "this address
//                                      and any".)
//   port-range/<proto>                 {"claims":[...]}: the same of all ranges of ports of the
//                                      protocol, one claim for each range. Whoever claims a single
//                                      port does so at a revision of this key; whoever claims a
//                                      range writes it, and looks for single ports afterwards
//   port-cursor/<proto>                {"port"}: the last port chosen from the ephemeral range
//   underlay                           {"hosts","secure_links"}: the sources from which packets of
//                                      tunnels are accepted
//   forwarding                         {"boot","ipv4","ipv6"}: the families whose forwarding Fairlead
//                                      has switched on, void in another boot. Committed before that
//   name-servers                       {"boot","running","places","upstreams"}: who answers names, void in
//                                      another boot
//   policies                           {"next","policies":[...]}: all policies, see policy_records.h
//   policy-name/<name>                 the addresses of a name of the DNS in policies
//   instance                           {"id"}: the store's own number, see ownership.h
//   pool/..., lease/..., cursor/...    see network/ipam
#pragma once

#include <string>
#include <string_view>

#include "network/api/types.h"

namespace fairlead::network::keys {

inline constexpr std::string_view kNetworks = "network/";
inline constexpr std::string_view kEndpoints = "endpoint/";
inline constexpr std::string_view kRuntimeNetworks = "network-runtime/";
inline constexpr std::string_view kEndpointNames = "endpoint-names/";
inline constexpr std::string_view kPorts = "port/";
inline constexpr std::string_view kPortRanges = "port-range/";
inline constexpr std::string_view kAliases = "network-alias/";
inline constexpr std::string_view kUnderlay = "underlay";
inline constexpr std::string_view kForwarding = "forwarding";
inline constexpr std::string_view kSurroundings = "surroundings";
inline constexpr std::string_view kNameServers = "name-servers";
inline constexpr std::string_view kPolicies = "policies";
inline constexpr std::string_view kPolicyNames = "policy-name/";
inline constexpr std::string_view kInstance = "instance";

inline std::string network(std::string_view id) { return fmt::format("network/{}", id); }
inline std::string network_name(std::string_view name) {
  return fmt::format("network-name/{}", name);
}
inline std::string alias(std::string_view runtime_id) {
  return fmt::format("network-alias/{}", runtime_id);
}
inline std::string runtime_networks_of(std::string_view network_id) {
  return fmt::format("network-runtime/{}/", network_id);
}
inline std::string runtime_network(std::string_view network_id, std::string_view runtime_id) {
  return fmt::format("network-runtime/{}/{}", network_id, runtime_id);
}
inline std::string names_of_endpoints(std::string_view network_id) {
  return fmt::format("endpoint-names/{}/", network_id);
}
inline std::string endpoint_names(std::string_view network_id, std::string_view id) {
  return fmt::format("endpoint-names/{}/{}", network_id, id);
}
inline std::string endpoints_of(std::string_view network_id) {
  return fmt::format("endpoint/{}/", network_id);
}
inline std::string endpoint(std::string_view network_id, std::string_view id) {
  return fmt::format("endpoint/{}/{}", network_id, id);
}
inline std::string policy_name(std::string_view name) {
  return fmt::format("policy-name/{}", name);
}
inline std::string port(Proto proto, unsigned number) {
  return fmt::format("port/{}/{:05}", to_string(proto), number);
}
inline std::string port_ranges(Proto proto) {
  return fmt::format("port-range/{}", to_string(proto));
}
inline std::string port_cursor(Proto proto) {
  return fmt::format("port-cursor/{}", to_string(proto));
}

}  // namespace fairlead::network::keys
