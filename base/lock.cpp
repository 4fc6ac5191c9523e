#include "base/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fairlead {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

Result<UniqueFd> open_lock(const std::string& folder, const std::string& path) {
  const auto open = [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); };
  UniqueFd file(open());
  if (!file && errno == ENOENT) {
    for (std::size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
      ::mkdir(folder.substr(0, slash).c_str(), slash == std::string::npos ? 0700 : 0755);
      if (slash == std::string::npos) break;
    }
    file.reset(open());
  }
  if (!file) return fail_errno(errno, fmt::format("open the lock {}", path));
  return file;
}

timespec as_timespec(std::chrono::nanoseconds time) {
  constexpr long long kSecond = 1'000'000'000;
  return {.tv_sec = static_cast<time_t>(time.count() / kSecond),
          .tv_nsec = static_cast<long>(time.count() % kSecond)};
}

// Interrupts the system calls of the calling thread from `end` on, again and again, until it is
// destroyed: one signal alone could come just before the call. The signal is one of its own, and
// its handler does nothing.
class Interruption {
 public:
  static Result<Interruption> at(Clock::time_point end) {
    static const int kPrepared = prepare_signal();
    if (kPrepared != 0) return fail_errno(kPrepared, "prepare to wait for a lock");
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal_number();
    event._sigev_un._tid = ::gettid();
    timer_t timer{};
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
      return fail_errno(errno, "make a timer for a lock");
    Interruption interruption(timer);
    constexpr auto kAgain = milliseconds(5);
    const auto left = std::max<Clock::duration>(end - Clock::now(), milliseconds(1));
    const itimerspec times{.it_interval = as_timespec(kAgain), .it_value = as_timespec(left)};
    if (::timer_settime(timer, 0, &times, nullptr) != 0)
      return fail_errno(errno, "set the timer of a lock");
    return interruption;
  }

  Interruption(Interruption&& other) noexcept
      : timer_(other.timer_), mask_(other.mask_), armed_(std::exchange(other.armed_, false)) {}
  Interruption& operator=(Interruption&&) = delete;
  ~Interruption() {
    if (!armed_) return;
    ::timer_delete(timer_);
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }

 private:
  explicit Interruption(timer_t timer) : timer_(timer) {
    sigset_t own;
    ::sigemptyset(&own);
    ::sigaddset(&own, signal_number());
    ::pthread_sigmask(SIG_UNBLOCK, &own, &mask_);
  }
  static int signal_number() { return SIGRTMIN + 5; }
  static int prepare_signal() {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART: flock(2) returns EINTR
    return ::sigaction(signal_number(), &action, nullptr) == 0 ? 0 : errno;
  }

  timer_t timer_;
  sigset_t mask_{};
  bool armed_ = true;
};

// The kernel keeps those who wait in a queue (fs/locks.c, __locks_insert_block).
Result<bool> lock_until(int file, const std::string& path, Clock::time_point end) {
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK && errno != EINTR)
    return fail_errno(errno, fmt::format("lock {}", path));
  TRY(const auto interruption, Interruption::at(end));
  while (::flock(file, LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(errno, fmt::format("lock {}", path));
    if (Clock::now() >= end) return false;
  }
  return true;
}

}  // namespace

Result<NamedLocks::Guard> NamedLocks::lock(const std::string& name, milliseconds deadline) const {
  const auto end = Clock::now() + deadline;
  const std::string path = fmt::format("{}/{}", folder_, name);
  TRY(UniqueFd file, open_lock(folder_, path));
  TRY(const bool locked, lock_until(file.get(), path, end));
  if (!locked) return fail(Code::kUnavailable, "{} is busy with another request; try again", name);
  return Guard(std::move(file));
}

}  // namespace fairlead
