#include "network/kernel/host/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdlib>
#include <thread>

#include "base/log.h"

namespace fairlead::kernel {

namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

// The path comes from a caller. Opening it must not block, as a FIFO does until there is a writer,
// and must have no effect, as with a device.
Result<UniqueFd> open_read_only(const char* path) {
  UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail_errno(errno, fmt::format("open network namespace {}", path));
  return fd;
}

tl::unexpected<Error> no_netns(const std::string& path) {
  return fail(Code::kNotFound,
              "open network namespace {}: it is no network namespace (a file left behind?)", path);
}

}  // namespace

Result<UniqueFd> open_netns(const std::string& path) {
  struct statfs on {};
  if (::statfs(path.c_str(), &on) != 0)
    return fail_errno(errno, fmt::format("open network namespace {}", path));
  if (on.f_type != NSFS_MAGIC) return no_netns(path);
  TRY(UniqueFd fd, open_read_only(path.c_str()));
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) return no_netns(path);
  return fd;
}

Result<UniqueFd> current_netns() { return open_read_only(kOwnNetns); }

Result<UniqueFd> netns_of_socket(int socket_fd) {
  UniqueFd fd(::ioctl(socket_fd, SIOCGSKNS));
  if (!fd) return fail_errno(errno, "ask for the network namespace of a socket");
  return fd;
}

Result<NetnsId> netns_id(int netns_fd) {
  struct stat status {};
  if (::fstat(netns_fd, &status) != 0) return fail_errno(errno, "look at a network namespace");
  return NetnsId{.device = status.st_dev, .inode = status.st_ino};
}

Status in_netns(int netns_fd, const std::function<Status()>& work) {
  TRY(const UniqueFd home, current_netns());
  TRY(const NetnsId here, netns_id(home.get()));
  TRY(const NetnsId there, netns_id(netns_fd));
  if (here == there) return work();
  if (::setns(netns_fd, CLONE_NEWNET) != 0) return fail_errno(errno, "enter a network namespace");
  Status outcome = work();
  if (::setns(home.get(), CLONE_NEWNET) != 0) {
    log::error("cannot return to the network namespace of this thread", {{"errno", errno}});
    std::abort();
  }
  return outcome;
}

Result<UniqueFd> new_netns() {
  Result<UniqueFd> made = fail(Code::kInternal, "make a network namespace: the thread did not run");
  std::thread([&made] {
    if (::unshare(CLONE_NEWNET) != 0)
      made = fail_errno(errno, "make a network namespace");
    else
      made = current_netns();
  }).join();
  return made;
}

}  // namespace fairlead::kernel
