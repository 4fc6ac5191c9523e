// The command line for people: `fairlead network create shop`. It runs the core in its own process,
// so that it works without the daemon too. Everything outside of the core is injected.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "base/json/json.h"
#include "base/result.h"
#include "network/api/service.h"
#include "plugin-api/doctor/doctor.h"
#include "volume/api/groups.h"
#include "volume/api/service.h"

namespace fairlead::network {
class Explainer;
}

namespace fairlead::cli {

// The values of the global options; an empty path means the one in the configuration.
struct CliSettings {
  std::string config, state_dir, run_dir, volume_dir;
  bool no_hooks = false;  // nothing is run in containers around snapshots
};

struct CliServices {
  std::shared_ptr<network::NetworkService> networks;
  std::shared_ptr<volume::VolumeService> volumes;
  std::shared_ptr<volume::VolumePools> pools;
  std::shared_ptr<volume::VolumeArchives> archives;
  std::shared_ptr<volume::VolumeJobs> jobs;
  std::shared_ptr<volume::VolumeGroups> groups;
  // Asked before something of a network is removed: kInUse when what is in this network namespace
  // belongs to another store. Empty: nothing does.
  std::function<Status()> claim_networks = {};
  std::shared_ptr<volume::VolumeContent> content = {};
  std::shared_ptr<network::Explainer> explainer = {};
};

// Fairlead's CNI plugin as this program finds it, and where runtimes look for plugins.
struct CniPlugin {
  std::string program;                    // empty: it was not found
  std::string local = {};                 // fairlead-cni-local, where the plugin would not find it
  std::vector<std::string> folders = {};  // the first is made when there is none
};

// Fairlead's plugin of netavark as this program finds it, and where Podman looks (containers.conf(5)).
struct PodmanPlugin {
  std::string program;     // empty: it was not found
  std::string local = {};  // fairlead-netavark-local, where the plugin would not find it
  std::vector<std::string> plugin_folders = {}, helper_folders = {};  // Podman's own defaults
  std::string own_folder = {};                                        // of Fairlead's programs
  std::string config_folder = {};                                     // containers.conf.d
  std::string volume_socket = {};
};

struct CliContext {
  std::istream& in;
  std::ostream& out;    // results: names, tables, JSON
  std::ostream& err;    // errors and notes
  bool is_tty = false;  // `out` is a terminal
  bool in_is_tty = false, err_is_tty = false;
  int in_fd = -1, out_fd = -1;  // of `in` and `out`, for archives
  unsigned width = 0;           // columns of the terminal; 0: unlimited
  unsigned uid = 0;             // effective user
  long long now = 0;            // Unix seconds, for "3 hours ago"
  std::string version;
  // Whether Ctrl-C was pressed. The first call begins to listen for it. Empty: it never is.
  std::function<bool()> interrupted;
  // Seconds of a monotonic clock, for rates.
  std::function<double()> clock;
  // Opens the core; called at most once, and only by commands that need it.
  std::function<Result<CliServices>(const CliSettings&)> open;
  // Sends a request without a body to fairleadd's API. Returns the document of the response (null
  // when it has none) or the failure that it holds. kUnavailable when fairleadd is not running.
  std::function<Result<json::Json>(const CliSettings&, std::string_view method,
                                   std::string_view path)>
      ask_daemon;
  // Sends a GET whose answer has no end, and calls `on_line` with each line of it. Ends when the
  // daemon ends the answer (done), when `on_line` fails (with its error), or with the errors of
  // ask_daemon.
  std::function<Status(const CliSettings&, std::string_view path,
                       const std::function<Status(std::string_view line)>& on_line)>
      follow_daemon;
  // The networks through fairleadd, for what only it can do.
  std::function<Result<std::shared_ptr<network::NetworkService>>(const CliSettings&)>
      daemon_networks;
  // Looks at the host; needs neither the daemon nor a database that can be opened.
  std::function<std::unique_ptr<doctor::Doctor>(const CliSettings&)> doctor = {};
  // The link to the daemon's page, with its token. kUnavailable: there is no page.
  std::function<Result<std::string>(const CliSettings&)> page_link = {};
  CniPlugin cni = {};
  PodmanPlugin podman = {};
};

// Exit codes: done; failed and usage error (both explained on `err`); done, but something could not
// be kept, which is listed; stopped by Ctrl-C.
inline constexpr int kDone = 0, kFailed = 1, kUsage = 2, kIncomplete = 3, kInterrupted = 130;

// Runs one command. `args` are without the program's name. Sets the log level when asked to be
// verbose.
int run_cli(const std::vector<std::string>& args, const CliContext& context);

}  // namespace fairlead::cli
