// Network namespaces. Only this module ever calls setns(2), on a thread of its own or for the time
// of one call.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::kernel {

// Opens the namespace at `path` (a bind mount under /run/netns, /proc/<pid>/ns/net, ...) and makes
// sure that it is a network namespace (ioctl NS_GET_NSTYPE). kNotFound when the path is missing or
// is no namespace (a stale file).
Result<UniqueFd> open_netns(const std::string& path);

// The namespace of the calling thread.
Result<UniqueFd> current_netns();

// Device and inode: the identity of a namespace.
struct NetnsId {
  std::uint64_t device = 0, inode = 0;
  bool operator==(const NetnsId&) const = default;
};
Result<NetnsId> netns_id(int netns_fd);

// Runs `work` inside the namespace: on this thread, which enters and returns (10-25 us; 3 us when
// it is there already). Sockets opened in there stay bound to that namespace. When the return fails
// the process is aborted: a thread in a foreign namespace is a bug that must not spread.
Status in_netns(int netns_fd, const std::function<Status()>& work);

// A fresh, empty network namespace that lives as long as the descriptor (tests, examples).
Result<UniqueFd> new_netns();

}  // namespace fairlead::kernel
