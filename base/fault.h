// Fault points: named places where a crash test kills the process, to prove that the next call
// repairs what was left. They cost one load of a global when FAIRLEAD_FAULT is not set.
#pragma once

#include <string_view>
#include <vector>

namespace fairlead {

// Kills this process with SIGKILL when the environment says FAIRLEAD_FAULT=<name> (or <name>:<n>,
// the n-th passage, counted from 1). FAIRLEAD_FAULT=list:<file> appends every name passed to <file>
// instead, so that a test can enumerate the points of a verb. Names read area.verb.step:
// "attach.intent-committed".
void fault_point(std::string_view name);

}  // namespace fairlead
