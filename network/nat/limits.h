// How many connections a published port has at once: for each number, and each way to tell ports apart, a chain
// that counts them with its set, beside the chains that every table has.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/nat/nat.h"

namespace fairlead::nat {

// By what connections are counted.
enum class LimitScope {
  kPort,     // all that come to the port, of both families
  kFamily,   // those of one family
  kAddress,  // those to one address
};

// "limit_100", "limit_100_family", "limit_100_v4": the chain that refuses a connection when there are as many.
std::string limit_chain(std::uint32_t connections, LimitScope scope, Family family);
// The number in the name of such a chain.
std::uint32_t connections_of(std::string_view limit_chain);
// The chain and its set, as they stand in the table.
std::string limit_text(std::string_view limit_chain);

}  // namespace fairlead::nat
