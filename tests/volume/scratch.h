// A folder of a test's own, gone at its end, and a process that has something mounted meanwhile.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "volume/kernel/remove_tree.h"

namespace fairlead::volume::testing {

// kMemory where only the logic matters: thousands of fsync take their time on a busy disk.
enum class Where { kDisk, kMemory };

class Scratch {
 public:
  explicit Scratch(Where where = Where::kDisk) {
    const char* base = ::getenv("TMPDIR");
    path_ = base == nullptr ? "/tmp" : base;
    if (where == Where::kMemory && ::access("/dev/shm", W_OK) == 0) path_ = "/dev/shm";
    path_ += "/fairlead-volume-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    const auto slash = path_.rfind('/');
    const auto parent = Folder::open(path_.substr(0, slash));
    EXPECT_TRUE(parent && remove_tree(*parent, path_.substr(slash + 1)));
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline bool is_there(const std::string& path) {
  return std::filesystem::exists(std::filesystem::symlink_status(path));
}

inline std::size_t entries_in(const std::string& path) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path),
                                                std::filesystem::directory_iterator()));
}

inline bool is_root() { return ::geteuid() == 0; }

// A process in a mount namespace of its own that has `source` bound at `target`, until let go.
class Holder {
 public:
  Holder(const std::string& source, const std::string& target) {
    std::array<int, 2> ready{}, stay{};
    if (::pipe2(ready.data(), O_CLOEXEC) != 0 || ::pipe2(stay.data(), O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(stay[1]);
      hold(source, target, ready[1], stay[0]);
    }
    ::close(ready[1]);
    ::close(stay[0]);
    stay_ = UniqueFd(stay[1]);
    char answer = 'n';
    mounted_ = ::read(ready[0], &answer, 1) == 1 && answer == 'y';
    ::close(ready[0]);
  }
  Holder(const Holder&) = delete;
  ~Holder() { let_go(); }

  bool mounted() const { return mounted_; }
  pid_t pid() const { return pid_; }
  void let_go() {
    stay_.reset();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  [[noreturn]] static void hold(const std::string& source, const std::string& target, int ready,
                                int stay) {
    ::prctl(PR_SET_NAME, "holder");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool done = ::unshare(CLONE_NEWNS) == 0 &&
                      ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                      ::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) == 0;
    const char answer = done ? 'y' : 'n';
    char end = 0;
    if (::write(ready, &answer, 1) == 1) [[maybe_unused]]
      const auto got = ::read(stay, &end, 1);
    ::_exit(0);
  }

  pid_t pid_ = 0;
  UniqueFd stay_;
  bool mounted_ = false;
};

}  // namespace fairlead::volume::testing
