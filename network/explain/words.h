// Decisions of rules in words.
#pragma once

#include "network/api/explain.h"
#include "network/explain/evaluate.h"

namespace fairlead::explain {

// Of a rule of Fairlead's tables what it is there for; of others' what it says.
network::ExplainStep step_of(const Decision& decision);
// Whether the step tells anything: not what every packet passes.
bool is_worth_telling(const Decision& decision);

}  // namespace fairlead::explain
