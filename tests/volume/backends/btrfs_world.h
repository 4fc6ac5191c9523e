// The backend `btrfs` in a file system of its own.
#pragma once

#include <fcntl.h>

#include <memory>

#include "tests/volume/backends/a_volume.h"
#include "tests/volume/loop_disk.h"
#include "volume/backends/btrfs.h"

namespace fairlead::volume::testing {

inline constexpr std::uint64_t kMiB = 1 << 20;

struct BtrfsWorld : ::testing::Test {
  void SetUp() override {
    if (!disk.ok()) GTEST_SKIP() << disk.why();
    backend = make_btrfs_backend(disk / "root");
  }
  Volume created(std::map<std::string, std::string> options = {}) {
    return made_by(*backend, a_volume("btrfs", std::move(options)));
  }
  Volume cloned(const Volume& source, const std::string& snapshot,
                std::map<std::string, std::string> options = {}) {
    Volume volume = a_volume("btrfs", std::move(options));
    Rollback undo;
    const auto done = backend->clone(volume, source, snapshot, undo, {});
    EXPECT_TRUE(done) << done.error().text;
    undo.commit();
    return volume;
  }
  static Snapshot a_snapshot() { return {.id = random_hex(32)}; }
  std::string data(const Volume& volume, const std::string& name) {
    return backend->data_path(volume) + "/" + name;
  }
  std::string at(const Volume& volume, const std::string& name) const {
    return disk / fmt::format("root/vol/{}/{}", volume.id, name);
  }
  // 0, or the errno of the write that failed.
  static int fill(const std::string& path, std::uint64_t bytes) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    std::string block(kMiB, '\0');
    unsigned state = 1;  // noise: nothing to compress
    for (char& c : block) c = static_cast<char>((state = state * 1103515245U + 12345U) >> 24);
    for (std::uint64_t done = 0; done < bytes; done += kMiB)
      if (::write(file.get(), block.data(), block.size()) < 0) return errno;
    return ::fsync(file.get()) == 0 ? 0 : errno;
  }

  LoopDisk disk{"btrfs"};
  std::unique_ptr<Backend> backend;
};

}  // namespace fairlead::volume::testing
