// Runs mkfs, fsck and similar tools by argv and never by a shell, without inherited descriptors and
// with a deadline.
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
  std::chrono::milliseconds deadline{};  // after it: SIGKILL and kUnavailable
  std::string package;                   // the package that has the tool, for the hint: "e2fsprogs"
  std::vector<int> accepted{0};          // exit codes that are no failure
};

// Looks the tool up in the system's own folders first (a daemon's PATH may lack /usr/sbin), then in
// PATH. kUnsupported with the package's name when it is missing; kIo with the last lines of its
// stderr when it fails.
Result<ProcessResult> run_tool(const Tool& tool);

// Whether the tool is installed.
bool has_tool(const std::string& name);
// Its path, or "" when it is missing.
std::string find_program(const std::string& name);

}  // namespace fairlead::volume
