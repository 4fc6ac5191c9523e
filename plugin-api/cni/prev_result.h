// prevResult: what the plugins before this one in a list have made, as the runtime hands it to ADD, and the
// final result of ADD, as it gives it back to CHECK (SPEC 1.1.0, section 3).
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
// the interface `ifname` inside a sandbox; addresses that name no interface count as its own where none
// names it. kInvalid for another shape.
Result<PrevResult> decode_prev_result(const json::Object& result, std::string_view ifname);

// The result of earlier plugins, which ADD adds to: unread but for its shape, since what it holds is
// theirs. kInvalid for another shape than that of 0.3.0 and newer, and when one of them has made an interface of
// that name in a sandbox.
Result<json::Json> decode_earlier(const json::Object& result, std::string_view ifname);

// The lists of both, `ours` after `earlier`, with the interfaces of our addresses counted on. Name servers and
// search domains of both, and the first domain. Other members of `earlier` stay.
json::Json joined_results(json::Json earlier, json::Json ours);

}  // namespace fairlead::cni
