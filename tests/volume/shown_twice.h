// A volume folder as on a host that shows it twice: a bind mount with shared propagation.
#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

namespace fairlead::volume::testing {

// Each mount below `root` appears below `other` too, and goes with it. Needs root; nothing may be
// mounted in it at the end.
class ShownTwice {
 public:
  ShownTwice(std::string share, std::string root)
      : other(share + "/fl"), share_(std::move(share)), root_(std::move(root)) {
    std::filesystem::create_directories(share_);
    std::filesystem::create_directories(root_);
    expect(::mount("share", share_.c_str(), "tmpfs", 0, nullptr));
    expect(::mount("", share_.c_str(), nullptr, MS_SHARED, nullptr));
    std::filesystem::create_directory(other);
    expect(::mount(other.c_str(), root_.c_str(), nullptr, MS_BIND, nullptr));
  }
  ShownTwice(const ShownTwice&) = delete;
  ~ShownTwice() {
    expect(::umount2(root_.c_str(), UMOUNT_NOFOLLOW));
    expect(::umount2(share_.c_str(), UMOUNT_NOFOLLOW));
  }

  const std::string other;

 private:
  static void expect(int done) { EXPECT_EQ(done, 0) << std::strerror(errno); }

  std::string share_, root_;
};

}  // namespace fairlead::volume::testing
