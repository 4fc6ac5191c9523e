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

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

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
    all().push_back(path_);
  }
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    std::erase(all(), path_);
    const auto slash = path_.rfind('/');
    const auto parent = Folder::open(path_.substr(0, slash));
    EXPECT_TRUE(parent && remove_tree(*parent, path_.substr(slash + 1)));
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  // The folders that this process has now.
  static std::vector<std::string>& all() {
    static std::vector<std::string> paths;
    return paths;
  }

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

// Whether the calling thread is in a mount namespace of its own now. A new namespace has copies of
// all mounts, and a copy keeps the loop device of a test that runs meanwhile busy: what is mounted
// in the scratch folders of other processes is detached here.
inline bool enter_own_mount_namespace() {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return false;
  std::vector<std::string> others;
  std::ifstream table("/proc/thread-self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);  // proc(5): id, parent, device, root, mount point
    std::array<std::string, 5> field;
    for (auto& one : field) fields >> one;
    const auto within = [&](const std::string& path) { return field[4].starts_with(path + "/"); };
    if (field[4].find("/fairlead-volume-") != std::string::npos &&
        std::ranges::none_of(Scratch::all(), within))
      others.push_back(field[4]);
  }
  std::ranges::reverse(others);  // those mounted last first
  for (const auto& mount_point : others) ::umount2(mount_point.c_str(), MNT_DETACH);
  return true;
}

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
    const bool done = enter_own_mount_namespace() &&
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
