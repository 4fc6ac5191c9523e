// Sizes for sentences.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead::volume {

// "658 MiB", "9.8 TiB": with the unit that leaves at most four digits.
inline std::string rough_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 9999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return value < 99.95 && unit > 0 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                                   : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

}  // namespace fairlead::volume
