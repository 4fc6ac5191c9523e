// The rules of the table `bridge fairlead`.
#pragma once

#include <cstdint>
#include <string_view>

namespace fairlead::nat {

extern const std::string_view kBridgeChains;
extern const std::uint64_t kBridgeChainsHash;

}  // namespace fairlead::nat
