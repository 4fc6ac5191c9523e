// A volume folder for backend image on a file system of its own, and verbs to test it with.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include <memory>
#include <optional>
#include <string>

#include "tests/volume/backends/a_volume.h"
#include "tests/volume/loop_disk.h"
#include "volume/backends/image.h"
#include "volume/kernel/image_file.h"
#include "volume/kernel/loop.h"

namespace fairlead::volume::testing {

// `below`: "" for the scratch folder's own file system, which is not asked to share blocks; "xfs"
// or "btrfs" for a disk that does.
class ImageWorld {
 public:
  explicit ImageWorld(const std::string& below = "") {
    if (!is_root() || ::access("/dev/loop-control", F_OK) != 0) {
      why_ = "no loop devices";
      return;
    }
    if (!below.empty()) disk_.emplace(below, "2G");
    if (disk_ && !disk_->ok()) {
      why_ = disk_->why();
      return;
    }
    root_ = (disk_ ? disk_->path() : scratch_.path()) + "/root";
    backend_ = make_image_backend(root_);
  }
  ImageWorld(const ImageWorld&) = delete;
  ~ImageWorld() {
    for (const Volume& volume : made_) {
      EXPECT_TRUE(backend_->unmount(volume));
      await_no_loop(volume);
    }
  }

  const std::string& why() const { return why_; }  // not empty: skip
  Backend& backend() { return *backend_; }
  Backend* operator->() { return backend_.get(); }
  const std::string& root() const { return root_; }
  std::string operator/(const std::string& name) const { return root_ + "/" + name; }
  std::string at(const Volume& volume, const std::string& name) const {
    return root_ + "/vol/" + volume.id + "/" + name;
  }
  std::string data(const Volume& volume) const { return at(volume, "fs/_data"); }

  Volume a_volume(std::map<std::string, std::string> options = {}) {
    options.try_emplace("size", "32m");
    return made_.emplace_back(testing::a_volume("image", std::move(options)));
  }
  Volume created(std::map<std::string, std::string> options = {}) {
    return made_by(*backend_, a_volume(std::move(options)));
  }
  Volume mounted(std::map<std::string, std::string> options = {}) {
    const Volume volume = created(std::move(options));
    const auto done = backend_->mount(volume);
    EXPECT_TRUE(done) << done.error().text;
    return volume;
  }
  Status clone(const Volume& volume, const Volume& source, const std::string& snapshot_id = "") {
    Rollback undo;
    TRY_STATUS(backend_->clone(volume, source, snapshot_id, undo, {}));
    undo.commit();
    return {};
  }
  static Snapshot a_snapshot(const std::string& name = "monday") {
    return {.id = random_hex(32), .name = SnapshotName::parse(name).value(), .created = 1000};
  }
  // Which loop devices show the volume's image: none, or one.
  std::optional<unsigned> loop_of(const Volume& volume) const {
    const auto folder = Folder::open(root_ + "/vol/" + volume.id);
    if (!folder) return std::nullopt;
    const auto image = open_image(*folder, "disk.img", Open::kReadOnly);
    if (!image) return std::nullopt;
    const auto loop = find_loop(image->get()).value();
    return loop ? std::optional(loop->number) : std::nullopt;
  }
  void await_no_loop(const Volume& volume) const {
    for (int attempt = 0; attempt < 2000 && loop_of(volume); ++attempt)  // of 10 ms: a busy disk
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_FALSE(loop_of(volume)) << volume.id;
  }
  bool fsck(const std::string& image) const {
    std::string magic(4, '\0');
    std::ifstream(image).read(magic.data(), 4);
    return magic == "XFSB" ? run({"xfs_repair", "-n", "-f", image}) : run({"e2fsck", "-fn", image});
  }

 private:
  Scratch scratch_;
  std::optional<LoopDisk> disk_;
  std::string root_, why_;
  std::unique_ptr<Backend> backend_;
  std::vector<Volume> made_;
};

// The text of a file below a folder that is held by descriptor.
inline std::string read_at(int folder, const std::string& name) {
  const UniqueFd file(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(4096, '\0');
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : -1;
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return got < 0 ? "(no such file)" : text;
}

}  // namespace fairlead::volume::testing
