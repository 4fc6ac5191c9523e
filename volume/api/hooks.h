// ContainerHooks: commands that containers want to have run in them before and after a snapshot of
// the volumes that they use, so that what is on the disk then is more than a crash would leave.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "volume/api/types.h"

namespace fairlead::volume {

struct HookedMoment {
  std::vector<Volume> volumes;
  std::string verb;      // "snapshot", "backup", "export", "schedule"
  std::string snapshot;  // its name
};

// Thread-safe.
class ContainerHooks {
 public:
  // The hooks around one moment. One thread. Destroyed without after() it runs nothing.
  class Run {
   public:
    virtual ~Run() = default;
    // Runs all commands that come before, side by side, and returns when all have ended or were
    // ended at their deadline. kConflict, with what the command said, when one failed that must
    // not. kUnavailable when `progress` stopped it, which is asked about ten times a second.
    virtual Status before(const Progress& progress) = 0;
    // Runs all commands that come after, whatever before() answered. What fails is logged.
    enum class Outcome { kTaken, kFailed };
    virtual void after(Outcome outcome) = 0;
  };

  virtual ~ContainerHooks() = default;
  // Asks the runtimes of this host. nullptr: no container has a hook. Fails when a runtime that
  // runs does not answer, because nobody knows then what it would have wanted.
  virtual Result<std::unique_ptr<Run>> find(const HookedMoment& moment) = 0;
};

}  // namespace fairlead::volume
