// fairlead-cni, the thin client: hands one CNI call to the daemon, and to fairlead-cni-local where
// no daemon runs.
//
// Runtimes start this once per call, so the start is what it costs: no C library (see
// cni_client.h), no JSON, no memory but its own static buffers, of which only the touched pages
// exist. What it sends is described in plugin-api/cni/cni_handler.h. The order is: connect, then
// read stdin - so that fairlead-cni-local finds stdin unread. stdout carries the protocol's JSON
// and nothing else.
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

#ifndef FAIRLEAD_LIBEXECDIR
#define FAIRLEAD_LIBEXECDIR "/usr/lib/fairlead"
#endif

namespace client {

namespace {

constexpr std::size_t kMostInput = 2 << 20;    // as the server's limit of a body
constexpr std::size_t kMostHeader = 15 << 10;  // a little less than the server's limit of a header
constexpr std::size_t kMostAnswer = 1 << 20;
constexpr long kDefaultTimeout = 55'000;  // milliseconds; runtimes give up after 60 s and more

constexpr int kIo = 5, kDecoding = 6, kTryAgain = 11;  // CNI error codes

constexpr Text kVersions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

struct Variable {
  Text name;    // with "="
  Text header;  // with ": "
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

char** environment;
char* const* arguments;
Text command;  // CNI_COMMAND

char input[kMostInput + 1];
std::size_t input_size = 0;
bool input_read = false;
char answer[kMostAnswer];

Builder<kMostHeader> head;
Builder<sizeof(sockaddr_un::sun_path)> socket_path;

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

// The configuration's version, as far as it can be told without a JSON reader: the first
// "cniVersion":"<digits, dots>".
Text version_of(Text config) {
  const Text key = "\"cniVersion\"";
  const std::size_t at = find(config, key);
  if (at == kNowhere) return {};
  Text rest = config.from(at + key.size);
  const auto skip = [&](char wanted) {
    while (!rest.empty() && (rest.data[0] == ' ' || rest.data[0] == '\n' || rest.data[0] == '\t' ||
                             rest.data[0] == '\r'))
      rest = rest.from(1);
    if (rest.empty() || rest.data[0] != wanted) return false;
    rest = rest.from(1);
    return true;
  };
  if (!skip(':') || !skip('"')) return {};
  std::size_t size = 0;
  while (size < rest.size && size < 16 && (is_digit(rest.data[size]) || rest.data[size] == '.'))
    ++size;
  return size < rest.size && rest.data[size] == '"' ? Text(rest.data, size) : Text();
}

[[noreturn]] void fail(int code, Text before, Text object, Text after) {
  static Builder<8192> message;
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

// Puts stdin back as it was before it was read.
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

// The folder of this executable, links resolved.
Text own_folder() {
  static char path[4096];
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
  try_local(FAIRLEAD_LIBEXECDIR);
  read_input();
  fail(kTryAgain, "fairleadd does not answer at ", socket_path.text(),
       ", and fairlead-cni-local was not found to do without it; start fairleadd, or install "
       "fairlead-cni-local in " FAIRLEAD_LIBEXECDIR);
}

// ---- what is answered here

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

// {"cniVersion":"1.1.0"} as libcni writes it, nothing but white space around: the version, or
// nothing.
Text only_version(Text text) {
  constexpr Text parts[] = {"{", "\"cniVersion\"", ":"};
  const auto skip_space = [&] {
    while (!text.empty() && (text.data[0] == ' ' || text.data[0] == '\n')) text = text.from(1);
  };
  for (const Text part : parts) {
    skip_space();
    if (!text.starts_with(part)) return {};
    text = text.from(part.size);
  }
  skip_space();
  const Text version = version_of({text.data - 13, 0});
  (void)version;
  return {};
}

}  // namespace
}  // namespace client
