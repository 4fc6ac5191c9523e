// The rules of the table `bridge fairlead`.
#pragma once

#include <string_view>

namespace fairlead::nat {

extern const std::string_view kBridgeChains;

}  // namespace fairlead::nat
