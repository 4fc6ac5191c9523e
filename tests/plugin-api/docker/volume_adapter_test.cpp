#include "plugin-api/docker/volume_adapter.h"

#include "tests/plugin-api/docker/docker_fixture.h"

namespace fairlead::docker::testing {
namespace {

using ::testing::DoAll;
using ::testing::SaveArg;

class VolumeAdapterTest : public ::testing::Test {
 protected:
  Plugin plugin;
  VolumeAdapter adapter{plugin.volumes};
};

TEST_F(VolumeAdapterTest, CreatesAVolumeWithItsOptions) {
  volume::VolumeSpec spec;
  EXPECT_CALL(plugin.volumes, create)
      .WillOnce(DoAll(SaveArg<0>(&spec), Return(data_volume("data"))));
  EXPECT_TRUE(adapter.create({.name = "data", .options = {{"size", "1G"}}}));
  EXPECT_EQ(spec.name.str(), "data");
  EXPECT_EQ(spec.options.size, 1U << 30);
}

TEST_F(VolumeAdapterTest, RefusesOptionsThatCannotBeReadAndNamesTheVolume) {
  EXPECT_CALL(plugin.volumes, create).Times(0);
  const auto refused = adapter.create({.name = "data", .options = {{"sise", "1G"}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(refused.error().text,
            "create volume \"data\": unknown volume option \"sise\"; did you mean \"size\"?");
}

TEST_F(VolumeAdapterTest, RefusesNamesThatCouldBePaths) {
  EXPECT_CALL(plugin.volumes, create).Times(0);
  for (const char* name : {"", "..", "../etc", "a/b", "a b", "x\n"})
    EXPECT_FALSE(adapter.create({.name = name, .options = {}})) << name;
}

TEST_F(VolumeAdapterTest, MountsForDocker) {
  EXPECT_CALL(plugin.volumes, mount("data", "docker", "id1")).WillOnce(Return(data_volume("data")));
  EXPECT_EQ(adapter.mount({"data", "id1"}).value().path, "/var/lib/fairlead/volumes/0123/_data");
  EXPECT_CALL(plugin.volumes, unmount("data", "docker", "id1")).WillOnce(Return(Status()));
  EXPECT_TRUE(adapter.unmount({"data", "id1"}));
}

TEST_F(VolumeAdapterTest, SucceedsInUnmountingWhatIsGone) {
  ON_CALL(plugin.volumes, unmount).WillByDefault(Return(none("no volume data")));
  EXPECT_TRUE(adapter.unmount({"data", "id1"}));
}

TEST_F(VolumeAdapterTest, SaysWhenAVolumeIsNotThere) {
  ON_CALL(plugin.volumes, inspect).WillByDefault(Return(none("there is no volume data")));
  ON_CALL(plugin.volumes, remove).WillByDefault(Return(none("there is no volume data")));
  EXPECT_EQ(adapter.get({"data"}).error().code, Code::kNotFound);
  EXPECT_EQ(adapter.path({"data"}).error().code, Code::kNotFound);
  EXPECT_EQ(adapter.remove({"data"}).error().code, Code::kNotFound);
}

TEST_F(VolumeAdapterTest, ShowsTheStatusOfOneVolumeAndNoneInLists) {
  EXPECT_EQ(adapter.get({"data"}).value().status.health, "ok");
  EXPECT_CALL(plugin.volumes, status).Times(0);
  EXPECT_EQ(adapter.list({}).value().size(), 1U);
}

// --- snapshots, whose names have an '@'

volume::SnapshotView monday() {
  volume::SnapshotView view;
  view.volume = VolumeName::parse("data").value();
  view.snapshot.name = SnapshotName::parse("monday").value();
  view.mountpoint = "/var/lib/fairlead/volumes/vol/0123/views/77/_data";
  return view;
}

TEST_F(VolumeAdapterTest, ASnapshotIsMountedByItsName) {
  EXPECT_CALL(plugin.volumes, mount).Times(0);
  EXPECT_CALL(plugin.volumes, mount_snapshot("data", "monday", "docker", "id1"))
      .WillOnce(Return(monday()));
  EXPECT_EQ(adapter.mount({"data@monday", "id1"}).value().path, monday().mountpoint);
  EXPECT_CALL(plugin.volumes, unmount_snapshot("data", "monday", "docker", "id1"))
      .WillOnce(Return(Status()));
  EXPECT_TRUE(adapter.unmount({"data@monday", "id1"}));
  ON_CALL(plugin.volumes, inspect_snapshot).WillByDefault(Return(monday()));
  EXPECT_EQ(adapter.path({"data@monday"}).value().path, monday().mountpoint);
  EXPECT_EQ(adapter.get({"data@monday"}).value().view->name(), "data@monday");
}

TEST_F(VolumeAdapterTest, ASnapshotThatIsThereNeedsNotBeMade) {
  EXPECT_CALL(plugin.volumes, create).Times(0);
  ON_CALL(plugin.volumes, inspect_snapshot).WillByDefault(Return(monday()));
  EXPECT_TRUE(adapter.create({.name = "data@monday", .options = {}}));
  const auto options = adapter.create({.name = "data@monday", .options = {{"size", "1g"}}});
  EXPECT_EQ(options.error().code, Code::kInvalid);
  EXPECT_THAT(options.error().text, ::testing::HasSubstr("-o snapshot=data@monday"));
  ON_CALL(plugin.volumes, inspect_snapshot)
      .WillByDefault(Return(none("volume \"data\" has no snapshot \"monday\"")));
  const auto missing = adapter.create({.name = "data@monday", .options = {}});
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().text, ::testing::HasSubstr("fairlead snapshot create data@monday"));
}

TEST_F(VolumeAdapterTest, ASnapshotIsNotRemovedAsAVolume) {
  EXPECT_CALL(plugin.volumes, remove).Times(0);
  EXPECT_CALL(plugin.volumes, drop_snapshot).Times(0);
  const auto refused = adapter.remove({"data@monday"});
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_THAT(refused.error().text, ::testing::HasSubstr("fairlead snapshot rm data@monday"));
}

}  // namespace
}  // namespace fairlead::docker::testing
