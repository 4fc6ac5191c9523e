// A program that speaks a protocol on its stdin and stdout, as `ssh -s host sftp` does.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// Owned by one object, which ends it. It runs in a session of its own: it has no terminal that it
// could ask for a password, and Ctrl-C reaches only whoever started it. It ends by itself when this
// process dies, because its stdin ends then.
class RemoteProcess {
 public:
  // argv[0]: a bare name, "ssh", or a path. `package` is the one that has it, for the hint.
  // kUnsupported when there is no such program.
  static Result<RemoteProcess> start(std::vector<std::string> argv, const std::string& package);

  RemoteProcess(RemoteProcess&&) noexcept = default;
  RemoteProcess& operator=(RemoteProcess&&) = delete;
  ~RemoteProcess();  // end() with a second of patience

  int socket() const { return socket_.get(); }  // its stdin and stdout; non-blocking
  int errors() const { return errors_.get(); }  // its stderr; non-blocking
  const std::string& program() const { return program_; }
  pid_t pid() const { return pid_; }

  // Ends its stdin and waits; after `patience` it is killed.
  void end(std::chrono::milliseconds patience);

 private:
  RemoteProcess(std::string program, pid_t pid, UniqueFd pidfd, UniqueFd socket, UniqueFd errors)
      : program_(std::move(program)),
        pid_(pid),
        pidfd_(std::move(pidfd)),
        socket_(std::move(socket)),
        errors_(std::move(errors)) {}

  std::string program_;
  pid_t pid_ = -1;
  UniqueFd pidfd_, socket_, errors_;
};

}  // namespace fairlead::volume
