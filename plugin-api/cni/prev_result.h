// prevResult: the final result of ADD, as the runtime gives it back to CHECK.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/json/json.h"
#include "network/api/types.h"

namespace fairlead::cni {

// Of one interface. Later plugins of the chain may have changed it, and what they say counts.
struct PrevResult {
  std::vector<Cidr> addresses;
  std::vector<network::Route> routes;
  std::optional<MacAddress> mac;
};

// The shapes of 0.3.0 and newer (there is no CHECK before 0.4.0). Addresses and MAC are those of
// the interface `ifname` inside a sandbox; addresses that name no interface count as its own.
// kInvalid for another shape.
Result<PrevResult> decode_prev_result(const json::Object& result, std::string_view ifname);

}  // namespace fairlead::cni
