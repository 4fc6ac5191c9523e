// The path of a request.
#pragma once

#include <string_view>
#include <vector>

namespace fairlead::http {

// "/v1/networks/shop" has the segments "v1", "networks", "shop"; "/v1/" has "v1" and "". They are
// parts of `path`, which begins with a slash.
std::vector<std::string_view> path_segments(std::string_view path);

}  // namespace fairlead::http
