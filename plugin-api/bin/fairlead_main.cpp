// fairlead: the command line. Gives it the terminal, the user and the core in this process.
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "base/host.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/version.h"
#include "plugin-api/cli/cli.h"

namespace fairlead {
namespace {

Paths paths_of(const cli::CliSettings& settings) {
  Paths paths = paths_from_environment();
  if (!settings.run_dir.empty()) paths.run_dir = settings.run_dir;
  if (!settings.state_dir.empty()) paths.state_dir = settings.state_dir;
  if (!settings.volume_dir.empty()) paths.volume_dir = settings.volume_dir;
  return paths;
}

Result<cli::CliServices> open_services(const cli::CliSettings& settings) {
  TRY(auto opened, open_core(paths_of(settings), CoreMode::kOneShot));
  const std::shared_ptr<Core> core(opened.release(), [](Core* last) {
    last->finish();
    delete last;
  });
  return cli::CliServices{{core, &core->networks()}, {core, &core->volumes()}};
}

unsigned terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int run(const std::vector<std::string>& args) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failed write, told as such
  const cli::CliContext context{.in = std::cin,
                                .out = std::cout,
                                .err = std::cerr,
                                .is_tty = isatty(STDOUT_FILENO) == 1,
                                .width = terminal_width(),
                                .uid = geteuid(),
                                .now = unix_time(),
                                .version = std::string(kVersion),
                                .open = open_services};
  return cli::run_cli(args, context);
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) { return fairlead::run({argv + 1, argv + argc}); }
