// What published ports need of the host's other interfaces: by which way an answer leaves, and which
// broadcasts are questions to them. Pure functions.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "network/kernel/links/answer_routes.h"
#include "network/service/records.h"

namespace fairlead::network {

struct SurroundingsPlan {
  SurroundingsRecord record;
  std::vector<kernel::AnswerRoute> answers;
  // Addresses for whose way there was no mark left.
  std::vector<std::string> without_mark;
};

// `ours` are the interfaces of networks, which are no way out. Ways that are in `before` keep their
// marks, which flows have.
//
// An address has a way of its own where a rule sends what leaves under it to another table
// (`ip rule add from ADDRESS lookup TABLE`), where its interface has a default route that is not the
// first of the main table, or where some rule takes the way of the main table away (a VPN for
// everything). Its answers leave as those of the host's own services do, or where the host has no
// rule, through the interface by which the question came.
SurroundingsPlan plan_surroundings(const kernel::RoutingView& view,
                                   const std::set<std::string>& ours,
                                   const SurroundingsRecord& before,
                                   std::uint32_t mask = kernel::kAnswerMask);

}  // namespace fairlead::network
