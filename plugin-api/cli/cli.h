// The command line for people: `fairlead network create shop`. It runs the core in its own process,
// so that it works without the daemon too; everything it touches outside the core is injected.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "base/json/json.h"
#include "base/result.h"
#include "network/api/service.h"
#include "volume/api/service.h"

namespace fairlead::cli {

// What the global options say; an empty path means what the configuration says.
struct CliSettings {
  std::string config, state_dir, run_dir, volume_dir;
};

struct CliServices {
  std::shared_ptr<network::NetworkService> networks;
  std::shared_ptr<volume::VolumeService> volumes;
  std::shared_ptr<volume::VolumePools> pools;
  std::shared_ptr<volume::VolumeArchives> archives;
  std::shared_ptr<volume::VolumeJobs> jobs;
};

struct CliContext {
  std::istream& in;
  std::ostream& out;    // answers: names, tables, JSON
  std::ostream& err;    // complaints
  bool is_tty = false;  // `out` is a terminal
  bool in_is_tty = false, err_is_tty = false;
  int in_fd = -1, out_fd = -1;  // of the same streams, for archives
  unsigned width = 0;           // columns of the terminal; 0: unlimited
  unsigned uid = 0;             // effective user
  long long now = 0;            // Unix seconds, for "3 hours ago"
  std::string version;
  // Has Ctrl-C been pressed? The first call begins to listen for it. Empty: it never is.
  std::function<bool()> interrupted;
  // Seconds of a clock that is never set back, for rates.
  std::function<double()> clock;
  // Opens the core; called at most once, and only by commands that need it.
  std::function<Result<CliServices>(const CliSettings&)> open;
  // Asks fairleadd by its API: the document it answers with (null without one), or the failure that
  // it tells. kUnavailable when it does not run.
  std::function<Result<json::Json>(const CliSettings&, std::string_view method,
                                   std::string_view path, const std::string& body)>
      ask_daemon;
};

// Exit codes: done, failed (told on `err`), not understood (told on `err`), stopped by Ctrl-C.
inline constexpr int kDone = 0, kFailed = 1, kUsage = 2, kInterrupted = 130;

// Runs one command. `args` without the program's name. Sets the log level once when asked to be
// verbose.
int run_cli(const std::vector<std::string>& args, const CliContext& context);

}  // namespace fairlead::cli
