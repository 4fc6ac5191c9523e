// A file system of a test's own in a sparse file on a loop device, mounted in its scratch folder
// and gone at its end.
#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <chrono>
#include <string>
#include <thread>

#include "base/process.h"
#include "tests/volume/scratch.h"

namespace fairlead::volume::testing {

inline bool run(const std::vector<std::string>& argv) {
  const auto done = run_process(argv, std::chrono::seconds(60));
  if (done && done->exit_code == 0) return true;
  ADD_FAILURE() << argv.front() << ": " << (done ? done->err : done.error().text);
  return false;
}

// `type`: "btrfs", "xfs" or "ext4". Check ok() before use: where the kernel lacks something, skip
// with why().
class LoopDisk {
 public:
  explicit LoopDisk(const std::string& type, const std::string& size = "512M",
                    Where where = Where::kDisk)
      : scratch_(where) {
    if (!is_root()) {
      why_ = "mounting needs root";
      return;
    }
    const auto kinds = read_text("/proc/filesystems");
    if (kinds.find("\t" + type + "\n") == std::string::npos) {
      why_ = "the kernel has no " + type;
      return;
    }
    std::filesystem::create_directory(path());
    ok_ = run({"truncate", "-s", size, image()}) && run({"mkfs." + type, "-q", image()}) &&
          run({"mount", "-t", type, "-o", "loop", image(), path()});
    if (ok_) ::mount("", path().c_str(), nullptr, MS_PRIVATE, nullptr);
  }
  LoopDisk(const LoopDisk&) = delete;
  // The loop device goes with the mount (autoclear), a moment later.
  ~LoopDisk() {
    if (!ok_) return;
    for (int attempt = 0; attempt < 100; ++attempt) {
      if (::umount2(path().c_str(), UMOUNT_NOFOLLOW) == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ADD_FAILURE() << path() << " is still busy";
    ::umount2(path().c_str(), MNT_DETACH);
  }

  bool ok() const { return ok_; }
  const std::string& why() const { return why_; }
  std::string path() const { return scratch_ / "disk"; }
  std::string image() const { return scratch_ / "image"; }
  std::string operator/(const std::string& name) const { return path() + "/" + name; }

 private:
  Scratch scratch_;
  bool ok_ = false;
  std::string why_ = "the file system could not be made";
};

}  // namespace fairlead::volume::testing
