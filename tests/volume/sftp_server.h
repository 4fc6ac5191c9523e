// Debian's sftp-server over a socket, without a network: plain, or behind slow_line.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/support/paths.h"
#include "volume/kernel/sftp_client.h"

namespace fairlead::volume::testing {

inline constexpr const char* kSftpServer = "/usr/lib/openssh/sftp-server";

inline bool has_sftp_server() { return ::access(kSftpServer, X_OK) == 0; }

struct Line {
  int delay = 0;            // milliseconds, each way
  std::string end = "cut";  // or "hang"
  std::size_t after = 0;    // bytes of the client; 0: never
  std::vector<std::string> server{kSftpServer};
};

inline Result<std::unique_ptr<SftpClient>> connect(const Line& line = {},
                                                   SftpSettings settings = {}) {
  if (settings.host.empty()) settings.host = "nas";
  std::vector<std::string> argv = line.server;
#ifdef SLOW_LINE
  if (line.delay > 0 || line.after > 0) {
    std::vector<std::string> slow{fairlead::testing::built_path(SLOW_LINE),
                                  std::to_string(line.delay), line.end, std::to_string(line.after)};
    argv.insert(argv.begin(), slow.begin(), slow.end());
  }
#endif
  TRY(auto process, RemoteProcess::start(argv, "openssh-sftp-server"));
  return SftpClient::start(std::move(process), std::move(settings));
}

}  // namespace fairlead::volume::testing
