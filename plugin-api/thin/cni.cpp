// fairlead-cni, the thin client for CNI: passes one call to the daemon, or to fairlead-cni-local
// where no daemon runs.
//
// Runtimes start this program once per call, so its cost is that of its start: it uses no C library
// (see system_call.h) and no JSON. What it sends is described in plugin-api/cni/cni_handler.h. It
// connects first and reads stdin afterwards, so that fairlead-cni-local finds stdin unread. Only
// the protocol's JSON is written to stdout.
#include "plugin-api/thin/cni_text.h"
#include "plugin-api/thin/daemon_call.h"
#include "plugin-api/thin/netns.h"
#include "plugin-api/thin/process.h"
#include "plugin-api/thin/start.h"

#ifndef FAIRLEAD_LIBEXECDIR  // the folder into which the build installs it
#define FAIRLEAD_LIBEXECDIR "/usr/libexec/fairlead"
#endif

namespace client {

namespace {

constexpr long kDefaultTimeout = 55'000;  // milliseconds; runtimes give up after 60 s and more

constexpr int kIo = 5, kDecoding = 6, kTryAgain = 11;  // CNI error codes

constexpr Text kLocal = "fairlead-cni-local";
// The folders where it may be installed, this build's own first.
constexpr Text kLocalFolders[] = {FAIRLEAD_LIBEXECDIR, "/usr/libexec/fairlead",
                                  "/usr/local/libexec/fairlead", "/usr/lib/fairlead"};

constexpr Text kVersions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

struct Variable {
  Text name;    // ends with "="
  Text header;  // ends with ": "
};
constexpr Variable kVariables[] = {
    {"CNI_COMMAND=", "X-CNI-COMMAND: "},
    {"CNI_CONTAINERID=", "X-CNI-CONTAINERID: "},
    {"CNI_NETNS=", "X-CNI-NETNS: "},
    {"CNI_IFNAME=", "X-CNI-IFNAME: "},
    {"CNI_ARGS=", "X-CNI-ARGS: "},
    {"CNI_PATH=", "X-CNI-PATH: "},
    {"CNI_NETNS_OVERRIDE=", "X-CNI-NETNS-OVERRIDE: "},
};

constinit DaemonCall daemon;
constinit Text command;  // CNI_COMMAND

[[noreturn]] void fail(int code, Text before, Text object = {}, Text after = {}) {
  static constinit Builder<8192> message;
  message.add("{\"cniVersion\":\"");
  const Text version = version_of(input());
  message.add(version.empty() ? kVersions[6] : version);
  message.add("\",\"code\":");
  message.add_number(static_cast<unsigned long>(code));
  message.add(",\"msg\":\"");
  message.add_escaped(before);
  message.add_escaped(object);
  message.add_escaped(after);
  message.add("\"}\n");
  write_all(1, message.text());
  leave(1);
}

void read_config() {
  const Input outcome = read_input();
  if (outcome == Input::kFailed) fail(kIo, "read the configuration from stdin: the read failed");
  if (outcome == Input::kTooLarge)
    fail(kDecoding, "the configuration on stdin is larger than 2 MiB");
}

[[noreturn]] void run_local() {
  if (!rewind_input()) fail(kIo, "keep the configuration for fairlead-cni-local: no memory");
  try_program(variable("FAIRLEAD_LIBEXEC="), kLocal);
  try_program(own_folder(), kLocal);
  for (const Text folder : kLocalFolders) try_program(folder, kLocal);
  read_config();
  fail(kTryAgain, "fairleadd does not answer at ", daemon.socket_path(),
       ", and fairlead-cni-local was not found to do without it; start fairleadd, or install "
       "fairlead-cni-local in " FAIRLEAD_LIBEXECDIR);
}

// ---- what is answered without the daemon

void add_versions(Builder<512>& out, Text quote, Text separator) {
  bool first = true;
  for (const Text version : kVersions) {
    if (!first) out.add(separator);
    first = false;
    out.add(quote);
    out.add(version);
    out.add(quote);
  }
}

[[noreturn]] void say_what_this_is() {
  Builder<512> out;
  out.add("CNI fairlead plugin " FAIRLEAD_VERSION "\nCNI protocol versions supported: ");
  add_versions(out, "", ", ");
  out.add("\n");
  write_all(2, out.text());
  leave(0);
}

// VERSION is about the program and needs no daemon; an unusual request is left to
// fairlead-cni-local, which has a JSON reader.
void answer_version() {
  read_config();
  const Text version = only_version(input());
  if (version.empty()) return;
  Builder<512> out;
  out.add("{\"cniVersion\":\"");
  out.add(version);
  out.add("\",\"supportedVersions\":[");
  add_versions(out, "\"", ",");
  out.add("]}\n");
  write_all(1, out.text());
  leave(0);
}

// ---- with the daemon

void add_netns() {
  if (!(command == "ADD" || command == "CHECK")) return;
  add_open_netns(daemon, variable("CNI_NETNS="),
                 {"X-CNI-NETNS-FD: ", "X-CNI-NETNS-ERROR: ", "X-CNI-SAME-NETNS: "});
}

// What became of the call, when it is not the daemon's answer.
[[noreturn]] void finish(Outcome outcome) {
  if (outcome == Outcome::kLate)
    fail(kTryAgain, "fairleadd did not answer ", command, " in time; see its log, and try again");
  if (outcome == Outcome::kNoSocket) fail(kTryAgain, "connect to fairleadd: no socket is left");
  if (outcome == Outcome::kNoStreams) fail(kIo, "stdin, stdout or stderr is closed");
  if (outcome == Outcome::kDenied)
    fail(kTryAgain, "connect to fairleadd at ", daemon.socket_path(),
         ": refused; is this process root, or in the group fairlead?");
  // An ADD may be half done and is undone by the runtime's DEL. All other verbs can simply be
  // repeated.
  if (outcome == Outcome::kBroken && command == "ADD")
    fail(kTryAgain, "fairleadd stopped before it had answered ADD; call DEL, and try again");
  run_local();
}

void expect(Outcome outcome) {
  if (outcome != Outcome::kOk) finish(outcome);
}

Outcome begin() {
  const long timeout = number_of(variable("FAIRLEAD_CNI_TIMEOUT_MS="), kDefaultTimeout);
  return daemon.begin("/v1/cni", "x-cni-exit:", timeout > 0 ? timeout : kDefaultTimeout);
}

}  // namespace

[[noreturn]] void run() {
  const Outcome begun = begin();
  command = variable("CNI_COMMAND=");
  if (command.empty()) say_what_this_is();
  if (command == "VERSION") answer_version();
  expect(begun);
  for (const Variable& entry : kVariables) expect(daemon.add(entry.header, variable(entry.name)));
  expect(daemon.connect());
  add_netns();
  read_config();
  expect(daemon.send(input()));
  write_all(1, daemon.answer().body);
  leave(static_cast<int>(daemon.answer().exit_code));
}

}  // namespace client
