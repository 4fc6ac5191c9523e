#include "plugin-api/bin/docker_names.h"

#include <signal.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace fairlead {

namespace {

bool lives(const std::filesystem::path& pid_file) {
  std::ifstream file(pid_file);
  pid_t pid = 0;
  return file >> pid && pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
}

}  // namespace

// dockerd writes docker.pid where its socket is, unless told otherwise; one that does is noticed
// when it calls.
std::unique_ptr<engine::NamesWatch> watch_docker_names(const std::string& socket,
                                                       network::NameService& names) {
  if (socket.empty()) return nullptr;
  const auto runs = [pid_file = std::filesystem::path(socket).replace_filename("docker.pid")] {
    return lives(pid_file);
  };
  return std::make_unique<engine::NamesWatch>(engine::make_names_client(socket), names, runs);
}

http::Handler waking(http::Handler handler, const std::unique_ptr<engine::NamesWatch>& watch) {
  return [handler = std::move(handler), &watch](const http::Request& request) {
    if (watch) watch->wake();
    return handler(request);
  };
}

}  // namespace fairlead
