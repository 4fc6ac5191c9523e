#include "tests/plugin-api/cni/fake_daemon.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace fairlead::testing {

namespace {

UniqueFd listen_at(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) std::abort();
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    std::abort();
  if (::listen(socket.get(), 16) != 0) std::abort();
  return socket;
}

// A request with all of its body; less when the client stopped in the middle.
std::string read_request(int connection) {
  std::string request;
  std::array<char, 65536> block{};
  for (;;) {
    const auto end = request.find("\r\n\r\n");
    if (end != std::string::npos &&
        request.size() >=
            end + 4 + std::strtoul(header_of(request, "Content-Length").c_str(), nullptr, 10))
      return request;
    const ssize_t got = ::read(connection, block.data(), block.size());
    if (got <= 0) return request;
    request.append(block.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

FakeDaemon::FakeDaemon(const std::string& folder, Script script)
    : script_(std::move(script)), socket_(listen_at(folder + "/api.sock")) {
  thread_ = std::thread([this] { serve(); });
}

FakeDaemon::~FakeDaemon() {
  ::shutdown(socket_.get(), SHUT_RDWR);  // wakes accept
  thread_.join();
}

std::vector<std::string> FakeDaemon::requests() {
  const std::lock_guard lock(guard_);
  return requests_;
}

void FakeDaemon::serve() {
  for (;;) {
    const UniqueFd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return;
    const std::string request = read_request(connection.get());
    {
      const std::lock_guard lock(guard_);
      requests_.push_back(request);
    }
    script_(connection.get(), request);
  }
}

FakeDaemon::Script FakeDaemon::answer(const std::string& body, int exit_code,
                                      const std::string& header) {
  return say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + header + ": " +
             std::to_string(exit_code) + "\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\n\r\n" + body);
}

FakeDaemon::Script FakeDaemon::say(const std::string& bytes) {
  return [bytes](int connection, const std::string&) { send_all(connection, bytes); };
}

void send_all(int connection, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t sent = ::send(connection, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent <= 0) return;
    done += static_cast<std::size_t>(sent);
  }
}

std::string header_of(const std::string& request, const std::string& name) {
  const auto start = request.find("\r\n" + name + ": ");
  if (start == std::string::npos || start > request.find("\r\n\r\n")) return "";
  const auto value = start + name.size() + 4;
  return request.substr(value, request.find("\r\n", value) - value);
}

std::string held_by_peer(int connection, const std::string& request) {
  ucred peer{};
  socklen_t size = sizeof peer;
  ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  const std::string path =
      "/proc/" + std::to_string(peer.pid) + "/fd/" + header_of(request, "X-CNI-NETNS-FD");
  std::array<char, 256> target{};
  return ::readlink(path.c_str(), target.data(), target.size() - 1) < 0 ? "" : target.data();
}

}  // namespace fairlead::testing
