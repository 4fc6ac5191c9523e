// fairlead: the command line. Provides the terminal, the user and the core in this process.
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/host.h"
#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/doctor.h"
#include "plugin-api/bin/version.h"
#include "plugin-api/bin/volumes.h"
#include "plugin-api/cli/cli.h"
#include "plugin-api/cli/program_files.h"
#include "plugin-api/client/client.h"
#include "plugin-api/client/daemon_api.h"

#ifndef FAIRLEAD_CNI_DIR  // where the build installs the plugin
#define FAIRLEAD_CNI_DIR "/opt/cni/bin"
#endif
#ifndef FAIRLEAD_LIBEXEC_DIR  // and other programs that others start
#define FAIRLEAD_LIBEXEC_DIR "/usr/libexec/fairlead"
#endif

namespace fairlead {
namespace {

std::optional<std::string> said(const std::string& option) {
  return option.empty() ? std::nullopt : std::optional(option);
}

Result<Config> config_of(const cli::CliSettings& settings) {
  return load_config({.config = said(settings.config),
                      .run_dir = said(settings.run_dir),
                      .state_dir = said(settings.state_dir),
                      .volume_dir = said(settings.volume_dir)},
                     &std::getenv);
}

Result<Paths> paths_of(const cli::CliSettings& settings) {
  TRY(auto config, config_of(settings));
  config.paths.run_hooks = !settings.no_hooks;
  // whoever may run this is root
  config.paths.device_roots = {"/"};
  config.paths.backups_anywhere = true;
  return std::move(config.paths);
}

Result<std::shared_ptr<Core>> open_shared_core(const Paths& paths) {
  TRY(auto opened, open_core(paths, CoreMode::kOneShot, kMakeVolumes));
  return std::shared_ptr<Core>(opened.release(), [](Core* last) {
    last->finish();
    delete last;
  });
}

Result<cli::CliServices> open_services(const cli::CliSettings& settings) {
  TRY(const auto paths, paths_of(settings));
  TRY(const auto core, open_shared_core(paths));
  return cli::CliServices{{core, &core->networks()},        {core, &core->volumes()},
                          {core, &core->volume_pools()},    {core, &core->volume_archives()},
                          {core, &core->volume_jobs()},     {core, &core->volume_groups()},
                          [core] { return core->claim(); }, {core, &core->volume_content()},
                          {core, &core->explainer()}};
}

// Longer than any verb of the cluster waits for etcd.
client::ClientOptions options_of(const Paths& paths) {
  return {.timeout = std::chrono::seconds(60), .state_dir = paths.state_dir};
}

Result<json::Json> ask_daemon(const cli::CliSettings& settings, std::string_view method,
                              std::string_view path) {
  TRY(const auto paths, paths_of(settings));
  TRY(auto reply, client::DaemonApi(paths.api_socket(), options_of(paths)).call(method, path));
  return std::move(reply.document);
}

Status follow_daemon(const cli::CliSettings& settings, std::string_view path,
                     const std::function<Status(std::string_view line)>& on_line) {
  TRY(const auto paths, paths_of(settings));
  return client::DaemonApi(paths.api_socket(), options_of(paths)).follow(path, on_line);
}

Result<std::shared_ptr<network::NetworkService>> daemon_networks(const cli::CliSettings& settings) {
  TRY(const auto paths, paths_of(settings));
  return client::make_remote_network_service(paths.api_socket(), options_of(paths));
}

Result<std::string> page_link(const cli::CliSettings& settings) {
  TRY(const auto paths, paths_of(settings));
  std::ifstream file(paths.ui_link());
  std::string link;
  if (std::getline(file, link)) return link;
  if (errno == EACCES)
    return fail(Code::kIo, "only root and the group of the API socket may: run it with sudo");
  return fail(Code::kUnavailable,
              "fairleadd does not run, or has no page: start it with --ui 127.0.0.1:7780, or say "
              "\"ui\": \"127.0.0.1:7780\" in its configuration");
}

unsigned terminal_width() {
  winsize size{};
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
    if (ioctl(fd, TIOCGWINSZ, &size) == 0) return size.ws_col;
  return 0;
}

// Set by Ctrl-C, once a long verb listens for it. A second Ctrl-C ends the process as usual.
std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

bool interrupted() {
  static const bool listening = [] {
    struct sigaction action {};
    action.sa_handler = [](int) { stop_asked = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction before {};
      // What nohup(1) ignores stays ignored.
      if (sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
      sigaction(number, &action, nullptr);
    }
    return true;
  }();
  return listening && stop_asked;
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// In a build both programs are beside this one; installed, the plugin finds the other by itself.
cli::CniPlugin find_cni_plugin() {
  namespace fs = std::filesystem;
  std::error_code failed;
  cli::CniPlugin found{.program = "", .folders = {"/opt/cni/bin", "/usr/lib/cni"}};
  const fs::path beside = fs::read_symlink("/proc/self/exe", failed).parent_path();
  if (fs::exists(beside / "fairlead-cni", failed)) {
    found.program = beside / "fairlead-cni";
    found.local = beside / "fairlead-cni-local";
    return found;
  }
  for (const char* folder : {FAIRLEAD_CNI_DIR, "/opt/cni/bin", "/usr/lib/cni"}) {
    const std::string program = std::string(folder) + "/fairlead";
    if (found.program.empty() && fs::exists(program, failed)) found.program = program;
  }
  return found;
}

// The defaults are those of containers.conf(5).
cli::PodmanPlugin find_podman_plugin() {
  namespace fs = std::filesystem;
  std::error_code failed;
  cli::PodmanPlugin found{.program = "",
                          .plugin_folders = {"/usr/local/libexec/netavark", "/usr/libexec/netavark",
                                             "/usr/local/lib/netavark", "/usr/lib/netavark"},
                          .helper_folders = {"/usr/local/libexec/podman", "/usr/local/lib/podman",
                                             "/usr/libexec/podman", "/usr/lib/podman"},
                          .own_folder = "/usr/local/libexec/fairlead",
                          .config_folder = "/etc/containers/containers.conf.d",
                          .volume_socket = Paths().plugin_socket()};
  const fs::path beside = fs::read_symlink("/proc/self/exe", failed).parent_path();
  if (fs::exists(beside / "fairlead-netavark", failed)) {
    found.program = beside / "fairlead-netavark";
    found.local = beside / "fairlead-netavark-local";
  } else if (fs::exists(FAIRLEAD_LIBEXEC_DIR "/fairlead-netavark", failed)) {
    found.program = FAIRLEAD_LIBEXEC_DIR "/fairlead-netavark";
  }
  return found;
}

// A daemon that hangs is found out about soon.
constexpr std::chrono::seconds kDoctorPatience{3};

std::unique_ptr<doctor::Doctor> open_doctor(const cli::CliSettings& settings) {
  const auto cni = find_cni_plugin();
  const auto podman = find_podman_plugin();
  const auto ask = [settings](const std::string& path) -> Result<json::Json> {
    TRY(const auto paths, paths_of(settings));
    client::ClientOptions options = options_of(paths);
    options.timeout = kDoctorPatience;
    return client::DaemonApi(paths.api_socket(), options).get(path);
  };
  return make_doctor({.config = config_of(settings),
                      .core = [settings](const Config&) -> Result<std::shared_ptr<Core>> {
                        TRY(const auto paths, paths_of(settings));
                        return open_shared_core(paths);
                      },
                      .ask_daemon = ask,
                      .cni = {.program = cni.program, .local = cni.local, .folders = kCniFolders},
                      .podman = {.program = podman.program, .folders = kNetavarkFolders},
                      .install = cli::install_program});
}

int run(const std::vector<std::string>& args) {
  ::umask(022);                   // no folder is open to more than it says, whoever started us
  std::signal(SIGPIPE, SIG_IGN);  // writing to a closed pipe fails and is reported as a failure
  const cli::CliContext context{.in = std::cin,
                                .out = std::cout,
                                .err = std::cerr,
                                .is_tty = isatty(STDOUT_FILENO) == 1,
                                .in_is_tty = isatty(STDIN_FILENO) == 1,
                                .err_is_tty = isatty(STDERR_FILENO) == 1,
                                .in_fd = STDIN_FILENO,
                                .out_fd = STDOUT_FILENO,
                                .width = terminal_width(),
                                .uid = geteuid(),
                                .now = unix_time(),
                                .version = std::string(kVersion),
                                .interrupted = interrupted,
                                .clock = steady_seconds,
                                .open = open_services,
                                .ask_daemon = ask_daemon,
                                .follow_daemon = follow_daemon,
                                .daemon_networks = daemon_networks,
                                .doctor = open_doctor,
                                .page_link = page_link,
                                .cni = find_cni_plugin(),
                                .podman = find_podman_plugin()};
  return cli::run_cli(args, context);
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) { return fairlead::run({argv + 1, argv + argc}); }
