// Runs a verb that may take long: shows a progress bar meanwhile, stops the verb at Ctrl-C, and
// tells after a failure how to resume.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plugin-api/cli/progress_bar.h"
#include "plugin-api/cli/session.h"

namespace fairlead::cli {

class LongVerb {
 public:
  // `action` is text for people, "export volume data"; `volume` is used to find the job that was
  // stopped.
  LongVerb(Session& session, std::string action, std::string volume);

  // The Progress to pass to the verb; valid as long as this object.
  volume::Progress progress();
  // Returns kDone, kFailed (also when another shell stopped the job), or kInterrupted after Ctrl-C. Removes the bar before it prints the
  // reason.
  int finish(const Status& status);
  // The same of a verb that may have left something out: prints what that was, and returns
  // kIncomplete.
  int conclude(const Result<volume::LeftOut>& done);
  // Removes the bar. To be called before anything is printed.
  void clear_bar();

 private:
  bool go_on(std::uint64_t done, std::uint64_t total);
  std::optional<std::string> stopped_job();

  Session& session_;
  const std::string action_, volume_;
  std::optional<ProgressBar> bar_;
  bool stopped_ = false;
};

}  // namespace fairlead::cli
