// Formats values for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/api/types.h"

namespace fairlead::cli {

// Makes a text safe for a terminal: control characters and bytes that are not UTF-8 become \xNN.
std::string printable(std::string_view text);
// The number of columns of a text, counting one for each code point.
std::size_t display_width(std::string_view text);
// Cuts a text to at most `most` columns; what is cut away is shown as "...".
std::string shorten(std::string_view text, std::size_t most);
// The first 12 digits of an id of Fairlead or Docker (32 or 64 hex digits); other text unchanged.
std::string short_id(std::string_view id);

// "3 hours ago"; "-" for 0.
std::string ago(long long then, long long now);
// "10 GiB", "1.5 GiB"; "-" for std::nullopt.
std::string size_text(std::optional<std::uint64_t> bytes);
// The address families in which a container has an address. A port on "every address" reaches the
// container only in these.
struct Families {
  bool v4 = true, v6 = true;
};
template <class Values>  // of Cidr or IpAddress
Families families_of(const Values& values) {
  Families families{false, false};
  for (const auto& value : values) (value.is_v4() ? families.v4 : families.v6) = true;
  return families;
}

// Ports as Docker shows them: "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp". Adjacent ports are joined:
// "0.0.0.0:8000-8003->80-83/tcp".
std::string ports_text(std::vector<network::PublishedPort> ports, Families reached = {});

template <class Values>
std::string joined(const Values& values, std::string_view separator = ", ") {
  std::string text;
  for (const auto& value : values)
    text += (text.empty() ? "" : std::string(separator)) + value.to_string();
  return text;
}

}  // namespace fairlead::cli
