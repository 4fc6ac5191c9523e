// What the rules of a hook do with a packet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "network/explain/match.h"

namespace fairlead::explain {

// What one rule, or the policy of a chain, has decided.
struct Decision {
  enum class Kind { kAccept, kDrop, kReject, kTranslate };
  Kind kind = Kind::kAccept;
  std::string hook;                 // "forward"
  std::string table;                // "inet fairlead"
  bool own = false;                 // of Fairlead's tables
  std::vector<std::string> chains;  // from the base chain to the one with the rule
  std::string rule;                 // its text; empty: the policy of the chain
  std::vector<std::string>
      elements;             // that led here: "towards: ipv4 . fl-12ab : goto published_only"
  std::string translation;  // of kTranslate: "to 10.1.0.2:80"
};

struct Passage {
  bool passes = true;
  std::vector<Decision> decisions;  // in their order; the last one says why it does not pass
  // Rules that cannot be told from here, in words: what they would do may differ from this.
  std::vector<std::string> unknown;
};

// Which rules see the packet.
enum class Layer {
  kPackets,  // of the families ip, ip6, inet
  kFrames,   // of the family bridge
};

// Sends the packet through all base chains of the hook in the order of their priorities. Translations change the packet
// and the flow.
Passage pass(const Ruleset& rules, Layer layer, std::string_view hook, Packet& packet, Flow& flow,
             const Facts& facts);

}  // namespace fairlead::explain
