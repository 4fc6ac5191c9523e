// Standard base64 with padding (RFC 4648, 4). Not OpenSSL's: the libraries below the CNI plugin
// have a key in base64 too, and that plugin does without OpenSSL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fairlead {

std::string to_base64(std::string_view bytes);

// std::nullopt when the text is not whole groups of four, or has another character in it or a '='
// that is no padding. Bits of the last digit that belong to no byte may have any value.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace fairlead
