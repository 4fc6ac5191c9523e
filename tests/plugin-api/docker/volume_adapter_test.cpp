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

}  // namespace
}  // namespace fairlead::docker::testing
