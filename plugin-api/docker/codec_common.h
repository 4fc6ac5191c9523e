// What the three codecs of Docker's plugin protocol share. Sources: moby,
// daemon/libnetwork/drivers/remote/api, daemon/libnetwork/ipams/remote/api, daemon/volume/drivers;
// the same wire since 20.10.
#pragma once

#include <string>
#include <string_view>

#include "base/json/fields.h"
#include "base/json/json.h"
#include "base/result.h"

namespace fairlead::docker {

// Names of the address spaces of Fairlead's IPAM: networks made with it carry them in their
// IPAMData.
inline constexpr std::string_view kLocalSpace = "fairlead-local";
inline constexpr std::string_view kGlobalSpace = "fairlead-global";

// A request without arguments; what its body holds is not looked at.
struct Nothing {};
Result<Nothing> decode_nothing(std::string_view body);

// Go writes "" where there is nothing, and "<nil>" for an address.
inline constexpr json::Reading kGoValues{.blank_is_absent = true};

// A request's body, which must be one JSON object.
template <class T, std::size_t N>
Result<T> decode_body(std::string_view body, const json::Fields<T, N>& table,
                      json::Reading reading = kGoValues) {
  TRY(const json::Json document, json::parse(body));
  return json::read(document, table, reading);
}

// 1 to 128 characters of [0-9a-zA-Z_.-], because ids become keys and parts of names.
Result<std::string> parse_id(std::string_view text);
inline constexpr auto kId = json::text<&parse_id>();

// The text as far as it is fit for an answer or a log line: what a client sent at length is cut.
std::string shortened(std::string_view text);

// {"Err":text,"Error":text}: NetworkDriver and VolumeDriver read the first, IpamDriver the second.
// Shortened.
std::string encode_error(std::string_view text);

}  // namespace fairlead::docker
