// fairlead-cni, the thin client: passes one CNI call to the daemon, or to fairlead-cni-local where
// no daemon runs.
//
// Runtimes start this program once per call, so its cost is that of its start: it uses no C library
// (see cni_client.h), no JSON, and no memory but its own static buffers, of which only the touched
// pages exist. What it sends is described in plugin-api/cni/cni_handler.h. It connects first and
// reads stdin afterwards, so that fairlead-cni-local finds stdin unread. Only the protocol's JSON
// is written to stdout.
#include "plugin-api/bin/cni_client.h"

#include <fcntl.h>
#include <linux/errno.h>
#include <linux/stat.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "plugin-api/bin/cni_client_text.h"

#ifndef FAIRLEAD_LIBEXECDIR  // the folder into which the build installs it
#define FAIRLEAD_LIBEXECDIR "/usr/libexec/fairlead"
#endif

namespace client {

namespace {

constexpr std::size_t kMostInput = 2 << 20;    // the server's limit of a body
constexpr std::size_t kMostHeader = 15 << 10;  // a little less than the server's limit of a header
constexpr std::size_t kMostAnswer = 1 << 20;
constexpr long kDefaultTimeout = 55'000;  // milliseconds; runtimes give up after 60 s and more

constexpr int kIo = 5, kDecoding = 6, kTryAgain = 11;  // CNI error codes

// The folders where fairlead-cni-local may be installed, this build's own first.
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
    // What the daemon needs to know whether the call is meant for it (plugin-api/bin/instance.h).
    {"FAIRLEAD_CONFIG=", "X-Fairlead-Config: "},
    {"FAIRLEAD_STATE_DIR=", "X-Fairlead-State-Dir: "},
};

// The state of this one call. constinit, because no start-up code would run constructors.
constinit char** environment = nullptr;
constinit char* const* arguments = nullptr;
constinit Text command;       // CNI_COMMAND
constinit long deadline = 0;  // milliseconds of CLOCK_MONOTONIC

constinit char input[kMostInput + 1] = {};
constinit std::size_t input_size = 0;
constinit bool input_read = false;
constinit bool has_own_config = false;
constinit char answer[kMostAnswer] = {};

constinit Builder<kMostHeader> head;
constinit Builder<sizeof(sockaddr_un::sun_path)> socket_path;

Text variable(Text name_and_equals) {
  for (char** entry = environment; *entry != nullptr; ++entry)
    if (const Text text(*entry); text.starts_with(name_and_equals))
      return text.from(name_and_equals.size);
  return {};
}

// ---- stdin, stdout, errors

void write_all(int fd, Text text) {
  while (!text.empty()) {
    const long written = call(SYS_write, fd, text.data, static_cast<long>(text.size));
    if (written == -EINTR) continue;
    if (written <= 0) leave(1);
    text = text.from(static_cast<std::size_t>(written));
  }
}

[[noreturn]] void fail(int code, Text before, Text object, Text after) {
  static constinit Builder<8192> message;
  message.add("{\"cniVersion\":\"");
  const Text version = version_of({input, input_size});
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

void read_input() {
  if (input_read) return;
  input_read = true;
  while (input_size < sizeof input) {
    const long got =
        call(SYS_read, 0, input + input_size, static_cast<long>(sizeof input - input_size));
    if (got == -EINTR) continue;
    if (got < 0) fail(kIo, "read the configuration from stdin: the read failed", "", "");
    if (got == 0) return;
    input_size += static_cast<std::size_t>(got);
  }
  input_size = 0;
  fail(kDecoding, "the configuration on stdin is larger than 2 MiB", "", "");
}

// ---- fairlead-cni-local

// Makes stdin readable again from its beginning.
void rewind_input() {
  const long fd = call(SYS_memfd_create, "cni", 0);
  std::size_t done = 0;
  while (fd >= 0 && done < input_size) {
    const long written = call(SYS_write, fd, input + done, static_cast<long>(input_size - done));
    if (written <= 0) break;
    done += static_cast<std::size_t>(written);
  }
  if (fd < 0 || done < input_size)
    fail(kIo, "keep the configuration for fairlead-cni-local: no memory", "", "");
  call(SYS_lseek, fd, 0, SEEK_SET);
  call(SYS_dup3, fd, 0, 0);
  call(SYS_close, fd);
}

void try_local(Text folder) {
  Builder<4096 + 32> path;
  path.add(folder);
  path.add("/fairlead-cni-local");
  if (!folder.empty() && path.fits()) call(SYS_execve, path.c_str(), arguments, environment);
}

// The folder of this executable, with links resolved.
Text own_folder() {
  static constinit char path[4096] = {};
  const long size =
      call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", path, static_cast<long>(sizeof path));
  std::size_t end = size > 0 ? static_cast<std::size_t>(size) : 0;
  while (end > 0 && path[end - 1] != '/') --end;
  return {path, end > 1 ? end - 1 : end};
}

[[noreturn]] void run_local() {
  if (input_read) rewind_input();
  try_local(variable("FAIRLEAD_LIBEXEC="));
  try_local(own_folder());
  for (const Text folder : kLocalFolders) try_local(folder);
  read_input();
  fail(kTryAgain, "fairleadd does not answer at ", socket_path.text(),
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
  read_input();
  const Text version = only_version({input, input_size});
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

// ---- the daemon

long now() {
  timespec time{};
  call(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

[[noreturn]] void fail_late() {
  fail(kTryAgain, "fairleadd did not answer ", command, " in time; see its log, and try again");
}

// Waits until the socket is ready, at most until the deadline.
void wait_for(int fd, short events) {
  for (;;) {
    const long left = deadline - now();
    if (left <= 0) fail_late();
    pollfd poll{fd, events, 0};
    const timespec timeout{left / 1000, left % 1000 * 1'000'000};
    if (call(SYS_ppoll, &poll, 1, &timeout, static_cast<const void*>(nullptr), 0) > 0) return;
  }
}

void add_environment() {
  head.add(
      "POST /v1/cni HTTP/1.1\r\nHost: fairlead\r\nConnection: close\r\nContent-Type: "
      "application/json\r\n");
  for (const Variable& entry : kVariables) {
    const Text value = variable(entry.name);
    if (value.empty()) continue;
    if (!can_be_header(value)) run_local();
    head.add(entry.header);
    head.add(value);
    head.add("\r\n");
  }
}

void add_number_header(Text name, long number) {
  head.add(name);
  head.add_number(static_cast<unsigned long>(number));
  head.add("\r\n");
}

// Opens the container's namespace here, because only this process sees the runtime's mounts. It
// stays open until the daemon has answered. O_NONBLOCK, because the path may be anything, a FIFO
// too.
void add_netns() {
  const Text path = variable("CNI_NETNS=");
  if (path.empty() || !(command == "ADD" || command == "CHECK")) return;
  const long fd = call(SYS_openat, AT_FDCWD, path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return add_number_header("X-CNI-NETNS-ERROR: ", -fd);
  add_number_header("X-CNI-NETNS-FD: ", fd);
  struct statx container, own;
  const bool known = call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &container) == 0 &&
                     call(SYS_statx, AT_FDCWD, "/proc/self/ns/net", 0, STATX_INO, &own) == 0;
  if (known && container.stx_ino == own.stx_ino && container.stx_dev_minor == own.stx_dev_minor &&
      container.stx_dev_major == own.stx_dev_major)
    add_number_header("X-CNI-SAME-NETNS: ", 1);
}

// Connects to the daemon. Where none is running the call is run by fairlead-cni-local, and this
// does not return.
int connect_or_run_local() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const Text path = socket_path.text();
  if (!socket_path.fits() || path.size >= sizeof address.sun_path) run_local();
  for (std::size_t i = 0; i < path.size; ++i) address.sun_path[i] = path.data[i];
  const long fd = call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(kTryAgain, "connect to fairleadd: no socket is left", "", "");
  if (fd <= 2) fail(kIo, "stdin, stdout or stderr is closed", "", "");
  const long left = deadline - now();
  const timeval timeout{left / 1000, left % 1000 * 1000};
  call(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  const long result = call(SYS_connect, fd, &address, sizeof address);
  if (result == -ENOENT || result == -ENOTDIR || result == -ECONNREFUSED) {
    call(SYS_close, fd);
    run_local();
  }
  if (result == -EAGAIN) fail_late();
  if (result != 0)
    fail(kTryAgain, "connect to fairleadd at ", path,
         ": refused; is this process root, or in the group fairlead?");
  return static_cast<int>(fd);
}

// Sends the request in one piece. When the daemon answers early (the body is too large), sending
// may stop half way; the response is read then.
void send_request(int fd) {
  iovec parts[2] = {{const_cast<char*>(head.text().data), head.text().size}, {input, input_size}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  while (parts[0].iov_len + parts[1].iov_len != 0) {
    const long sent = call(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
    if (sent == -EINTR) continue;
    if (sent == -EAGAIN) fail_late();
    if (sent <= 0) return;
    auto left = static_cast<std::size_t>(sent);
    for (iovec& part : parts) {
      const std::size_t taken = left < part.iov_len ? left : part.iov_len;
      part.iov_base = static_cast<char*>(part.iov_base) + taken;
      part.iov_len -= taken;
      left -= taken;
    }
  }
}

// ---- the response

// Reads until the response is complete or the daemon has closed the connection.
Answer receive(int fd) {
  std::size_t size = 0;
  while (size < sizeof answer) {
    wait_for(fd, POLLIN);
    const long got = call(SYS_read, fd, answer + size, static_cast<long>(sizeof answer - size));
    if (got == -EINTR) continue;
    if (got <= 0) return {};
    size += static_cast<std::size_t>(got);
    if (const Answer parsed = parse_answer({answer, size}); parsed.complete) return parsed;
  }
  return {};
}

// Whether the response is from a server that has not begun with the call: an older daemon, one over
// a limit, or that of another instance (421).
bool was_turned_away(const Answer& parsed) {
  const long status = parsed.status;
  return parsed.complete && parsed.exit_code < 0 &&
         (status == 404 || status == 405 || status == 413 || status == 421 || status == 431 ||
          status == 503);
}

[[noreturn]] void finish(const Answer& parsed) {
  if (parsed.complete && parsed.exit_code >= 0) {
    write_all(1, parsed.body);
    leave(static_cast<int>(parsed.exit_code));
  }
  // An ADD may be half done and is undone by the runtime's DEL. All other verbs can simply be
  // repeated.
  if (command == "ADD" && !was_turned_away(parsed))
    fail(kTryAgain, "fairleadd stopped before it had answered ADD; call DEL, and try again", "",
         "");
  run_local();
}

void set_up() {
  command = variable("CNI_COMMAND=");
  const long timeout = number_of(variable("FAIRLEAD_CNI_TIMEOUT_MS="), kDefaultTimeout);
  deadline = now() + (timeout > 0 ? timeout : kDefaultTimeout);
  // The daemon with the host's configuration listens at the default path too, whatever its folders
  // are called. For another configuration the call is left to fairlead-cni-local, which has a JSON
  // reader.
  const Text folder = variable("FAIRLEAD_RUN_DIR=");
  has_own_config = folder.empty() && !variable("FAIRLEAD_CONFIG=").empty();
  socket_path.add(folder.empty() ? Text("/run/fairlead") : folder);
  socket_path.add("/api.sock");
}

[[noreturn]] void run(char* const* argv, char** envp) {
  arguments = argv;
  environment = envp;
  set_up();
  if (command.empty()) say_what_this_is();
  if (command == "VERSION") answer_version();
  if (has_own_config) run_local();
  add_environment();
  const int fd = connect_or_run_local();
  add_netns();
  read_input();
  add_number_header("Content-Length: ", static_cast<long>(input_size));
  head.add("\r\n");
  if (!head.fits()) run_local();
  send_request(fd);
  finish(receive(fd));
}

}  // namespace
}  // namespace client

#ifdef FAIRLEAD_NOLIBC

// The compiler generates calls of these.
extern "C" {
[[gnu::optimize("no-tree-loop-distribute-patterns")]] void* memcpy(void* to, const void* from,
                                                                   std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
  return to;
}
[[gnu::optimize("no-tree-loop-distribute-patterns")]] void* memset(void* to, int value,
                                                                   std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) static_cast<char*>(to)[i] = static_cast<char>(value);
  return to;
}

// `stack` is as the kernel leaves it: argc, argv, 0, envp, 0.
[[noreturn, gnu::used]] void client_start(long* stack) {
  auto** const argv = reinterpret_cast<char**>(stack + 1);
  client::run(argv, argv + *stack + 1);
}
}

#ifdef __x86_64__
asm(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call "
    "client_start\n");
#else
asm(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n b client_start\n");
#endif

#else
int main(int, char** argv, char** envp) { client::run(argv, envp); }
#endif
