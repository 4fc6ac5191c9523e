// The file of "ipam.resolvConf": the name servers of a result, as host-local reads them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "network/api/types.h"

namespace fairlead::cni {

// Of several "domain" and "search" lines the last counts; other words are passed over.
network::Dns parse_resolv_conf(std::string_view text);

// Reads a regular file of at most 64 KiB.
Result<network::Dns> read_resolv_conf(const std::string& path);

}  // namespace fairlead::cni
