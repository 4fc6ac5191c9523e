#include "volume/kernel/remote_mount.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>
#include <vector>

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// The child's answer through the pipe: the last step it reached, and the kernel's own words about a
// failure.
enum class Step : std::int32_t { kOpen, kOption, kCreate, kMount, kAttach, kDone };
struct Answer {
  Step step = Step::kOpen;
  std::int32_t sys_errno = 0;
  std::int32_t option = 0;  // kOption: the index of the option
  std::array<char, 480> words{};
};

// Everything that the child needs, prepared before the fork because nothing may allocate after it.
struct Order {
  const char* type;
  const char* source;  // nullptr: none
  struct Option {
    std::string key, value;
    bool flag;
  };
  std::vector<Option> options;
  unsigned attributes;
  int folder, pipe;
};

Order order_of(const NewMount& what, int folder, int pipe) {
  Order order{.type = what.type.c_str(),
              .source = what.source.empty() ? nullptr : what.source.c_str(),
              .options = {},
              .attributes = mount_attributes(what.flags),
              .folder = folder,
              .pipe = pipe};
  if (what.read_only_fs) order.options.push_back({"ro", "", true});
  for (const std::string& option : what.options) {
    const auto equals = option.find('=');
    const bool flag = equals == std::string::npos;
    order.options.push_back(
        {option.substr(0, equals), flag ? "" : option.substr(equals + 1), flag});
  }
  return order;
}

// --- in the child: only system calls

// A process that hangs in the kernel would hold the lock files that it inherited from us just as
// long.
void close_all_but(int one, int other) {
  const unsigned low = static_cast<unsigned>(std::min(one, other));
  const unsigned high = static_cast<unsigned>(std::max(one, other));
  if (low > 0) ::syscall(SYS_close_range, 0U, low - 1, 0U);
  if (high > low + 1) ::syscall(SYS_close_range, low + 1, high - 1, 0U);
  ::syscall(SYS_close_range, high + 1, ~0U, 0U);
}

[[noreturn]] void tell(const Order& order, Step step, int fs, std::int32_t option = 0) {
  Answer answer{.step = step, .sys_errno = step == Step::kDone ? 0 : errno, .option = option};
  if (fs >= 0 && step != Step::kDone) {
    const ssize_t got = ::read(fs, answer.words.data(), answer.words.size() - 1);
    answer.words[static_cast<std::size_t>(std::max<ssize_t>(got, 0))] = '\0';
  }
  [[maybe_unused]] const auto written = ::write(order.pipe, &answer, sizeof answer);
  ::_exit(0);
}

[[noreturn]] void run(const Order& order, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  close_all_but(order.folder, order.pipe);
  const int fs = ::fsopen(order.type, FSOPEN_CLOEXEC);
  if (fs < 0) tell(order, Step::kOpen, -1);
  if (order.source != nullptr &&
      ::fsconfig(fs, FSCONFIG_SET_STRING, "source", order.source, 0) != 0)
    tell(order, Step::kCreate, fs);
  for (std::size_t k = 0; k < order.options.size(); ++k) {
    const Order::Option& option = order.options[k];
    const int done = option.flag ? ::fsconfig(fs, FSCONFIG_SET_FLAG, option.key.c_str(), nullptr, 0)
                                 : ::fsconfig(fs, FSCONFIG_SET_STRING, option.key.c_str(),
                                              option.value.c_str(), 0);
    if (done != 0) tell(order, Step::kOption, fs, static_cast<std::int32_t>(k));
  }
  if (::fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) tell(order, Step::kCreate, fs);
  const int mount = ::fsmount(fs, FSMOUNT_CLOEXEC, order.attributes);
  if (mount < 0) tell(order, Step::kMount, fs);
  mount_attr quiet{};
  quiet.propagation = MS_PRIVATE;
  const unsigned both = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (::move_mount(mount, "", order.folder, "", both) != 0 ||
      ::mount_setattr(mount, "", AT_EMPTY_PATH, &quiet, sizeof quiet) != 0)
    tell(order, Step::kAttach, -1);
  tell(order, Step::kDone, fs);
}

// --- in the parent

// Returns whether the child answered.
bool wait_for_answer(int pipe, Clock::time_point end, Answer& answer) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd wanted{.fd = pipe, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::max<long long>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    return ready == 1 && ::read(pipe, &answer, sizeof answer) == sizeof answer;
  }
}

void reap(pid_t pid) {
  ::kill(pid, SIGKILL);
  for (int attempt = 0; attempt < 20; ++attempt) {
    const pid_t gone = ::waitpid(pid, nullptr, WNOHANG);
    if (gone == pid || (gone < 0 && errno != EINTR)) return;
    std::this_thread::sleep_for(5ms);
  }
  std::thread([pid] {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }).detach();
}

Status verdict(const NewMount& what, const Order& order, const Answer& answer) {
  if (answer.step == Step::kDone) return {};
  std::string action =
      fmt::format("mount {}{}{}", what.type, what.source.empty() ? "" : " from ", what.source);
  if (answer.step == Step::kOpen && answer.sys_errno == ENODEV)
    return fail(Code::kUnsupported, "{}: this kernel has no file system {}", action, what.type);
  if (answer.step == Step::kOption)
    action +=
        fmt::format(": option {}", order.options[static_cast<std::size_t>(answer.option)].key);
  Error error = sys_error(answer.sys_errno, action);
  std::string_view words(answer.words.data());
  if (words.size() > 2 && words[1] == ' ') words.remove_prefix(2);
  while (words.ends_with('\n')) words.remove_suffix(1);
  if (!words.empty()) error.text += fmt::format(" ({})", words);
  return fail(std::move(error));
}

}  // namespace

bool can_mount(const std::string& type) {
  if (kernel_lists_filesystem(type)) return true;
  return UniqueFd(::fsopen(type.c_str(), FSOPEN_CLOEXEC)).get() >= 0;  // fsopen(2) loads the module
}

Status mount_with_deadline(const NewMount& what, int folder, std::chrono::milliseconds deadline) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "make a pipe");
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const Order order = order_of(what, folder, out.get());
  const auto end = Clock::now() + deadline;
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "start a process that mounts");
  if (pid == 0) run(order, parent);
  out.reset();
  Answer answer;
  const bool answered = wait_for_answer(in.get(), end, answer);
  reap(pid);
  if (answered) return verdict(what, order, answer);
  if (Clock::now() < end)
    return fail(Code::kIo, "mount {} from {}: the process that mounts died", what.type,
                what.source);
  return fail(Code::kUnavailable,
              "mount {} from {}: no answer within {} ms; is the server there and reachable?",
              what.type, what.source, deadline.count());
}

}  // namespace fairlead::volume
