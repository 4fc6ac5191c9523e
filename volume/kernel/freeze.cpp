#include "volume/kernel/freeze.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "base/fault.h"
#include "volume/kernel/mountinfo.h"

namespace fairlead::volume {

namespace {

// The watchdog's messages to us: first the errno of FIFREEZE (0: frozen), later that of FITHAW.
using Word = int;
constexpr Word kTimeWasOver = -1;

int thaw_errno(int fs) { return ::ioctl(fs, FITHAW, 0) == 0 ? 0 : errno; }

void say(int socket, Word word) {
  [[maybe_unused]] const auto sent = ::send(socket, &word, sizeof word, MSG_NOSIGNAL);
}

// Closes everything that this copy of our process has open but the two descriptors. Our end of the
// socket pair is closed too, so that our death is an end of file to the watchdog.
void keep_only(int one, int other) {
  const unsigned low = static_cast<unsigned>(std::min(one, other));
  const unsigned high = static_cast<unsigned>(std::max(one, other));
  if (low > 0) ::syscall(SYS_close_range, 0U, low - 1, 0U);
  if (high > low + 1) ::syscall(SYS_close_range, low + 1, high - 1, 0U);
  ::syscall(SYS_close_range, high + 1, ~0U, 0U);
}

// Runs in a copy of a process with several threads, so it makes only system calls. No signal ends
// it early, because Ctrl-C is sent to the whole process group.
[[noreturn]] void watch(int fs, int socket, int most_ms) {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  keep_only(fs, socket);
  const Word frozen = ::ioctl(fs, FIFREEZE, 0) == 0 ? 0 : errno;
  say(socket, frozen);
  if (frozen != 0) ::_exit(0);
  pollfd asked{socket, POLLIN, 0};
  const int ready = ::poll(&asked, 1, most_ms);
  const Word thawed = thaw_errno(fs);
  say(socket, ready <= 0 && thawed == 0 ? kTimeWasOver : thawed);
  ::_exit(0);
}

Result<Word> listen(int socket) {
  Word word = 0;
  ssize_t got;
  while ((got = ::recv(socket, &word, sizeof word, 0)) < 0 && errno == EINTR) {
  }
  if (got == static_cast<ssize_t>(sizeof word)) return word;
  return fail(Code::kIo, "freeze a file system: the watchdog was killed");
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool can_be_frozen(const MountEntry& mount) {
  constexpr std::array<std::string_view, 3> kTypes{"ext4", "xfs", "btrfs"};
  return std::ranges::find(kTypes, mount.fs_type) != kTypes.end();
}

}  // namespace

Result<Frozen> Frozen::freeze(int fs, std::chrono::milliseconds most) {
  UniqueFd own(::fcntl(fs, F_DUPFD_CLOEXEC, 0));
  std::array<int, 2> ends{};
  if (!own || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail_errno(errno, "freeze a file system");
  UniqueFd ours(ends[0]), theirs(ends[1]);
  // As fork(2), but without its handlers, which may wait for locks of other threads.
  const long pid = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid < 0) return fail_errno(errno, "start the watchdog of a freeze");
  if (pid == 0) watch(own.get(), theirs.get(), static_cast<int>(most.count()));
  theirs.reset();
  Frozen frozen(std::move(own), std::move(ours), static_cast<pid_t>(pid));
  TRY(const Word answer, listen(frozen.watchdog_.get()));
  if (answer == 0) {
    fault_point("volume.freeze.frozen");
    return frozen;
  }
  frozen.watchdog_.reset();
  reap(frozen.pid_);
  if (answer == EOPNOTSUPP || answer == ENOTTY)
    return fail(Code::kUnsupported, "freeze a file system: it cannot be frozen");
  return fail_errno(answer, "freeze a file system");
}

Frozen::~Frozen() {
  if (watchdog_) (void)thaw();
}

Status Frozen::thaw() {
  if (!watchdog_) return {};
  ::shutdown(watchdog_.get(), SHUT_WR);
  const auto answer = listen(watchdog_.get());
  if (!answer) (void)thaw_errno(fs_.get());  // the watchdog was killed, so we thaw
  watchdog_.reset();
  reap(pid_);
  if (!answer) return fail(answer.error());
  if (*answer == kTimeWasOver)
    return fail(Code::kUnavailable,
                "freeze a file system: it was held for too long and was let go; try again");
  if (*answer == EINVAL)
    return fail(Code::kUnavailable,
                "freeze a file system: somebody else has thawed it meanwhile; try again");
  if (*answer != 0) return fail_errno(*answer, "thaw a file system");
  return {};
}

Result<bool> thaw_left_over(int fs) {
  const int error = thaw_errno(fs);
  if (error == 0) return true;
  if (error == EINVAL || error == ENOTTY || error == EOPNOTSUPP) return false;
  return fail_errno(error, "thaw a file system");
}

Result<std::vector<std::string>> thaw_all_beneath(const std::string& folder) {
  std::ifstream file("/proc/thread-self/mountinfo");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> thawed;
  for (const MountEntry& mount : parse_mountinfo(text)) {
    const bool beneath = mount.mount_point.starts_with(folder + "/");
    if (!beneath || !can_be_frozen(mount)) continue;
    const UniqueFd fs(
        ::open(mount.mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fs) continue;  // unmounted meanwhile
    TRY(const bool was_frozen, thaw_left_over(fs.get()));
    if (was_frozen) thawed.push_back(mount.mount_point);
  }
  return thawed;
}

}  // namespace fairlead::volume
