#include "plugin-api/thin/process.h"

#include <fcntl.h>
#include <linux/errno.h>
#include <sys/mman.h>

namespace client {

namespace {

constexpr std::size_t kMostInput = 2 << 20;
constexpr std::size_t kMostPath = 4096;

// constinit, because no start-up code would run constructors.
constinit char* const* arguments = nullptr;
constinit char** environment = nullptr;
constinit char buffer[kMostInput + 1] = {};
constinit std::size_t input_size = 0;
constinit bool was_read = false;

}  // namespace

void set_process(char* const* argv, char** envp) {
  arguments = argv;
  environment = envp;
}

Text argument(std::size_t number) {
  for (std::size_t i = 0; i <= number; ++i)
    if (arguments[i] == nullptr) return {};
  return Text(arguments[number]);
}

Text variable(Text name_and_equals) {
  for (char** entry = environment; *entry != nullptr; ++entry)
    if (const Text text(*entry); text.starts_with(name_and_equals))
      return text.from(name_and_equals.size);
  return {};
}

void write_all(int fd, Text text) {
  while (!text.empty()) {
    const long written = call(SYS_write, fd, text.data, static_cast<long>(text.size));
    if (written == -EINTR) continue;
    if (written <= 0) leave(1);
    text = text.from(static_cast<std::size_t>(written));
  }
}

Text input() { return {buffer, input_size}; }

Input read_input() {
  if (was_read) return Input::kRead;
  was_read = true;
  while (input_size < sizeof buffer) {
    const long got =
        call(SYS_read, 0, buffer + input_size, static_cast<long>(sizeof buffer - input_size));
    if (got == -EINTR) continue;
    if (got < 0) return Input::kFailed;
    if (got == 0) return Input::kRead;
    input_size += static_cast<std::size_t>(got);
  }
  input_size = 0;
  return Input::kTooLarge;
}

bool rewind_input() {
  if (!was_read) return true;
  const long fd = call(SYS_memfd_create, "stdin", 0);
  std::size_t done = 0;
  while (fd >= 0 && done < input_size) {
    const long written = call(SYS_write, fd, buffer + done, static_cast<long>(input_size - done));
    if (written <= 0) break;
    done += static_cast<std::size_t>(written);
  }
  if (fd < 0 || done < input_size) return false;
  call(SYS_lseek, fd, 0, SEEK_SET);
  call(SYS_dup3, fd, 0, 0);
  call(SYS_close, fd);
  return true;
}

void try_program(Text folder, Text name) {
  Builder<kMostPath + 64> path;
  path.add(folder);
  path.add("/");
  path.add(name);
  if (!folder.empty() && path.fits()) call(SYS_execve, path.c_str(), arguments, environment);
}

Text own_folder() {
  static constinit char path[kMostPath] = {};
  const long size =
      call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", path, static_cast<long>(sizeof path));
  std::size_t end = size > 0 ? static_cast<std::size_t>(size) : 0;
  while (end > 0 && path[end - 1] != '/') --end;
  return {path, end > 1 ? end - 1 : end};
}

}  // namespace client
