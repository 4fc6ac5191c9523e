// A verb that may take long: a bar while it runs, Ctrl-C stops it, and the failure says how to go
// on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plugin-api/cli/progress_bar.h"
#include "plugin-api/cli/session.h"

namespace fairlead::cli {

class LongVerb {
 public:
  // `action` as people read it, "export volume data"; `volume` finds the job that was stopped.
  LongVerb(Session& session, std::string action, std::string volume);

  // To be given to the verb; lives as long as this object.
  volume::Progress progress();
  // kDone, kFailed, or kInterrupted after Ctrl-C; takes the bar away before it says why.
  int finish(const Status& status);
  // Before anything is printed.
  void clear_bar();

 private:
  bool go_on(std::uint64_t done, std::uint64_t total);
  std::string how_to_resume();

  Session& session_;
  const std::string action_, volume_;
  std::optional<ProgressBar> bar_;
  bool stopped_ = false;
};

}  // namespace fairlead::cli
