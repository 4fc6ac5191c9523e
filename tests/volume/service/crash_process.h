// Running the programs that crash tests kill, and finding the points where they can be killed.
#pragma once

#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/paths.h"
#include "tests/volume/scratch.h"

namespace fairlead::volume::testing {

inline constexpr int kKilled = 128 + SIGKILL;

// Runs the program words[0] of the build's folder with FAIRLEAD_FAULT=<fault> and returns its exit
// code, 128 + signal when it was killed, -1 when it could not be started.
inline int run_program(std::vector<std::string> words, const std::string& fault) {
  std::string variable = "FAIRLEAD_FAULT=" + fault, path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  std::vector<char*> argv, environment{variable.data(), path.data(), nullptr};
  words[0] = fairlead::testing::built_path(words[0]);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (::posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environment.data()) != 0)
    return -1;
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The lines of a file that FAIRLEAD_FAULT=list: wrote, each with its passage ("name:2").
inline std::vector<std::string> read_points(const std::string& path) {
  std::vector<std::string> points;
  std::map<std::string, int> passages;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    points.push_back(fmt::format("{}:{}", line, ++passages[line]));
  return points;
}

}  // namespace fairlead::volume::testing
