#include "tests/support/power_cut.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <xfs/xfs.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/process.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/image_file.h"
#include "volume/kernel/mount.h"
#include "volume/kernel/mountinfo.h"
#include "volume/kernel/superblock.h"

namespace fairlead::testing {

namespace {

using namespace std::chrono_literals;
using volume::Folder;

constexpr int kMostTries = 500;  // of 10 ms

std::vector<std::string> mounted_beneath(const std::string& folder) {
  std::vector<std::string> found;
  for (const auto& mount : volume::parse_mountinfo(volume::testing::read_text(
           "/proc/self/task/" + std::to_string(::gettid()) + "/mountinfo")))
    if (mount.mount_point.starts_with(folder + "/")) found.push_back(mount.mount_point);
  std::ranges::reverse(found);  // those mounted last first
  return found;
}

// The number of loop devices bound to files on the device.
std::size_t loops_on(dev_t device) {
  const auto bound = volume::bound_images();
  if (!bound) return 0;
  return static_cast<std::size_t>(std::ranges::count(*bound, device, &volume::BoundImage::device));
}

unsigned number_of(const char* text) {
  return static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

}  // namespace

unsigned power_cuts(unsigned all) {
  const char* wanted = std::getenv("FAIRLEAD_POWER_CUTS");
  if (wanted == nullptr) return all / 2;
  return wanted == std::string_view("all") ? all : number_of(wanted);
}

unsigned power_cut_seed(const std::string& type) {
  const char* wanted = std::getenv("FAIRLEAD_POWER_CUT_SEED");
  if (wanted != nullptr) return number_of(wanted);
  return type == "xfs" ? 1 : 1001;  // a disk that breaks is followed by one with the next seed
}

void prefer_uncut(std::vector<std::string>& verbs, const std::map<std::string, unsigned>& cuts) {
  const auto was_cut = [&](const std::string& verb) { return cuts.contains(verb); };
  if (!std::ranges::all_of(verbs, was_cut)) std::erase_if(verbs, was_cut);
}

PowerCutDisk::PowerCutDisk(const std::string& type, std::uint64_t size) : type_(type) {
  if (!volume::testing::is_root() || !volume::testing::enter_own_mount_namespace())
    why_ = "no mount namespace of its own";
  else if (!volume::kernel_lists_filesystem(type))
    why_ = "the kernel has no " + type;
  else if (!make(type, size))
    why_ = "the disk could not be made";
}

PowerCutDisk::~PowerCutDisk() {
  if (!ok() || is_broken_) return;
  EXPECT_TRUE(unmount_all());
}

bool PowerCutDisk::make(const std::string& type, std::uint64_t size) {
  std::filesystem::create_directory(path());
  const auto folder = Folder::open(scratch_.path());
  const auto image = volume::make_sparse_file(*folder, "image", size);
  if (!image) return false;
  const std::vector<std::string> argv{"mkfs." + type, "-q", scratch_ / "image"};
  const auto made = run_process(argv, 60s);
  if (!made || made->exit_code != 0) return false;
  const auto superblock = volume::read_superblock(image->get());
  if (!superblock) return false;
  auto loop = volume::bind_loop(image->get(), {.block_size = superblock->sector_size});
  if (!loop) return false;
  loop_ = std::move(*loop);
  return mount();
}

bool PowerCutDisk::mount() {
  const auto mounted = volume::make_mount({.type = type_, .source = loop_->path()});
  if (!mounted) {
    ADD_FAILURE() << mounted.error().text;
    return false;
  }
  const auto folder = Folder::open(scratch_.path());
  const auto attached = volume::attach(mounted->get(), folder->fd(), "disk");
  if (!attached) ADD_FAILURE() << attached.error().text;
  const std::scoped_lock hold(guard_);
  root_ = UniqueFd(::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return attached.has_value() && root_;
}

void PowerCutDisk::cut() {
  std::uint32_t how = XFS_FSOP_GOING_FLAGS_NOLOGFLUSH;  // ext4 takes the same flag
  const std::scoped_lock hold(guard_);
  if (root_) ::ioctl(root_.get(), XFS_IOC_GOINGDOWN, &how);
}

bool PowerCutDisk::unmount_all() {
  struct stat info {};
  ::fstat(root_.get(), &info);
  for (int attempt = 0; attempt < kMostTries; ++attempt) {
    for (const std::string& mount : mounted_beneath(path()))
      ::umount2(mount.c_str(), UMOUNT_NOFOLLOW);
    if (mounted_beneath(path()).empty() && loops_on(info.st_dev) == 0) break;
    std::this_thread::sleep_for(10ms);
  }
  for (const std::string& mount : mounted_beneath(path())) {
    ADD_FAILURE() << mount << " is still busy";
    ::umount2(mount.c_str(), MNT_DETACH);
  }
  EXPECT_EQ(loops_on(info.st_dev), 0U) << "loop devices leaked";
  const std::scoped_lock hold(guard_);
  root_.reset();
  for (int attempt = 0; attempt < kMostTries; ++attempt) {
    if (::umount2(path().c_str(), UMOUNT_NOFOLLOW) == 0) return true;
    std::this_thread::sleep_for(10ms);
  }
  ::umount2(path().c_str(), MNT_DETACH);
  return false;
}

bool PowerCutDisk::restore() {
  const bool unmounted = unmount_all();
  EXPECT_TRUE(unmounted) << "something still has the disk open";
  if (!unmounted) return false;
  check();
  return is_broken_ || mount();
}

void PowerCutDisk::check() {
  if (type_ != "ext4") return;  // xfs repairs itself when it is mounted, or refuses
  constexpr int kErrorsLeft = 4;
  const std::vector<std::string> argv{"e2fsck", "-fp", loop_->path()};
  const auto checked = run_process(argv, 60s);
  if (checked && checked->exit_code < kErrorsLeft) return;
  fmt::print("the disk did not outlive the cut: {}\n",
             checked ? checked->out + checked->err : checked.error().text);
  is_broken_ = true;
}

PowerCut::PowerCut(PowerCutDisk& disk, std::chrono::microseconds after) {
  thread_ = std::thread([this, &disk, after] {
    std::unique_lock hold(guard_);
    if (changed_.wait_for(hold, after, [this] { return called_off_; })) return;
    begun_ = true;
    disk.cut();
  });
}

bool PowerCut::call_off() {
  {
    const std::scoped_lock hold(guard_);
    called_off_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  return begun_;
}

}  // namespace fairlead::testing
