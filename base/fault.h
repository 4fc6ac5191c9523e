// Fault points: named places where a crash test kills the process, to prove that the next call
// repairs what the killed one left behind. They cost one load of a global when FAIRLEAD_FAULT is
// not set.
#pragma once

#include <string_view>
#include <vector>

namespace fairlead {

// Kills this process with SIGKILL when the environment says FAIRLEAD_FAULT=<name> (or <name>:<n>:
// at the n-th passage, counted from 1). With FAIRLEAD_FAULT=list:<file> it appends every name that
// is passed to <file> instead, so that a test can enumerate the points of a verb. Names read
// area.verb.step: "attach.intent-committed".
void fault_point(std::string_view name);

}  // namespace fairlead
