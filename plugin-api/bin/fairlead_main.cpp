// fairlead: the command line. Provides the terminal, the user and the core in this process.
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "base/host.h"
#include "base/http_client/http_client.h"
#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/instance.h"
#include "plugin-api/bin/version.h"
#include "plugin-api/bin/volumes.h"
#include "plugin-api/cli/cli.h"

namespace fairlead {
namespace {

std::optional<std::string> said(const std::string& option) {
  return option.empty() ? std::nullopt : std::optional(option);
}

Result<Paths> paths_of(const cli::CliSettings& settings) {
  TRY(auto config, load_config({.config = said(settings.config),
                                .run_dir = said(settings.run_dir),
                                .state_dir = said(settings.state_dir),
                                .volume_dir = said(settings.volume_dir)},
                               &std::getenv));
  return std::move(config.paths);
}

Result<cli::CliServices> open_services(const cli::CliSettings& settings) {
  TRY(const auto paths, paths_of(settings));
  TRY(auto opened, open_core(paths, CoreMode::kOneShot, make_volumes));
  const std::shared_ptr<Core> core(opened.release(), [](Core* last) {
    last->finish();
    delete last;
  });
  return cli::CliServices{{core, &core->networks()},     {core, &core->volumes()},
                          {core, &core->volume_pools()}, {core, &core->volume_archives()},
                          {core, &core->volume_jobs()},  [core] { return core->claim(); }};
}

// The error in a problem document (RFC 9457).
Error error_of(const http_client::Response& response) {
  Error error{Code::kInternal, 0, fmt::format("fairleadd answered {}", response.status)};
  const auto document = json::parse(response.body);
  if (!document) return error;
  const auto object = json::Object::of(*document);
  if (!object) return error;
  error.text = object->string_or("detail", error.text).value_or(error.text);
  const std::string code = object->string_or("code", "").value_or("");
  for (const Code known :
       {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kConflict, Code::kInUse,
        Code::kExhausted, Code::kUnsupported, Code::kUnavailable, Code::kIo})
    if (to_string(known) == code) error.code = known;
  return error;
}

// Longer than any verb of the cluster waits for etcd.
constexpr std::chrono::seconds kMostWait{60};

Result<json::Json> ask_daemon(const cli::CliSettings& settings, std::string_view method,
                              std::string_view path, const std::string& body) {
  TRY(const auto paths, paths_of(settings));
  const http_client::Request request{.path = std::string(path),
                                     .headers = {{kStateDirHeader, paths.state_dir}},
                                     .body = body,
                                     .method = std::string(method)};
  const auto response =
      http_client::Client(http_client::unix_server(paths.api_socket())).call(request, kMostWait);
  if (!response && response.error().code == Code::kUnavailable)
    return fail(Code::kUnavailable,
                "only fairleadd speaks to other hosts, and it does not run ({}); start it",
                response.error().text);
  if (!response) return fail(response.error());
  if (response->status >= 300) return fail(error_of(*response));
  if (response->body.empty()) return json::Json();
  return json::parse(response->body);
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
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
    return true;
  }();
  return listening && stop_asked;
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int run(const std::vector<std::string>& args) {
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
                                .ask_daemon = ask_daemon};
  return cli::run_cli(args, context);
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) { return fairlead::run({argv + 1, argv + argc}); }
