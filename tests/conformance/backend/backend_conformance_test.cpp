// What every volume backend must do, the fake included. A new backend needs a World below.
#include <gmock/gmock.h>

#include <thread>

#include "base/hash.h"
#include "base/state/memory_store.h"
#include "tests/support/fake_backend.h"
#include "tests/volume/loop_disk.h"
#include "tests/volume/scratch.h"
#include "tests/volume/tree_facts.h"
#include "volume/backends/btrfs.h"
#include "volume/backends/dir.h"
#include "volume/backends/image.h"
#include "volume/kernel/btrfs.h"
#include "volume/service/archives.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::Holder;
using ::testing::IsEmpty;
using testing::Scratch;

// A backend, and what a test can do to its volumes from outside.
class World {
 public:
  virtual ~World() = default;
  virtual Backend& backend() = 0;
  virtual void hold(const Volume& volume) = 0;        // somebody mounts the data ...
  virtual void let_go(const Volume& volume) = 0;      // ... and stops
  virtual void lose(const Volume& volume) = 0;        // somebody deletes the data by hand
  virtual void half_build(const Volume& volume) = 0;  // as a create that died
  virtual bool is_empty() = 0;                        // nothing is left of any volume
  virtual std::map<std::string, std::string> usual_options() { return {}; }
  virtual VolumeOptions refused_options() { return {.inodes = 1000}; }
  virtual std::string why_not() { return ""; }  // the reason to skip the tests, or empty
  virtual bool holds_files() { return true; }
};

class FakeWorld : public World {
 public:
  Backend& backend() override { return fake_; }
  void hold(const Volume& volume) override { fake_.set_users(volume.id, "mounted by a test"); }
  void let_go(const Volume& volume) override { fake_.set_users(volume.id, ""); }
  void lose(const Volume& volume) override { fake_.lose(volume.id); }
  void half_build(const Volume& volume) override { fake_.half_build(volume.id); }
  bool is_empty() override { return fake_.leftovers() == 0; }
  bool holds_files() override { return false; }

 private:
  fairlead::testing::FakeBackend fake_;
};

class DirWorld : public World {
 public:
  Backend& backend() override { return *backend_; }
  void hold(const Volume& volume) override {
    std::filesystem::create_directory(scratch_ / "target");
    holder_ = std::make_unique<Holder>(backend_->data_path(volume), scratch_ / "target");
    ASSERT_TRUE(holder_->mounted());
  }
  void let_go(const Volume&) override { holder_.reset(); }
  void lose(const Volume& volume) override {
    std::filesystem::remove_all(scratch_ / ("root/vol/" + volume.id));
  }
  void half_build(const Volume& volume) override {
    std::filesystem::create_directories(scratch_ / ("root/tmp/" + volume.id + "/_data"));
  }
  bool is_empty() override {
    for (const char* part : {"root/vol", "root/tmp", "root/trash"})
      if (testing::is_there(scratch_ / part) && testing::entries_in(scratch_ / part) != 0)
        return false;
    return true;
  }

 private:
  Scratch scratch_;
  std::unique_ptr<Backend> backend_ = make_dir_backend(scratch_ / "root");
  std::unique_ptr<Holder> holder_;
};

class ImageWorld : public World {
 public:
  Backend& backend() override { return *backend_; }
  ~ImageWorld() override {
    holder_.reset();
    if (!testing::is_there(scratch_ / "root/vol")) return;
    for (const auto& volume : std::filesystem::directory_iterator(scratch_ / "root/vol"))
      ::umount2((volume.path() / "fs").c_str(), UMOUNT_NOFOLLOW);
  }
  void hold(const Volume& volume) override {
    std::filesystem::create_directory(scratch_ / "target");
    const auto path = backend_->mount(volume);
    ASSERT_TRUE(path) << path.error().text;
    holder_ = std::make_unique<Holder>(*path, scratch_ / "target");
    ASSERT_TRUE(holder_->mounted());
  }
  // The process takes its copy of the mount with it; the loop device is free a moment later.
  void let_go(const Volume&) override {
    holder_.reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  void lose(const Volume& volume) override {
    std::filesystem::remove_all(scratch_ / ("root/vol/" + volume.id));
  }
  void half_build(const Volume& volume) override {
    std::filesystem::create_directories(scratch_ / ("root/tmp/" + volume.id + "/fs"));
  }
  bool is_empty() override {
    for (const char* part : {"root/vol", "root/tmp", "root/trash"})
      if (testing::is_there(scratch_ / part) && testing::entries_in(scratch_ / part) != 0)
        return false;
    return true;
  }
  std::map<std::string, std::string> usual_options() override { return {{"size", "10m"}}; }
  VolumeOptions refused_options() override { return {.size = 1 << 30, .compress = "zstd"}; }
  std::string why_not() override {
    return ::access("/dev/loop-control", F_OK) == 0 ? "" : "no loop devices";
  }

 private:
  Scratch scratch_;
  std::unique_ptr<Backend> backend_ = make_image_backend(scratch_ / "root");
  std::unique_ptr<Holder> holder_;
};

class BtrfsWorld : public World {
 public:
  std::string why_not() override { return disk_.ok() ? "" : disk_.why(); }
  Backend& backend() override { return *backend_; }
  void hold(const Volume& volume) override {
    std::filesystem::create_directory(disk_ / "target");
    holder_ = std::make_unique<Holder>(backend_->data_path(volume), disk_ / "target");
    ASSERT_TRUE(holder_->mounted());
  }
  void let_go(const Volume&) override { holder_.reset(); }
  void lose(const Volume& volume) override {
    EXPECT_TRUE(remove_tree(*Folder::open(disk_ / "root/vol"), volume.id));
  }
  void half_build(const Volume& volume) override {
    const std::string folder = disk_ / ("root/tmp/" + volume.id);
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(btrfs::create(*Folder::open(folder), "fs"));
  }
  bool is_empty() override {
    for (const char* part : {"root/vol", "root/tmp", "root/trash"})
      if (testing::is_there(disk_ / part) && testing::entries_in(disk_ / part) != 0) return false;
    return true;
  }

 private:
  testing::LoopDisk disk_{"btrfs"};
  std::unique_ptr<Backend> backend_ = make_btrfs_backend(disk_ / "root");
  std::unique_ptr<Holder> holder_;
};

using MakeWorld = std::unique_ptr<World> (*)();
struct Row {
  const char* name;
  MakeWorld make;
};

class BackendConformance : public ::testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "mounting needs root";
    world = GetParam().make();
    if (const auto why = world->why_not(); !why.empty()) GTEST_SKIP() << why;
  }
  Backend& backend() { return world->backend(); }
  Volume a_volume(std::map<std::string, std::string> options = {}) {
    options.merge(world->usual_options());
    return {.id = random_hex(32),
            .name = VolumeName::parse("shop").value(),
            .backend = "any",
            .options = parse_options(options).value(),
            .created = 1000};
  }
  Status create(const Volume& volume) {
    Rollback undo;
    TRY_STATUS(backend().create(volume, undo));
    undo.commit();
    return {};
  }
  Volume created(std::map<std::string, std::string> options = {}) {
    Volume volume = a_volume(std::move(options));
    const auto done = create(volume);
    EXPECT_TRUE(done) << done.error().text;
    volume.phase = Phase::kReady;
    return volume;
  }
  Volume removed(Volume volume, long long now) {
    volume.deleted = now;
    const auto done = backend().remove(volume);
    EXPECT_TRUE(done) << done.error().text;
    return volume;
  }
  ReconcileReport sweep(long long now, const std::vector<std::string>& known = {}) {
    const auto is_known = [&](const std::string& id) -> Result<bool> {
      return std::ranges::find(known, id) != known.end();
    };
    return backend().sweep(now, is_known, {});
  }
  std::unique_ptr<World> world;
};

TEST_P(BackendConformance, AVolumeIsCreatedMountedUnmountedAndRemoved) {
  const Volume volume = created();
  const auto path = backend().mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_EQ(path->front(), '/');
  EXPECT_TRUE(path->ends_with("/_data"));
  EXPECT_EQ(backend().mount(volume).value(), *path);
  EXPECT_TRUE(backend().unmount(volume));
  EXPECT_TRUE(backend().unmount(volume));
  const Volume gone = removed(volume, 2000);
  EXPECT_EQ(backend().purge(gone, {}).value(), TrashState::kEmptied);
  EXPECT_TRUE(world->is_empty());
}

TEST_P(BackendConformance, VerbsAreIdempotent) {
  const Volume volume = created();
  EXPECT_TRUE(create(volume));
  const Volume gone = removed(volume, 2000);
  EXPECT_TRUE(backend().remove(gone));
  EXPECT_EQ(backend().purge(gone, {}).value(), TrashState::kEmptied);
  EXPECT_EQ(backend().purge(gone, {}).value(), TrashState::kEmptied);
  EXPECT_TRUE(backend().discard(gone));
}

TEST_P(BackendConformance, RemovingWhatNeverWasSucceeds) {
  const Volume volume = removed(a_volume(), 2000);
  EXPECT_EQ(backend().purge(volume, {}).value(), TrashState::kEmptied);
  EXPECT_TRUE(backend().discard(volume));
  EXPECT_TRUE(backend().unmount(volume));
  EXPECT_TRUE(world->is_empty());
}

TEST_P(BackendConformance, AnUndoneCreateLeavesNothing) {
  {
    Rollback undo;
    ASSERT_TRUE(backend().create(a_volume(), undo));
  }
  EXPECT_TRUE(world->is_empty());
}

TEST_P(BackendConformance, WhatACreateLeftIsDiscardedOrBuiltAnew) {
  const Volume half = a_volume();
  world->half_build(half);
  EXPECT_TRUE(backend().discard(half));
  EXPECT_TRUE(world->is_empty());
  world->half_build(half);
  EXPECT_TRUE(create(half));
  EXPECT_TRUE(backend().mount(half));
}

TEST_P(BackendConformance, UsersAreSeenUntilTheyLetGo) {
  const Volume volume = created();
  EXPECT_THAT(backend().users(volume).value(), IsEmpty());
  world->hold(volume);
  EXPECT_THAT(backend().users(volume).value(), HasSubstr("mounted"));
  world->let_go(volume);
  EXPECT_THAT(backend().users(volume).value(), IsEmpty());
}

TEST_P(BackendConformance, AMountCountOfTheRuntimeIsNoUser) {
  const Volume volume = created();
  ASSERT_TRUE(backend().mount(volume));
  EXPECT_THAT(backend().users(volume).value(), IsEmpty());
}

TEST_P(BackendConformance, TrashIsNotEmptiedWhileItIsMounted) {
  const Volume volume = created();
  world->hold(volume);
  const Volume gone = removed(volume, 2000);
  EXPECT_EQ(backend().purge(gone, {}).value(), TrashState::kLeft);
  sweep(3000);
  EXPECT_FALSE(world->is_empty());
  world->let_go(volume);
  sweep(3000);
  EXPECT_TRUE(world->is_empty());
}

TEST_P(BackendConformance, TrashIsKeptAsLongAsAskedFor) {
  removed(created({{"retain", "1h"}}), 2000);
  sweep(2000 + 3599);
  EXPECT_FALSE(world->is_empty());
  EXPECT_EQ(sweep(2000 + 3600).actions.size(), 1U);
  EXPECT_TRUE(world->is_empty());
}

TEST_P(BackendConformance, AnInterruptedPurgeIsFinishedBySweep) {
  const Volume gone = removed(created(), 2000);
  EXPECT_EQ(backend().purge(gone, [] { return true; }).value(), TrashState::kLeft);
  sweep(2000);
  EXPECT_TRUE(world->is_empty());
}

TEST_P(BackendConformance, SweepRemovesTheHalfBuiltThatNobodyKnows) {
  const Volume known = a_volume(), stray = a_volume();
  world->half_build(known);
  world->half_build(stray);
  EXPECT_EQ(sweep(1000, {known.id}).actions.size(), 1U);
  EXPECT_FALSE(world->is_empty());
  EXPECT_TRUE(sweep(1000, {known.id}).actions.empty());
  sweep(1000);
  EXPECT_TRUE(world->is_empty());
}

TEST_P(BackendConformance, DataWithoutARecordIsLeftAndFound) {
  const Volume volume = created();
  if (backend().name() == "fake") GTEST_SKIP() << "its data does not outlive the process";
  const auto report = sweep(1000);
  EXPECT_TRUE(report.actions.empty());
  EXPECT_TRUE(report.failures.empty());
  EXPECT_TRUE(backend().mount(volume));
  const auto found = backend().find_lost([](const std::string&) -> Result<bool> { return false; });
  ASSERT_TRUE(found) << found.error().text;
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().volume.id, volume.id);
  EXPECT_EQ(found->front().volume.name, volume.name);
  EXPECT_TRUE(found->front().named);
  EXPECT_FALSE(found->front().lost);
  EXPECT_TRUE(
      backend().find_lost([](const std::string&) -> Result<bool> { return true; })->empty());
}

TEST_P(BackendConformance, LostDataIsAnErrorNotAnEmptyVolume) {
  const Volume volume = created();
  EXPECT_EQ(backend().status(volume)->health, "ok");
  world->lose(volume);
  const auto mounted = backend().mount(volume);
  ASSERT_FALSE(mounted);
  EXPECT_NE(mounted.error().code, Code::kNotFound);  // the volume exists
  EXPECT_THAT(mounted.error().text, HasSubstr("missing"));
  EXPECT_THAT(backend().status(volume)->health, HasSubstr("missing"));
  EXPECT_THAT(backend().users(volume).value(), IsEmpty());
  EXPECT_TRUE(backend().remove(volume));
}

TEST_P(BackendConformance, StatusTellsWhetherItIsInUse) {
  const Volume volume = created();
  world->hold(volume);
  EXPECT_EQ(backend().status(volume)->in_use, true);
}

TEST_P(BackendConformance, OptionsThatCannotBeHonouredAreRefused) {
  EXPECT_TRUE(backend().validate(parse_options(world->usual_options()).value()));
  EXPECT_EQ(backend().validate(world->refused_options()).error().code, Code::kUnsupported);
}

TEST_P(BackendConformance, HundredVolumesLeaveNothing) {
  for (int k = 0; k < 100; ++k) {
    const Volume gone = removed(created(), 2000 + k);
    EXPECT_EQ(backend().purge(gone, {}).value(), TrashState::kEmptied);
  }
  EXPECT_TRUE(world->is_empty());
}

// --- what a volume may hold

// A registry of one backend.
class OnlyBackend : public BackendRegistry {
 public:
  explicit OnlyBackend(Backend& backend) : backend_(backend) {}
  Result<Choice> choose(const VolumeOptions& options) override {
    return Choice{backend_.name(), options.pool, &backend_, "the only one"};
  }
  Result<Backend*> find(const std::string&) override { return &backend_; }
  Result<Backend*> find(const Volume&) override { return &backend_; }
  std::vector<Backend*> all() override { return {&backend_}; }

 private:
  Backend& backend_;
};

class ContentConformance : public BackendConformance {
 protected:
  void SetUp() override {
    BackendConformance::SetUp();
    if (IsSkipped()) return;
    if (!world->holds_files()) GTEST_SKIP() << "it holds no files";
    registry = std::make_unique<OnlyBackend>(backend());
    service = make_volume_service(*store, locks, *registry);
    archives = make_volume_archives(*service, *store, locks, *registry);
  }
  VolumeSpec spec(const std::string& name, std::map<std::string, std::string> options = {}) {
    if (world->usual_options().contains("size")) options.try_emplace("size", "96m");
    return {.name = VolumeName::parse(name).value(),
            .options = parse_options(options).value(),
            .labels = {}};
  }
  using Look = std::function<void(const std::string& data)>;
  void look_into(const std::string& name, const Look& look) {
    SCOPED_TRACE(name);
    const auto mounted = service->mount(name, "test", "look");
    ASSERT_TRUE(mounted) << mounted.error().text;
    look(mounted->mountpoint);
    ASSERT_TRUE(service->unmount(name, "test", "look"));
  }
  // Fills the volume "shop", copies it in every way that there is, and looks into each copy.
  void copy_in_every_way(const Look& fill, const Look& look) {
    const Progress go_on = [](std::uint64_t, std::uint64_t) { return true; };
    const auto expect = [](const auto& done) { ASSERT_TRUE(done) << done.error().text; };
    expect(service->create(spec("shop"), go_on));
    look_into("shop", fill);
    expect(service->create(spec("clone", {{"from", "shop"}}), go_on));
    look_into("clone", look);

    expect(service->take_snapshot("shop", "monday", go_on));
    look_into("shop", [](const std::string& data) { testing::write_text(data + "/new", "new"); });
    expect(service->create(spec("of-monday", {{"from", "shop@monday"}}), go_on));
    look_into("of-monday", look);
    expect(service->roll_back("shop", "monday", go_on));
    look_into("shop", look);

    const std::string file = scratch / "archive";
    {
      const UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      const auto written = archives->export_to("shop", out.get(), go_on);
      expect(written);
      EXPECT_EQ(written->left_out, LeftOut{});
    }
    const UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const auto imported = archives->import_from(spec("imported"), in.get(), {}, go_on);
    expect(imported);
    EXPECT_EQ(imported->left_out, LeftOut{});
    look_into("imported", look);

    const auto backup = archives->back_up("shop", scratch / "backups", go_on);
    expect(backup);
    EXPECT_EQ(backup->left_out, LeftOut{});
    const auto restored =
        archives->restore(spec("restored"), scratch / "backups", backup->id, go_on);
    expect(restored);
    EXPECT_EQ(restored->left_out, LeftOut{});
    look_into("restored", look);
    for (const char* name : {"shop", "clone", "of-monday", "imported", "restored"})
      expect(service->remove(name));
    expect(service->reconcile());
    EXPECT_TRUE(world->is_empty());
  }

  Scratch scratch;
  std::unique_ptr<state::Store> store = state::make_memory_store();
  NamedLocks locks{scratch / "locks"};
  std::unique_ptr<BackendRegistry> registry;
  std::unique_ptr<VolumeService> service;
  std::unique_ptr<VolumeArchives> archives;
};

TEST_P(ContentConformance, WhatAVolumeMayHoldIsTheSameAfterEachWayToCopyIt) {
  std::map<std::string, std::string> facts;
  copy_in_every_way(
      [&](const std::string& data) {
        testing::make_rich_tree(data);
        testing::make_odd_tree(data);
        facts = testing::facts_of(data);
      },
      [&](const std::string& data) { EXPECT_EQ(testing::facts_of(data), facts); });
}

TEST_P(ContentConformance, APathLongerThanAnyCallTakesIsCopiedInEachWay) {
  copy_in_every_way(
      [](const std::string& data) { testing::make_deep_file(data, "down here"); },
      [](const std::string& data) { EXPECT_EQ(testing::read_deep_file(data), "down here"); });
}

template <class T>
std::unique_ptr<World> make() {
  return std::make_unique<T>();
}

const auto kRows =
    ::testing::Values(Row{"fake", make<FakeWorld>}, Row{"dir", make<DirWorld>},
                      Row{"image", make<ImageWorld>}, Row{"btrfs", make<BtrfsWorld>});
constexpr auto kName = [](const auto& row) { return row.param.name; };
INSTANTIATE_TEST_SUITE_P(Backends, BackendConformance, kRows, kName);
INSTANTIATE_TEST_SUITE_P(Backends, ContentConformance, kRows, kName);

}  // namespace
}  // namespace fairlead::volume
