// The configurations whose rulesets are kept in tests/golden/nat, one file each.
#pragma once

#include <string>
#include <vector>

#include "network/nat/nat.h"

namespace fairlead::nat {

struct GoldenCase {
  std::string name;  // of the file, without .nft
  NatState state{};
};

std::vector<GoldenCase> golden_cases();

}  // namespace fairlead::nat
