// Running another program: argv, never a shell; closed descriptors; a deadline.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace fairlead {

struct ProcessResult {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string out;     // stdout, at most 1 MiB
  std::string err;     // stderr, at most 64 KiB
};

// Runs argv[0] (looked up in PATH) with an empty stdin and waits. Past the deadline the child is
// killed and kUnavailable returned; kNotFound when there is no such program. Thread-safe.
Result<ProcessResult> run_process(std::span<const std::string> argv,
                                  std::chrono::milliseconds deadline);

}  // namespace fairlead
