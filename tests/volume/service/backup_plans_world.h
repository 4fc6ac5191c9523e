// Volumes with the option `backup`, under a clock of the test's own.
#pragma once

#include <gmock/gmock.h>

#include <atomic>

#include "tests/volume/service/archive_world.h"

namespace fairlead::volume::testing {

struct BackupPlansWorld : ::testing::Test {
  static constexpr long long kHour = 3600, kDay = 86400, kNoon = 1769860800;

  void open() {
    world.reset();
    world = std::make_unique<ArchiveWorld>(
        scratch.path(), Environment{.now = [this] { return now.load(); },
                                    .boot = "b",
                                    .backup_roots = [this] { return BackupRoots{roots}; }});
  }
  void make(const std::string& name, std::map<std::string, std::string> options) {
    const auto made = world->service->create(ArchiveWorld::spec(name, options));
    ASSERT_TRUE(made) << made.error().text;
    write_text(made->mountpoint + "/file", name);
    write_text(made->mountpoint + "/x.tmp", name);
  }
  // What is wrong with a new volume of these options.
  std::string refusal(const std::map<std::string, std::string>& options) {
    const auto made = world->service->create(ArchiveWorld::spec("more", options));
    return made ? std::string() : made.error().text;
  }
  ReconcileReport keep() { return world->archives->keep_backups({}).value(); }
  Volume volume(const std::string& name) { return world->service->inspect(name).value(); }
  std::vector<long long> made_in(const BackupPlace& place) {
    std::vector<long long> times;
    const auto backups = world->archives->backups(place);
    EXPECT_TRUE(backups) << backups.error().text;
    if (!backups) return times;
    for (const auto& one : *backups) times.push_back(one.created);
    return times;
  }

  std::atomic<long long> now = kNoon;  // of lanes as well
  Scratch scratch;
  std::string folder = scratch / "srv/backup";
  std::vector<std::string> roots{scratch / "srv"};
  std::unique_ptr<ArchiveWorld> world;
};

}  // namespace fairlead::volume::testing
