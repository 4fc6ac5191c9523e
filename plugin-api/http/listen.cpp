// Listening Unix sockets, created here or passed by systemd.
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/log.h"
#include "plugin-api/http/server.h"

namespace fairlead::http {

namespace {

constexpr int kFirstPassedFd = 3;  // SD_LISTEN_FDS_START
constexpr int kBacklog = 1024;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path) ||
      path.find('\0') != std::string::npos)
    return fail(Code::kInvalid,
                "listen on {}: a socket's path must have 1 to {} bytes; choose a shorter folder",
                path, sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Status make_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail_errno(error.value(), fmt::format("make the folder {}", folder.string()));
  return {};
}

enum class Served { kNo, kYes };

// Whether anybody listens on the socket file.
Result<Served> probe(const sockaddr_un& address) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno(errno, "open a Unix socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
    return Served::kYes;
  if (errno == ECONNREFUSED || errno == ENOENT) return Served::kNo;
  if (errno == EAGAIN) return Served::kYes;  // its backlog is full
  return fail_errno(errno, fmt::format("probe the socket {}", address.sun_path));
}

Status remove_stale(const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(address.sun_path, &info) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, fmt::format("look at {}", address.sun_path));
  }
  if (!S_ISSOCK(info.st_mode))
    return fail(Code::kExists, "listen on {}: there is a file that is not a socket; move it away",
                address.sun_path);
  TRY(const Served served, probe(address));
  if (served == Served::kYes)
    return fail(Code::kInUse,
                "listen on {}: another process serves this socket; stop it or use another folder",
                address.sun_path);
  if (::unlink(address.sun_path) != 0 && errno != ENOENT)
    return fail_errno(errno, fmt::format("remove the stale socket {}", address.sun_path));
  return {};
}

Status bind_to(int fd, const sockaddr_un& address) {
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(fd, generic, sizeof(address)) == 0) return {};
  if (errno != EADDRINUSE)
    return fail_errno(errno, fmt::format("bind the socket {}", address.sun_path));
  TRY_STATUS(remove_stale(address));
  if (::bind(fd, generic, sizeof(address)) != 0)
    return fail_errno(errno, fmt::format("bind the socket {}", address.sun_path));
  return {};
}

Result<std::optional<gid_t>> find_group(const std::string& name) {
  if (name.empty()) return std::optional<gid_t>();
  group entry{};
  group* found = nullptr;
  std::string buffer(16 << 10, '\0');
  const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr)
    return fail(Code::kNotFound, "there is no group \"{}\"{}; make it with: groupadd --system {}",
                name, error != 0 ? fmt::format(" ({})", std::strerror(error)) : "", name);
  return std::optional<gid_t>(entry.gr_gid);
}

Status set_access(const std::string& path, unsigned mode, const std::optional<gid_t>& group) {
  if (group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
    return fail_errno(errno, fmt::format("give the socket {} to its group", path));
  if (::chmod(path.c_str(), mode) != 0)
    return fail_errno(errno, fmt::format("set the mode of the socket {}", path));
  return {};
}

std::optional<int> number_from(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  int number = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc{} || stop != end || number < 0) return std::nullopt;
  return number;
}

// The path a listening Unix stream socket is bound to.
Result<std::string> bound_path(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return fail_errno(errno, "ask for the socket's name");
  int listening = 0;
  socklen_t length = sizeof(listening);
  ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
  if (address.sun_family != AF_UNIX || listening == 0)
    return fail(Code::kInvalid,
                "it is not a listening Unix socket (use ListenStream=/path/to.sock)");
  const std::size_t used =
      size > offsetof(sockaddr_un, sun_path) ? size - offsetof(sockaddr_un, sun_path) : 0;
  return std::string(address.sun_path, ::strnlen(address.sun_path, used));
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path, unsigned mode, const std::string& group) {
  TRY(const sockaddr_un address, address_of(path));
  TRY(const std::optional<gid_t> gid, find_group(group));
  TRY_STATUS(make_folder_of(path));
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno(errno, "open a Unix socket");
  // The file that bind(2) creates takes its mode from the socket's inode, so that it is never open
  // to more than its owner.
  if (::fchmod(socket.get(), mode & 0600U) != 0)
    return fail_errno(errno, "set the mode of a Unix socket");
  TRY_STATUS(bind_to(socket.get(), address));
  TRY_STATUS(set_access(path, mode, gid));
  if (::listen(socket.get(), kBacklog) != 0)
    return fail_errno(errno, fmt::format("listen on {}", path));
  return socket;
}

Status give_access(const std::string& path, unsigned mode, const std::string& group) {
  TRY(const std::optional<gid_t> gid, find_group(group));
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0)
    return fail_errno(errno, fmt::format("look at the socket {}", path));
  if (!S_ISSOCK(info.st_mode)) return fail(Code::kInvalid, "{} is not a socket", path);
  return set_access(path, mode, gid);
}

std::vector<PassedSocket> passed_sockets() {
  std::vector<PassedSocket> sockets;
  const auto pid = number_from("LISTEN_PID");
  const auto count = number_from("LISTEN_FDS");
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  if (!pid || !count || *pid != ::getpid()) return sockets;
  for (int fd = kFirstPassedFd; fd - kFirstPassedFd < *count; ++fd) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) break;  // fewer than announced
    auto path = bound_path(fd);
    if (!path) {
      log::warn("ignoring a socket that systemd passed",
                {{"fd", fd}, {"cause", path.error().text}});
      continue;
    }
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    sockets.push_back({.socket = UniqueFd(fd), .path = *std::move(path)});
  }
  return sockets;
}

}  // namespace fairlead::http
