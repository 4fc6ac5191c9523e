// Options of networks as users write them in every protocol: text in, NetworkOptions out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

// Accepts Fairlead's names and Docker's ("mtu" and "com.docker.network.driver.mtu"); the same
// option twice with values that differ is refused. An unknown key is kInvalid and names the closest
// known one. Values are written as in base/options/values.h: booleans, and rates in bits per second.
Result<NetworkOptions> parse_options(const std::map<std::string, std::string>& options);
// The same for the options of a record, which may hold interface names that only earlier versions
// accepted (stored_ifname).
Result<NetworkOptions> stored_options(const std::map<std::string, std::string>& options);

// The inverse, with Fairlead's names and without defaults: `inspect` shows this text, and `create
// -o` accepts it again.
std::map<std::string, std::string> to_map(const NetworkOptions& options);

// The error for an option that nobody has, with the closest one that there is.
tl::unexpected<Error> unknown_option(std::string_view key);

// Fairlead's names of all options, for help texts and completions.
std::vector<std::string> option_names();

std::string_view to_string(GatewayMode mode);
std::string_view to_string(Phase phase);

}  // namespace fairlead::network
