#include "base/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace fairlead {

Result<NamedLocks::Guard> NamedLocks::lock(const std::string& name,
                                           std::chrono::milliseconds deadline) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + deadline;
  std::shared_ptr<std::timed_mutex> mutex;
  {
    const std::scoped_lock hold(guard_);
    auto& known = mutexes_[name];
    mutex = known.lock();
    if (!mutex) known = mutex = std::make_shared<std::timed_mutex>();
    if (mutexes_.size() > 4096)
      std::erase_if(mutexes_, [](const auto& entry) { return entry.second.expired(); });
  }
  std::unique_lock<std::timed_mutex> local(*mutex, std::defer_lock);
  if (!local.try_lock_until(end))
    return fail(Code::kUnavailable, "{} is busy with another request; try again", name);

  const std::string path = fmt::format("{}/{}", folder_, name);
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file && errno == ENOENT) {
    for (std::size_t slash = folder_.find('/', 1);; slash = folder_.find('/', slash + 1)) {
      ::mkdir(folder_.substr(0, slash).c_str(), slash == std::string::npos ? 0700 : 0755);
      if (slash == std::string::npos) break;
    }
    file.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }
  if (!file) return fail_errno(errno, fmt::format("open the lock {}", path));
  for (auto pause = std::chrono::microseconds(100); ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return fail_errno(errno, fmt::format("lock {}", path));
    if (Clock::now() >= end)
      return fail(Code::kUnavailable, "{} is busy with another process; try again", name);
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(4000));
  }
  return Guard(std::move(mutex), std::move(local), std::move(file));
}

}  // namespace fairlead
