#include "plugin-api/bin/netavark_host.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/host.h"
#include "base/unique_fd.h"
#include "network/kernel/host/netns.h"
#include "plugin-api/bin/local_call.h"

namespace fairlead {

namespace {

// A network's file has some hundred bytes. The path is in a label, which callers of the API set as well: it
// may be of anything, a FIFO too.
Result<std::string> read_file(const std::string& path) {
  constexpr off_t kMostBytes = 1 << 20;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return fail_errno(errno, "open " + path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "read " + path);
  if (!S_ISREG(status.st_mode) || status.st_size > kMostBytes)
    return fail(Code::kIo, "{} is no file of Podman's", path);
  return read_document(file.get());
}

Status set_up(const char* name) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail_errno(errno, "bring up the loopback interface");
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0)
    return fail_errno(errno, "bring up the loopback interface");
  if ((request.ifr_flags & IFF_UP) != 0) return {};
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    return fail_errno(errno, "bring up the loopback interface");
  return {};
}

}  // namespace

Status bring_up_loopback(int netns_fd) {
  return kernel::in_netns(netns_fd, [] { return set_up("lo"); });
}

netavark::Services netavark_services(Core& core) {
  return {.networks = core.networks(),
          .names = &core.names(),
          .surroundings = {.read_file = read_file, .unix_time = unix_time}};
}

}  // namespace fairlead
