#include "plugin-api/cni/version.h"

#include <array>

namespace fairlead::cni {

namespace {
constexpr auto kVersions = std::to_array<Version>({
    {"0.1.0", false, false, false, false},
    {"0.2.0", false, false, false, false},
    {"0.3.0", true, true, false, false},
    {"0.3.1", true, true, false, false},
    {"0.4.0", true, true, true, false},
    {"1.0.0", true, false, true, false},
    {"1.1.0", true, false, true, true},
});
}  // namespace

std::span<const Version> versions() { return kVersions; }

const Version* find_version(std::string_view text) {
  if (text.empty()) return kVersions.data();
  for (const Version& version : kVersions)
    if (version.text == text) return &version;
  return nullptr;
}

const Version& newest_version() { return kVersions.back(); }

}  // namespace fairlead::cni
