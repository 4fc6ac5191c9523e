// Running mkfs, fsck and their like: argv and never a shell, no inherited descriptors, a deadline.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"

namespace fairlead::volume {

struct Tool {
  std::string action;                    // for the error: "make an ext4 file system in /x/disk.img"
  std::vector<std::string> argv;         // argv[0]: a bare name, "mkfs.ext4"
  std::chrono::milliseconds deadline{};  // then SIGKILL and kUnavailable
  std::string package;                   // that has it, for the hint: "e2fsprogs"
  std::vector<int> accepted{0};          // exit codes that are no failure
};

// Looked up in the system's own folders first (a daemon's PATH may lack /usr/sbin), then in PATH.
// kUnsupported with the package's name when it is missing; kIo with the last lines that it wrote to
// stderr when it fails.
Result<ProcessResult> run_tool(const Tool& tool);

// Whether there is one to run: for probes.
bool has_tool(const std::string& name);

}  // namespace fairlead::volume
