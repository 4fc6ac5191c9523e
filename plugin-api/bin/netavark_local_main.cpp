// fairlead-netavark-local: runs one call of netavark with the core in this process, for hosts where no
// daemon runs, and for plugins of other drivers. The thin client starts it; it can also be installed as
// the plugin, or as netavark, itself.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "base/piped_process.h"
#include "network/kernel/links/altname.h"
#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/local_call.h"
#include "plugin-api/bin/netavark_host.h"

namespace fairlead {

namespace {

std::vector<std::string> own_environment() {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  return variables;
}

Result<PipedOutcome> run_plugin(const std::vector<std::string>& argv, const std::string& input) {
  return run_piped({.argv = argv, .environment = own_environment(), .input = input});
}

Result<std::string> read_input(const std::string& path) {
  if (path.empty()) return read_document(STDIN_FILENO);
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return fail_errno(errno, "open " + path);
  return read_document(file.get());
}

bool needs_document(const std::string& command) {
  return command == "create" || command == "setup" || command == "teardown";
}

// In a rootless Podman's namespace user 0 is not the host's.
bool is_hosts_root() {
  std::ifstream map("/proc/self/uid_map");
  unsigned long inside = 0, outside = 0;
  return !(map >> inside >> outside) || outside == 0;
}

Error explained(Error error) {
  if (is_hosts_root()) return error;
  error.text +=
      "; Podman runs rootless, and Fairlead's networks are root's: run Podman as root (sudo "
      "podman ...), or use podman run --network pasta";
  return error;
}

Result<netavark::Call> read_call(const std::vector<std::string>& arguments) {
  netavark::Call call{.netns = local_netns(),
                      .bring_up_loopback = bring_up_loopback,
                      .name_link = kernel::add_altname,
                      .run_plugin = run_plugin};
  TRY(call.environment, netavark::read_arguments(arguments));
  if (const char* folder = std::getenv("FAIRLEAD_PODMAN_NETWORKS"))
    call.environment.network_folder = folder;
  if (needs_document(call.environment.command)) {
    TRY(call.input, read_input(call.environment.file));
  }
  return call;
}

netavark::Outcome run_call(const std::vector<std::string>& arguments) {
  const auto call = read_call(arguments);
  if (!call) return netavark::failed(call.error());
  const netavark::Prepared prepared = netavark::prepare(*call);
  if (!prepared.request) return prepared.outcome;
  const auto config = load_config({}, &std::getenv);
  if (!config) return netavark::failed(config.error());
  auto core = open_core(config->paths, CoreMode::kOneShot);
  if (!core) return netavark::failed(explained(core.error()));
  if (prepared.request->invocation.command == netavark::Command::kTeardown)
    if (const Status may = may_remove(**core, prepared.request->connections.container.id); !may)
      return netavark::failed(may.error());
  return netavark::perform(*prepared.request, *call, netavark_services(**core));
}

}  // namespace

}  // namespace fairlead

// Ends with _exit, because the result is written and the kernel closes everything without
// destructors.
int main(int argc, char** argv) {
  ::umask(022);  // no folder is open to more than it says, whoever started us
  const auto outcome = fairlead::run_call({argv + 1, argv + argc});
  const bool written = fairlead::write_all(STDOUT_FILENO, outcome.out);
  ::_exit(written ? outcome.exit_code : 1);
}
