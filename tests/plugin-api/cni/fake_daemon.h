// Something that listens where fairleadd does, and treats each request as its script says.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace fairlead::testing {

class FakeDaemon {
 public:
  // Gets the connection after a whole request was read; it is closed afterwards.
  using Script = std::function<void(int connection, const std::string& request)>;

  // Listens on <folder>/api.sock.
  FakeDaemon(const std::string& folder, Script script);
  ~FakeDaemon();
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  // What was received so far, whole requests, oldest first.
  std::vector<std::string> requests();

  // `header`: of the exit code.
  static Script answer(const std::string& body, int exit_code,
                       const std::string& header = "X-CNI-Exit");
  static Script say(const std::string& bytes);  // these bytes, and no more

 private:
  void serve();

  Script script_;
  UniqueFd socket_;
  std::mutex guard_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

void send_all(int connection, const std::string& bytes);
// The value of a header of a request, or "".
std::string header_of(const std::string& request, const std::string& name);
// What the client's process has open under the number in X-CNI-NETNS-FD, as /proc shows it.
std::string held_by_peer(int connection, const std::string& request);

}  // namespace fairlead::testing
