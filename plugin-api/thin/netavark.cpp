// fairlead-netavark, the thin client for Podman 4.5 and newer: netavark's plugin for networks of the driver
// fairlead, and netavark's place. It passes one call to the daemon, or to fairlead-netavark-local where no
// daemon runs.
//
// Podman starts it for every container and holds a lock for all containers meanwhile, so its cost is that
// of its start: it uses no C library (see system_call.h) and no JSON. What it sends is described in
// plugin-api/netavark/netavark_handler.h. Only the protocol's JSON is written to stdout.
#include <fcntl.h>
#include <linux/stat.h>

#include "plugin-api/thin/daemon_call.h"
#include "plugin-api/thin/netavark_arguments.h"
#include "plugin-api/thin/netns.h"
#include "plugin-api/thin/process.h"
#include "plugin-api/thin/start.h"

#ifndef FAIRLEAD_LIBEXECDIR  // the folder into which the build installs it
#define FAIRLEAD_LIBEXECDIR "/usr/libexec/fairlead"
#endif

namespace client {

namespace {

constexpr long kDefaultTimeout = 55'000;  // milliseconds; Podman itself has none

constexpr Text kLocal = "fairlead-netavark-local";
// The folders where it may be installed, this build's own first.
constexpr Text kLocalFolders[] = {FAIRLEAD_LIBEXECDIR, "/usr/libexec/fairlead",
                                  "/usr/local/libexec/fairlead", "/usr/lib/fairlead"};
// Where Podman looks for netavark itself (helper_binaries_dir of containers.conf(5)).
constexpr Text kPodmanFolders[] = {"/usr/local/libexec/podman", "/usr/local/lib/podman",
                                   "/usr/libexec/podman", "/usr/lib/podman"};

constinit DaemonCall daemon;
constinit NetavarkArguments arguments;

[[noreturn]] void fail(Text before, Text object = {}, Text after = {}) {
  static constinit Builder<8192> message;
  message.add("{\"error\":\"");
  message.add_escaped(before);
  message.add_escaped(object);
  message.add_escaped(after);
  message.add("\"}\n");
  write_all(1, message.text());
  leave(1);
}

// ---- rootless Podman

// Whether user 0 is root here: in a rootless Podman's namespace it is somebody else.
bool is_root() {
  char map[64] = {};
  const long fd = call(SYS_openat, AT_FDCWD, "/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
  const long size = fd < 0 ? 0 : call(SYS_read, fd, map, static_cast<long>(sizeof map));
  if (fd >= 0) call(SYS_close, fd);
  // "         0          0 4294967295\n"
  return size <= 0 || find({map, static_cast<std::size_t>(size)}, " 0          0 ") != kNowhere ||
         find({map, static_cast<std::size_t>(size)}, " 0 0 ") != kNowhere;
}

bool is_this_program(Text folder) {
  Builder<256> path;
  path.add(folder);
  path.add("/netavark");
  struct statx own, other;
  return call(SYS_statx, AT_FDCWD, "/proc/self/exe", 0, STATX_INO, &own) == 0 &&
         call(SYS_statx, AT_FDCWD, path.c_str(), 0, STATX_INO, &other) == 0 &&
         own.stx_ino == other.stx_ino && own.stx_dev_minor == other.stx_dev_minor &&
         own.stx_dev_major == other.stx_dev_major;
}

[[noreturn]] void leave_to_netavark() {
  for (const Text folder : kPodmanFolders)
    if (!is_this_program(folder)) try_program(folder, "netavark");
  fail(
      "Podman runs rootless, and Fairlead's networks are root's: netavark itself, which serves "
      "rootless "
      "containers, was not found; install it, run Podman as root (sudo podman ...), or use podman "
      "run "
      "--network pasta");
}

[[noreturn]] void refuse_rootless() {
  fail(
      "Podman runs rootless, and Fairlead's networks are root's: run Podman as root (sudo podman "
      "...), or "
      "use a network of the driver bridge, or podman run --network pasta");
}

// ---- without the daemon

void read_document() {
  const Input outcome = read_input();
  if (outcome == Input::kFailed) fail("read the document from stdin: the read failed");
  if (outcome == Input::kTooLarge) fail("the document on stdin is larger than 2 MiB");
}

[[noreturn]] void run_local() {
  if (!rewind_input()) fail("keep the document for fairlead-netavark-local: no memory");
  try_program(variable("FAIRLEAD_LIBEXEC="), kLocal);
  try_program(own_folder(), kLocal);
  for (const Text folder : kLocalFolders) try_program(folder, kLocal);
  fail("fairleadd does not answer at ", daemon.socket_path(),
       ", and fairlead-netavark-local was not found to do without it; start fairleadd, or install "
       "fairlead-netavark-local in " FAIRLEAD_LIBEXECDIR);
}

[[noreturn]] void say(Text text) {
  write_all(1, text);
  leave(0);
}

void answer_about() {
  if (arguments.command == "--version") say("netavark " FAIRLEAD_NETAVARK_VERSION "\n");
  if (arguments.command == "info")
    say("{\"api_version\":\"1.0.0\",\"version\":\"" FAIRLEAD_VERSION "\"}\n");
}

// ---- with the daemon

constexpr Text kDaemons[] = {"create", "setup", "teardown", "update", "firewall-reload"};

bool is_daemons() {
  for (const Text command : kDaemons)
    if (arguments.command == command) return !arguments.others;
  return false;
}

// What became of the call, when it is not the daemon's answer. A call can be repeated: what one that
// stopped in the middle has done is found again.
[[noreturn]] void finish(Outcome outcome) {
  if (outcome == Outcome::kLate)
    fail("fairleadd did not answer ", arguments.command, " in time; see its log, and try again");
  if (outcome == Outcome::kNoSocket) fail("connect to fairleadd: no socket is left");
  if (outcome == Outcome::kNoStreams) fail("stdin, stdout or stderr is closed");
  if (outcome == Outcome::kDenied && !is_root()) refuse_rootless();
  if (outcome == Outcome::kDenied)
    fail("connect to fairleadd at ", daemon.socket_path(),
         ": refused; is this process root, or in the group fairlead?");
  run_local();
}

void expect(Outcome outcome) {
  if (outcome != Outcome::kOk) finish(outcome);
}

void expect(bool done, Text why) {
  if (!done) fail(why);
}

void open_file() {
  if (arguments.file.empty()) return;
  const long fd = call(SYS_openat, AT_FDCWD, arguments.file.data, O_RDONLY | O_CLOEXEC);
  expect(fd >= 0 && call(SYS_dup3, fd, 0, 0) == 0, "open the file of --file: it cannot be read");
}

Outcome begin() {
  const long timeout = number_of(variable("FAIRLEAD_NETAVARK_TIMEOUT_MS="), kDefaultTimeout);
  return daemon.begin("/v1/netavark", "x-netavark-exit:", timeout > 0 ? timeout : kDefaultTimeout);
}

void add_arguments() {
  expect(daemon.add("X-Netavark-Command: ", arguments.command));
  const bool updates = arguments.command == "update";
  expect(daemon.add(updates ? "X-Netavark-Network: " : "X-Netavark-Netns: ", arguments.subject));
  expect(daemon.add("X-Netavark-Dns-Servers: ", arguments.dns_servers));
  expect(daemon.add("X-Netavark-Networks: ", variable("FAIRLEAD_PODMAN_NETWORKS=")));
}

}  // namespace

[[noreturn]] void run() {
  NetavarkReader reader;
  for (std::size_t i = 1; !argument(i).empty(); ++i) reader.take(argument(i));
  arguments = reader.result();
  answer_about();
  if (arguments.rootless) leave_to_netavark();
  const Outcome begun = begin();
  if (!is_daemons()) run_local();
  if (call(SYS_geteuid) != 0) refuse_rootless();
  expect(begun);
  add_arguments();
  expect(daemon.connect());
  if (arguments.command == "setup")
    add_open_netns(
        daemon, arguments.subject,
        {"X-Netavark-Netns-Fd: ", "X-Netavark-Netns-Error: ", "X-Netavark-Same-Netns: "});
  open_file();
  if (!(arguments.command == "firewall-reload" || arguments.command == "update")) read_document();
  expect(daemon.send(input()));
  write_all(1, daemon.answer().body);
  leave(static_cast<int>(daemon.answer().exit_code));
}

}  // namespace client
