// Runs another program: from argv and never by a shell, with no inherited descriptors, and with a
// deadline.
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

// Runs argv[0] (looked up in PATH) with an empty stdin and waits. kUnavailable when the deadline
// passes, or after stop_processes(); the child is killed then, and not waited for when it hangs in
// the kernel. kNotFound when there is no such program. Thread-safe.
Result<ProcessResult> run_process(std::span<const std::string> argv,
                                  std::chrono::milliseconds deadline);

// Kills what run_process() runs, in whichever thread, and lets it start nothing any more.
void stop_processes();

}  // namespace fairlead
