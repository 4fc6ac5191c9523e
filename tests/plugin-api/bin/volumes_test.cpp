// What of the configuration changes for volumes while the daemon runs.
#include "plugin-api/bin/volumes.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "base/state/sqlite_store.h"
#include "tests/volume/scratch.h"
#include "tests/volume/spec.h"

namespace fairlead {
namespace {

using ::testing::HasSubstr;
using volume::testing::Scratch;

struct LiveConfigurationTest : ::testing::Test {
  void SetUp() override {
    if (!volume::testing::is_root()) GTEST_SKIP() << "volumes need root";
    paths.run_dir = scratch / "run";
    paths.state_dir = scratch.path();
    paths.run_hooks = false;
    std::filesystem::create_directories(paths.run_dir);
    std::filesystem::create_directories(paths.volumes());
    store = state::open_sqlite_store(paths.database()).value();
    locks = std::make_unique<NamedLocks>(paths.lock_dir());
    volumes = make_volumes(paths, *store, *locks);
  }
  // Makes a volume and removes it again; what was wrong, or the warning.
  std::string create(const volume::testing::Texts& options) {
    auto made = volumes->volumes().create(volume::testing::spec_of("data", options));
    if (!made) return made.error().text;
    EXPECT_TRUE(volumes->volumes().remove("data"));
    return made->warnings.empty() ? "" : made->warnings.front();
  }

  Scratch scratch;
  Paths paths;
  std::unique_ptr<state::Store> store;
  std::unique_ptr<NamedLocks> locks;
  std::unique_ptr<VolumeServices> volumes;
};

TEST_F(LiveConfigurationTest, BackupRootsAreThoseOfNow) {
  const volume::testing::Texts local{{"backup", "daily:1@/srv/backup"}},
      far{{"backup", "daily:1@sftp:nas:/backup/shop"}};
  EXPECT_THAT(create(local), HasSubstr("backup_roots"));
  paths.backup_roots = {"/srv", "sftp:nas:/backup"};
  volumes->configure(paths);
  EXPECT_EQ(create(local), "");
  EXPECT_EQ(create(far), "");
  paths.backup_roots = {"/srv"};
  volumes->configure(paths);
  EXPECT_EQ(create(local), "");
  EXPECT_THAT(create(far), HasSubstr("backup_roots"));
  paths.backups_anywhere = true;
  volumes->configure(paths);
  EXPECT_EQ(create(far), "");
}

TEST_F(LiveConfigurationTest, BindRootsAreThoseOfNow) {
  std::filesystem::create_directories(scratch / "shown");
  const volume::testing::Texts bind{{"type", "none"}, {"o", "bind"}, {"device", scratch / "shown"}};
  EXPECT_THAT(create(bind), HasSubstr("bind_roots"));
  paths.bind_roots = {scratch.path()};
  volumes->configure(paths);
  EXPECT_EQ(create(bind), "");
}

TEST_F(LiveConfigurationTest, OvercommitIsThatOfNow) {
  const volume::testing::Texts huge{{"backend", "image"}, {"size", "1t"}};  // mkfs takes time
  paths.overcommit = 1000;
  volumes->configure(paths);
  const std::string allowed = create(huge);
  paths.overcommit = 0;
  volumes->configure(paths);
  EXPECT_EQ(allowed, "");
  EXPECT_THAT(create(huge), HasSubstr("overcommit"));
}

}  // namespace
}  // namespace fairlead
