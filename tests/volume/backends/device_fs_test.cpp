// The file system of a volume on a plain block device: a loop device that the test attaches itself
// and that held other things before.
#include "volume/backends/device_fs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <xfs/xfs.h>

#include <atomic>
#include <thread>

#include "base/hash.h"
#include "tests/volume/loop_disk.h"
#include "volume/backends/fs_tools.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::run;
using testing::Scratch;
using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1 << 20;

class Device {
 public:
  explicit Device(std::uint64_t size) : size_(size) {
    if (!testing::is_root() || ::access("/dev/loop-control", F_OK) != 0) return;
    if (!run({"truncate", "-s", std::to_string(size), file()})) return;
    soil();
    const std::vector<std::string> attach{"losetup", "--find", "--show", file()};
    const auto made = run_process(attach, 60s);
    if (made && made->exit_code == 0) path_ = made->out.substr(0, made->out.find('\n'));
  }
  Device(const Device&) = delete;
  ~Device() {
    if (!path_.empty()) run({"losetup", "--detach", path_});
  }
  bool ok() const { return !path_.empty(); }
  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  std::string digest() const {
    const std::vector<std::string> sum{"sha256sum", file()};
    const auto done = run_process(sum, 60s);
    return done ? done->out : done.error().text;
  }
  UniqueFd open() const { return UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)); }
  void enlarge(std::uint64_t size) {
    size_ = size;
    EXPECT_TRUE(run({"truncate", "-s", std::to_string(size), file()}));
    EXPECT_TRUE(run({"losetup", "--set-capacity", path_}));
  }

 private:
  std::string file() const { return scratch_ / "disk"; }
  // What is not written must not be taken for zeros.
  void soil() const {
    const UniqueFd disk(::open(file().c_str(), O_WRONLY | O_CLOEXEC));
    const std::string dirt(kMiB, '\xa5');
    for (std::uint64_t at = 0; at < size_; at += kMiB)
      EXPECT_EQ(::pwrite(disk.get(), dirt.data(), dirt.size(), static_cast<off_t>(at)),
                static_cast<ssize_t>(dirt.size()));
  }

  Scratch scratch_;
  std::uint64_t size_;
  std::string path_;
};

class DeviceFsTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!device.ok()) GTEST_SKIP() << "no loop devices";
    const auto made = FileSystemOnDevice::make(device.path(), identity, device.size(), options,
                                               Storage::kUnknown);
    ASSERT_TRUE(made) << made.error().text;
  }
  FileSystemOnDevice opened() const {
    auto fs = FileSystemOnDevice::open(device.open().get(), device.path(), identity);
    EXPECT_TRUE(fs) << fs.error().text;
    return std::move(fs.value());
  }
  // With the data folder in it.
  UniqueFd mounted() const {
    auto mount = opened().mount(options);
    EXPECT_TRUE(mount) << mount.error().text;
    if (!mount) return {};
    if (::faccessat(mount->get(), "_data", F_OK, 0) != 0)
      EXPECT_TRUE(make_data_folder(mount->get(), options));
    return std::move(*mount);
  }
  static Status write(int mount, const std::string& text) {
    const UniqueFd file(
        ::openat(mount, "_data/file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file || ::write(file.get(), text.data(), text.size()) < 0 || ::fsync(file.get()) != 0)
      return fail_errno(errno, "write");
    return {};
  }
  static std::string read(int mount) {
    std::string text(100, '\0');
    const UniqueFd file(::openat(mount, "_data/file", O_RDONLY | O_CLOEXEC));
    const auto got = ::read(file.get(), text.data(), text.size());
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }
  static std::uint64_t room(int mount) {
    struct statvfs info {};
    EXPECT_EQ(::fstatvfs(mount, &info), 0);
    return info.f_blocks * info.f_frsize;
  }
  void expect_clean() const {
    const auto report = opened().check(false);
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_TRUE(report->clean) << fmt::format("{}", fmt::join(report->findings, "\n"));
  }

  const bool is_ext4 = GetParam() == "ext4";
  Device device{is_ext4 ? 64 * kMiB : 300 * kMiB};
  const FsIdentity identity{GetParam(), random_hex(32)};
  VolumeOptions options{.uid = 7, .gid = 8, .mode = 02750, .fstype = GetParam()};
};

TEST_P(DeviceFsTest, HoldsDataOnADeviceThatHeldOtherThings) {
  {
    const auto mount = mounted();
    struct stat data {};
    ASSERT_EQ(::fstatat(mount.get(), "_data", &data, AT_SYMLINK_NOFOLLOW), 0);
    EXPECT_EQ(data.st_uid, 7U);
    EXPECT_EQ(data.st_gid, 8U);
    EXPECT_EQ(data.st_mode & 07777U, 02750U);
    ASSERT_TRUE(write(mount.get(), "goods"));
  }
  expect_clean();
  const auto again = mounted();
  EXPECT_EQ(read(again.get()), "goods");
  EXPECT_EQ(opened().superblock().type, GetParam());
}

TEST_P(DeviceFsTest, AnotherFileSystemIsNotTouched) {
  const FsIdentity other{GetParam(), random_hex(32)};
  const auto refused = FileSystemOnDevice::open(device.open().get(), device.path(), other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr("the device is not this volume's"));
  EXPECT_THAT(refused.error().text, HasSubstr(identity.uuid));
  const Device dirty(kMiB);
  EXPECT_EQ(FileSystemOnDevice::open(dirty.open().get(), dirty.path(), identity).error().code,
            Code::kConflict);
}

TEST_P(DeviceFsTest, AFurtherMountIsOfTheSameFileSystem) {
  const auto first = mounted();
  VolumeOptions read_only = options;
  read_only.access = Access::kReadOnly;
  const auto second = opened().mount(read_only);
  ASSERT_TRUE(second) << second.error().text;
  ASSERT_TRUE(write(first.get(), "goods"));
  EXPECT_EQ(read(second->get()), "goods");
  EXPECT_EQ(write(second->get(), "more").error().sys_errno, EROFS);
}

TEST_P(DeviceFsTest, AReadOnlyMountWritesNothing) {
  ASSERT_TRUE(write(mounted().get(), "goods"));
  const std::string before = device.digest();
  {
    const auto mount = opened().mount_read_only();
    ASSERT_TRUE(mount) << mount.error().text;
    EXPECT_EQ(read(mount->get()), "goods");
    EXPECT_EQ(write(mount->get(), "more").error().sys_errno, EROFS);
  }
  EXPECT_EQ(device.digest(), before);
  ASSERT_TRUE(write(mounted().get(), "more"));
  EXPECT_NE(device.digest(), before);
}

TEST_P(DeviceFsTest, NobodyWritesAtTheOneMoment) {
  const auto mount = mounted();
  std::atomic<int> written = 0;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop)
      if (write(mount.get(), "x")) ++written;
  });
  while (written == 0) std::this_thread::sleep_for(1ms);
  bool was_flushed = false;
  const auto done = opened().at_one_moment(
      [&]() -> Status {
        was_flushed = true;
        return {};
      },
      [&]() -> Status {
        EXPECT_TRUE(was_flushed);
        std::this_thread::sleep_for(50ms);  // one that was on its way
        const int before = written;
        std::this_thread::sleep_for(200ms);
        EXPECT_EQ(written, before);
        return {};
      });
  EXPECT_TRUE(done) << done.error().text;
  const int after = written;
  for (int k = 0; k < 1000 && written == after; ++k) std::this_thread::sleep_for(10ms);
  EXPECT_GT(written, after);
  stop = true;
  writer.join();
  const auto failed = opened().at_one_moment(
      [] { return Status(); }, [] { return Status(fail(Code::kExhausted, "no room")); });
  EXPECT_EQ(failed.error().code, Code::kExhausted);
  EXPECT_TRUE(write(mount.get(), "y"));  // thawed all the same
}

TEST_P(DeviceFsTest, GrowsWithItsDevice) {
  ASSERT_TRUE(write(mounted().get(), "goods"));
  const auto before = room(mounted().get());
  device.enlarge(device.size() + 64 * kMiB);
  const auto grown = opened().grow(device.size());
  if (!grown) {  // ext4, without CAP_SYS_RESOURCE
    ASSERT_EQ(grown.error().code, Code::kUnsupported) << grown.error().text;
    const auto resized = opened().resize_unmounted(device.size());
    ASSERT_TRUE(resized) << resized.error().text;
  }
  EXPECT_GT(room(mounted().get()), before + 60 * kMiB);
  EXPECT_EQ(read(mounted().get()), "goods");
  expect_clean();
}

TEST_P(DeviceFsTest, ALogIsPlayedBackByMountingOnce) {
  {
    const auto mount = mounted();
    ASSERT_TRUE(write(mount.get(), "goods"));
    const UniqueFd root(::openat(mount.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::uint32_t how = XFS_FSOP_GOING_FLAGS_NOLOGFLUSH;  // ext4 takes the same flag
    ASSERT_EQ(::ioctl(root.get(), XFS_IOC_GOINGDOWN, &how), 0);
  }
  EXPECT_TRUE(opened().may_need_recovery());
  const auto recovered = opened().recover();
  EXPECT_TRUE(recovered) << recovered.error().text;
  EXPECT_FALSE(opened().superblock().needs_recovery);
  expect_clean();
  EXPECT_EQ(read(mounted().get()), "goods");
}

TEST_P(DeviceFsTest, DamageIsFoundAndRepaired) {
  if (!is_ext4) GTEST_SKIP() << "done for ext4";
  ASSERT_TRUE(write(mounted().get(), "goods"));
  ASSERT_TRUE(run({"debugfs", "-w", "-R", "clri /_data/file", device.path()}));
  const auto found = opened().check(false);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_FALSE(found->clean);
  EXPECT_FALSE(found->findings.empty());
  const auto repaired = opened().check(true);
  ASSERT_TRUE(repaired) << repaired.error().text;
  EXPECT_TRUE(repaired->clean);
  expect_clean();
}

INSTANTIATE_TEST_SUITE_P(On, DeviceFsTest, ::testing::Values("ext4", "xfs"),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace fairlead::volume
