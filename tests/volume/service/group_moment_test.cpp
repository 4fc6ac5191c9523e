// Snapshots of several volumes under a writer that writes to one after the other: what one volume
// holds was never written after something that the other one lacks.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/state/memory_store.h"
#include "tests/support/fixed_backends.h"
#include "tests/volume/inner_subvolumes.h"
#include "tests/volume/loop_disk.h"
#include "tests/volume/spec.h"
#include "volume/backends/btrfs.h"
#include "volume/backends/dir.h"
#include "volume/backends/image.h"
#include "volume/kernel/freeze.h"
#include "volume/service/groups.h"

namespace fairlead::volume {
namespace {

using testing::LoopDisk;
using testing::Scratch;

// A container's view of a volume: mounted somewhere else.
class Container {
 public:
  Container(VolumeService& service, const std::string& name) : service_(service), name_(name) {
    const auto volume = service.mount(name, "docker", "writer");
    EXPECT_TRUE(volume) << volume.error().text;
    std::filesystem::create_directory(path());
    EXPECT_EQ(::mount(volume->mountpoint.c_str(), path().c_str(), nullptr, MS_BIND, nullptr), 0);
  }
  ~Container() {
    EXPECT_EQ(::umount2(path().c_str(), 0), 0);
    EXPECT_TRUE(service_.unmount(name_, "docker", "writer"));
  }
  std::string path() const { return scratch_ / "in"; }

 private:
  VolumeService& service_;
  const std::string name_;
  Scratch scratch_;
};

// Writes 1, 2, 3, ... to the first volume, makes it last, then to the second.
class Writer {
 public:
  // `file`: the one in both that is written to
  Writer(const Container& first, const Container& second, const std::string& file = "count")
      : first_(open_in(first, file)), second_(open_in(second, file)), thread_([this] { run(); }) {}
  ~Writer() {
    stop_ = true;
    thread_.join();
    EXPECT_FALSE(failed_);
  }
  std::uint64_t written() const { return written_; }

 private:
  static UniqueFd open_in(const Container& container, const std::string& file) {
    return UniqueFd(
        ::open((container.path() + "/" + file).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  }
  bool write(int fd, std::uint64_t count) {
    return ::pwrite(fd, &count, sizeof count, 0) == sizeof count && ::fdatasync(fd) == 0;
  }
  void run() {
    for (std::uint64_t count = 1; !stop_ && !failed_; ++count) {
      failed_ = !write(first_.get(), count) || !write(second_.get(), count);
      written_ = count;
    }
  }

  UniqueFd first_, second_;
  std::atomic<bool> stop_ = false, failed_ = false;
  std::atomic<std::uint64_t> written_ = 0;
  std::thread thread_;
};

struct World {
  explicit World(const std::string& below, const std::string& other = "")
      : disk(below, "1G", testing::Where::kMemory),
        more(other.empty() ? below : other, "1G", testing::Where::kMemory) {
    if (!disk.ok() || !more.ok()) return;
    add("image", make_image_backend(disk / "images"));
    if (below == "btrfs") add("btrfs", make_btrfs_backend(disk / "subvolumes"));
    if (below == "btrfs") add("btrfs2", make_btrfs_backend(more / "subvolumes"));
    add("dir", make_dir_backend(disk / "folders"));
    service = make_volume_service(*store, locks, backends);
    groups = make_volume_groups(*store, locks, backends);
  }
  void add(const std::string& name, std::unique_ptr<Backend> backend) {
    backends.add(name, std::move(backend));
  }
  void create(const std::string& name, const std::string& backend) {
    testing::Texts options{{"backend", backend}, {"label.group", "shop"}};
    if (backend == "image") options["size"] = "32m";
    const auto made = testing::create_volume(*service, name, options);
    ASSERT_TRUE(made) << made.error().text;
  }
  // A subvolume in a volume, as Docker in a container makes one for each layer.
  void nest(const std::string& name, const std::string& inner) {
    const auto folder = Folder::open(service->inspect(name)->mountpoint);
    ASSERT_EQ(testing::make_subvolume(folder->fd(), inner), 0);
  }
  std::uint64_t count_in(const std::string& name, const Snapshot& snapshot,
                         const std::string& in = "count") {
    const auto volume = service->inspect(name).value();
    const auto data = backends.find(volume).value()->open_data(volume, snapshot.id);
    EXPECT_TRUE(data) << data.error().text;
    std::uint64_t count = 0;
    const UniqueFd file(::openat(data->get(), in.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(!file || ::pread(file.get(), &count, sizeof count, 0) >= 0);
    return count;
  }

  LoopDisk disk, more;
  Scratch scratch{testing::Where::kMemory};
  std::unique_ptr<state::Store> store = state::make_memory_store();
  NamedLocks locks{scratch / "locks"};
  fairlead::testing::FixedBackends backends;
  std::unique_ptr<VolumeService> service;
  std::unique_ptr<VolumeGroups> groups;
};

struct Kinds {
  std::string name, first, second;
  int rounds;
};

class GroupMomentTest : public ::testing::TestWithParam<Kinds> {
 protected:
  void SetUp() override {
    if (!world.disk.ok()) GTEST_SKIP() << world.disk.why();
    world.create("first", GetParam().first);
    world.create("second", GetParam().second);
  }
  // How far the second volume is ahead of the first one in this pair of snapshots; -1: one behind,
  // as it may be.
  long long ahead(const Snapshot& first, const Snapshot& second) {
    return static_cast<long long>(world.count_in("second", second)) -
           static_cast<long long>(world.count_in("first", first));
  }
  World world{"btrfs"};
};

TEST_P(GroupMomentTest, TheSecondIsNeverAheadAndAtMostOneBehind) {
  const Container first(*world.service, "first"), second(*world.service, "second");
  const Writer writer(first, second);
  while (writer.written() == 0) std::this_thread::yield();
  std::set<std::string> groups;
  for (int round = 0; round < GetParam().rounds; ++round) {
    const auto taken = world.groups->take("shop", "", {});
    ASSERT_TRUE(taken) << taken.error().text;
    ASSERT_EQ(taken->size(), 2U);
    EXPECT_EQ((*taken)[0].snapshot.group, (*taken)[1].snapshot.group);
    EXPECT_TRUE(groups.insert((*taken)[0].snapshot.group).second);
    const long long by = ahead((*taken)[0].snapshot, (*taken)[1].snapshot);
    EXPECT_TRUE(by == 0 || by == -1) << "round " << round << ": " << by;
    ASSERT_TRUE(world.groups->drop("shop", (*taken)[0].snapshot.name.str()));
  }
}

// The control: what the test looks for is there when the snapshots are taken one by one.
TEST_P(GroupMomentTest, OneAfterTheOtherTheSecondIsAhead) {
  const Container first(*world.service, "first"), second(*world.service, "second");
  const Writer writer(first, second);
  long long most = -1;
  for (int round = 0; round < 200 && most <= 0; ++round) {
    const auto one = world.service->take_snapshot("first", "", {});
    const auto before = writer.written();
    while (writer.written() < before + 3) std::this_thread::yield();
    const auto other = world.service->take_snapshot("second", "", {});
    ASSERT_TRUE(one && other);
    most = std::max(most, ahead(*one, *other));
    ASSERT_TRUE(world.service->drop_snapshot("first", one->name.str()));
    ASSERT_TRUE(world.service->drop_snapshot("second", other->name.str()));
  }
  EXPECT_GT(most, 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GroupMomentTest,
                         ::testing::Values(Kinds{"images", "image", "image", 30},
                                           Kinds{"subvolumes", "btrfs", "btrfs", 100},
                                           Kinds{"image_then_subvolume", "image", "btrfs", 20},
                                           Kinds{"subvolume_then_image", "btrfs", "image", 20}),
                         [](const auto& kinds) { return kinds.param.name; });

struct GroupTest : ::testing::Test {
  void SetUp() override {
    if (!world.disk.ok() || !world.more.ok()) GTEST_SKIP() << world.disk.why();
  }
  World world{"btrfs"};
};

TEST_F(GroupTest, EightBusySubvolumesComeIntoOneTransaction) {
  std::vector<std::unique_ptr<Container>> containers;
  for (int k = 0; k < 8; ++k) {
    const std::string name = fmt::format("v{:02}", k);
    world.create(name, "btrfs");
    containers.push_back(std::make_unique<Container>(*world.service, name));
  }
  std::vector<std::unique_ptr<Writer>> writers;
  for (std::size_t k = 0; k < 8; k += 2)
    writers.push_back(std::make_unique<Writer>(*containers[k], *containers[k + 1]));
  for (int round = 0; round < 3; ++round) {
    const auto taken = world.groups->take("shop", "", {});
    ASSERT_TRUE(taken) << taken.error().text;
    ASSERT_EQ(taken->size(), 8U);
    for (std::size_t k = 0; k < 8; k += 2) {
      const auto count = [&](std::size_t i) {
        const VolumeSnapshot& one = (*taken)[i];
        return world.count_in(one.volume.str(), one.snapshot);
      };
      EXPECT_LE(count(k + 1), count(k));
      EXPECT_LE(count(k), count(k + 1) + 1);
    }
  }
}

// Those inside are taken at the moment of the others: the writer goes from a subvolume in one volume
// to one in the other, both of which have more beside it.
TEST_F(GroupTest, SubvolumesInsideAreTakenAtTheSameMoment) {
  for (const char* const name : {"first", "second"}) {
    world.create(name, "btrfs");
    world.nest(name, "layer");
    world.nest(name, "idle");
  }
  world.create("third", "image");
  const Container first(*world.service, "first"), second(*world.service, "second"),
      third(*world.service, "third");
  const Writer writer(first, second, "layer/count"), to_image(second, third);
  while (writer.written() == 0 || to_image.written() == 0) std::this_thread::yield();
  for (int round = 0; round < 3; ++round) {
    const auto taken = world.groups->take("shop", "", {});
    ASSERT_TRUE(taken) << taken.error().text;
    ASSERT_EQ(taken->size(), 3U);
    const auto count = [&](std::size_t which, const std::string& file) {
      const VolumeSnapshot& one = (*taken)[which];
      return world.count_in(one.volume.str(), one.snapshot, file);
    };
    EXPECT_GT(count(0, "layer/count"), 0U);
    EXPECT_LE(count(1, "layer/count"), count(0, "layer/count"));
    EXPECT_LE(count(0, "layer/count"), count(1, "layer/count") + 1);
    EXPECT_LE(count(2, "count"), count(1, "count"));
    EXPECT_LE(count(1, "count"), count(2, "count") + 1);
  }
}

// With a volume on each in use there is no moment; while nobody uses one of them, there is.
TEST_F(GroupTest, TwoFileSystemsInUseAreRefused) {
  world.create("one", "btrfs");
  world.create("two", "btrfs2");
  const Container one(*world.service, "one");
  {
    const Container two(*world.service, "two");
    const auto refused = world.groups->take("shop", "monday", {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kUnsupported);
    EXPECT_NE(refused.error().text.find("two btrfs file systems"), std::string::npos);
  }
  EXPECT_TRUE(world.service->inspect("one")->snapshots.empty());
  EXPECT_FALSE(world.service->inspect("one")->change);
  const auto taken = world.groups->take("shop", "monday", {});
  EXPECT_TRUE(taken) << taken.error().text;
}

// A folder in use cannot be copied at one moment: nothing is left of the others.
TEST_F(GroupTest, OneThatCannotKeepsTheOthersFromIt) {
  world.create("one", "btrfs");
  world.create("pic", "image");
  world.create("two", "dir");
  const Container one(*world.service, "one"), pic(*world.service, "pic");
  {
    const Container two(*world.service, "two");
    const auto refused = world.groups->take("shop", "monday", {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInUse);
    EXPECT_NE(refused.error().text.find("volume \"two\""), std::string::npos)
        << refused.error().text;
  }
  for (const char* name : {"one", "pic", "two"})
    EXPECT_TRUE(world.service->inspect(name)->snapshots.empty());
  const auto taken = world.groups->take("shop", "monday", {});
  EXPECT_TRUE(taken) << taken.error().text;
}

// A file system that somebody holds frozen cannot be taken; the other one is thawed at once, and
// goes on.
TEST_F(GroupTest, AfterAFailureNothingIsFrozen) {
  world.create("one", "image");
  world.create("two", "image");
  const Container one(*world.service, "one"), two(*world.service, "two");
  const UniqueFd fs(::open(two.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  {
    auto frozen = Frozen::freeze(fs.get());
    ASSERT_TRUE(frozen) << frozen.error().text;
    ASSERT_FALSE(world.groups->take("shop", "monday", {}));
    (void)frozen->thaw();  // the flush of the group may have waited for the watchdog
  }
  for (const Container* in : {&one, &two}) {
    const UniqueFd file(::open((in->path() + "/f").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    EXPECT_EQ(::write(file.get(), "x", 1), 1);
  }
  EXPECT_TRUE(world.groups->take("shop", "monday", {}));
}

}  // namespace
}  // namespace fairlead::volume
