#include "plugin-api/thin/netns.h"

#include <fcntl.h>
#include <linux/stat.h>

#include "plugin-api/thin/system_call.h"

namespace client {

// O_NONBLOCK, because the path may be anything, a FIFO too.
void add_open_netns(DaemonCall& daemon, Text path, const NetnsHeaders& headers) {
  if (path.empty()) return;
  const long fd = call(SYS_openat, AT_FDCWD, path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return daemon.add(headers.error, -fd);
  daemon.add(headers.fd, fd);
  struct statx container, own;
  const bool known = call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &container) == 0 &&
                     call(SYS_statx, AT_FDCWD, "/proc/self/ns/net", 0, STATX_INO, &own) == 0;
  if (known && container.stx_ino == own.stx_ino && container.stx_dev_minor == own.stx_dev_minor &&
      container.stx_dev_major == own.stx_dev_major)
    daemon.add(headers.same, 1);
}

}  // namespace client
