// Expressions of rules, and what a packet has of them. What is not known here (an extension of iptables, raw bytes of a
// packet) is said to be unknown, and never guessed.
#pragma once

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "network/explain/facts.h"
#include "network/explain/packet.h"
#include "network/explain/ruleset.h"

namespace fairlead::explain {

enum class Truth { kNo, kYes, kUnknown };

struct Unknown {};
struct Absent {
};  // the packet has no such field: the rule does not match, whatever it compares with
// With the words that nft has for numbers of that kind.
struct Numeral {
  enum class Kind { kPlain, kProto, kFamily, kEther, kIcmpType, kIcmpv6Type };
  std::uint64_t number = 0;
  Kind kind = Kind::kPlain;
};
struct Bits {
  std::set<std::string> set;
};
struct Concat;
using Value = std::variant<Unknown, Absent, Numeral, IpAddress, std::string, Bits, Concat>;
struct Concat {
  std::vector<Value> parts;
};

// What a packet looks like to rules of one table.
struct Sight {
  const Table& table;
  const Packet& packet;
  const Flow& flow;
  const Facts& facts;
};

// The value of an expression for the packet.
Value value_of(const json::Json& expression, const Sight& sight);

struct Match {
  Truth truth = Truth::kNo;
  const json::Json* element = nullptr;  // of the set, if one was found there
  std::string set{};                    // its name; empty: an anonymous one
};
// Whether a {"match": ...} holds.
Match holds(const json::Json& match, const Sight& sight);
// The element of a map, as {"map": {"key", "data"}} and {"vmap": ...} name one.
Match look_up(const json::Json& map, const Sight& sight);

// "ipv4 . fl-12ab : goto published_only"
std::string element_text(const json::Json& element);

}  // namespace fairlead::explain
