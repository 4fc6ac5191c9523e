// The answer: which packets stand for the question, where each goes, and what that means in words.
#pragma once

#include "network/explain/ends.h"

namespace fairlead::explain {

struct Question {
  End from, to;
  network::ExplainPort port;
  std::optional<Family> family;
};

// kInvalid when the two ends have no family of addresses in common.
Result<network::Explanation> explain(const World& world, const Question& question);

// Packets are told apart by it where they are real ones as well.
inline constexpr std::uint16_t kSourcePort = 49999;

}  // namespace fairlead::explain
