// Running the programs that crash tests kill, and finding the points where they can be killed.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/paths.h"
#include "tests/volume/scratch.h"
#include "tests/volume/service/crash_rows.h"
#include "volume/kernel/copy_tree.h"

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

// The lines of a file that FAIRLEAD_FAULT=list: wrote, each with its passage ("name:2"). Those that
// the table of rows has for the test that runs now must be among them.
inline std::vector<std::string> read_points(const std::string& path) {
  std::vector<std::string> points;
  std::map<std::string, int> passages;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    points.push_back(fmt::format("{}:{}", line, ++passages[line]));
  expect_row(passages);
  return points;
}

// A folder that is brought back to what it was, by a copy: what happens before the verb that is
// killed is done once, and not for each of its points. The path stays the same.
class CrashFolder {
 public:
  explicit CrashFolder(const std::string& base) : base_(base) { make("now"); }
  std::string path() const { return base_ + "/now"; }
  // What is there now is what bring_back() brings back. Nothing may be mounted in it.
  void keep() { copy("now", "kept"); }
  void bring_back() { copy("kept", "now"); }

 private:
  Folder make(const std::string& name) {
    const auto base = Folder::open(base_);
    EXPECT_TRUE(base && remove_tree(*base, name)) << name;
    return base->make_folder(name, 0700).value();
  }
  void copy(const std::string& from, const std::string& to) {
    const Folder target = make(to);
    const auto source = Folder::open(base_ + "/" + from);
    const auto copied = copy_tree(source->fd(), target.fd(), [](std::uint64_t) { return true; });
    EXPECT_TRUE(copied) << copied.error().text;
  }

  std::string base_;
};

}  // namespace fairlead::volume::testing
