#include "plugin-api/bin/netavark_host.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/host.h"
#include "network/kernel/host/netns.h"

namespace fairlead {

namespace {

Result<std::string> read_file(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) && !failed)
    return fail(Code::kNotFound, "{} is not there", path);
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) return fail(Code::kIo, "{} cannot be read", path);
  return text;
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
