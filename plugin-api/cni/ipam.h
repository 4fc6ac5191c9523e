// The IPAM plugin of a configuration: "ipam": {"type": "static", ...}.
//
// Fairlead gives the addresses itself where there is no type, and where it is "fairlead" or
// "host-local" (whose keys it reads as that plugin does). Every other type names a program in CNI_PATH that is
// run, as is the real host-local with {"type": "host-local", "delegate": true}.
//
// The plugin gets this plugin's environment and the complete configuration on stdin, for every verb
// (SPEC 1.1.0, section 4), and answers ADD with addresses, routes and DNS.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/json.h"
#include "network/api/types.h"
#include "plugin-api/cni/failure.h"
#include "plugin-api/cni/plugin_process.h"

namespace fairlead::cni {

// The name of the plugin that gives the addresses; empty: Fairlead does. kInvalid.
Result<std::string> decode_ipam_plugin(const json::Object& config);

// Whether a plugin asks for addresses through the container's interface, and gives them back through it:
// by DHCP.
bool works_on_interface(std::string_view plugin);

struct IpamAddress {
  Cidr address;
  std::optional<IpAddress> gateway;

  bool operator==(const IpamAddress&) const = default;
};

// What an IPAM plugin answers to ADD.
struct IpamResult {
  std::vector<IpamAddress> addresses;
  std::vector<network::Route>
      routes;  // `via` is filled in as far as the plugin has named a gateway
  network::Dns dns;

  bool operator==(const IpamResult&) const = default;
};

// Of any version: lists, or one ip4 and one ip6. kInvalid for another shape, and without an address.
Result<IpamResult> decode_ipam_result(std::string_view text);

// How the plugin of a call is run; a test's own, or find_plugin() and run_plugin().
using RunPlugin =
    std::function<Result<PluginOutcome>(const std::string& name, const PluginVerb& verb)>;

// Runs one verb of the IPAM plugin and returns what it wrote. The plugin's own failure is passed on, with
// its code; kConfiguration when it is not found.
Decoded<std::string> run_ipam(const std::string& name, const PluginVerb& verb,
                              const RunPlugin& run);

}  // namespace fairlead::cni
