// What commits mean for volumes and snapshots.
#include "volume/service/events.h"

#include <gmock/gmock.h>

#include "base/host.h"
#include "volume/service/record.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Volume data(Phase phase = Phase::kReady) {
  return {.id = "3f", .name = VolumeName::parse("data").value(), .backend = "dir", .phase = phase};
}

Snapshot monday(SnapshotOrigin origin = SnapshotOrigin::kUser) {
  return {.id = "77", .name = SnapshotName::parse("monday").value(), .origin = origin};
}

std::vector<std::string> words(const std::vector<fairlead::Change>& changes) {
  std::vector<std::string> texts;
  for (const fairlead::Change& change : changes)
    texts.push_back(change.kind + " " + change.action + " " + change.name);
  return texts;
}

std::vector<std::string> of(const std::optional<Volume>& before,
                            const std::optional<Volume>& after) {
  return words(changes_of(before, after));
}

TEST(VolumeEvents, AVolumeIsThereWhileItIsReady) {
  EXPECT_THAT(of(std::nullopt, data(Phase::kCreating)), IsEmpty());
  EXPECT_THAT(of(data(Phase::kCreating), data()), ElementsAre("volume create data"));
  EXPECT_THAT(of(data(), data()), IsEmpty());
  EXPECT_THAT(of(data(), data(Phase::kDeleting)), ElementsAre("volume remove data"));
  EXPECT_THAT(of(data(Phase::kDeleting), std::nullopt), IsEmpty());
  EXPECT_THAT(of(data(Phase::kCreating), std::nullopt), IsEmpty());
}

TEST(VolumeEvents, EveryPropertyHasAnActionOfItsOwn) {
  Volume changed = data();
  changed.name = VolumeName::parse("shop").value();
  changed.options.size = 4096;
  changed.labels = {{"team", "a"}};
  changed.backed_up = 5;
  const auto changes = changes_of(data(), changed);
  EXPECT_THAT(words(changes), ElementsAre("volume rename shop", "volume resize shop",
                                          "volume label shop", "volume backup shop"));
  EXPECT_EQ(changes[0].attributes.at("former"), "data");
  EXPECT_EQ(changes[1].attributes.at("size"), "4096");
  EXPECT_FALSE(changes[3].attributes.contains("left_out"));
}

TEST(VolumeEvents, WhatCouldNotBeKeptIsCounted) {
  Volume filled = data(), backed_up = data();
  filled.left_out.count = 2;
  backed_up.backed_up = 5;
  backed_up.backup_left_out = 3;
  EXPECT_EQ(changes_of(data(Phase::kCreating), filled)[0].attributes.at("left_out"), "2");
  EXPECT_EQ(changes_of(data(), backed_up)[0].attributes.at("left_out"), "3");
}

TEST(VolumeEvents, MountsAreToldByUser) {
  Volume one = data(), two = data();
  one.mounts = {{"docker", "a", 1}, {"api", "b", 1}};
  two.mounts = {{"docker", "a", 2}};
  const auto changes = changes_of(one, two);
  EXPECT_THAT(words(changes), ElementsAre("volume unmount data", "volume mount data"));
  EXPECT_EQ(changes[0].attributes.at("client"), "api");
  EXPECT_EQ(changes[1].attributes.at("user"), "a");
  EXPECT_THAT(of(one, std::nullopt),
              ElementsAre("volume unmount data", "volume unmount data", "volume remove data"));
}

TEST(VolumeEvents, MountsOfASnapshotAreItsOwn) {
  Volume none = data(), one = data(), two = data();
  for (Volume* const volume : {&none, &one, &two}) volume->snapshots = {monday()};
  one.snapshots[0].mounts = {{"docker", "a", 1}};
  two.snapshots[0].mounts = {{"docker", "a", 2}, {"volume", "b", 1}};
  const auto mounted = changes_of(none, one);
  EXPECT_THAT(words(mounted), ElementsAre("snapshot mount data@monday"));
  EXPECT_EQ(mounted[0].attributes.at("client"), "docker");
  EXPECT_EQ(mounted[0].attributes.at("user"), "a");
  EXPECT_THAT(of(one, two),
              ElementsAre("snapshot mount data@monday", "snapshot mount data@monday"));
  EXPECT_THAT(of(two, one),
              ElementsAre("snapshot unmount data@monday", "snapshot unmount data@monday"));
  EXPECT_THAT(of(one, one), IsEmpty());
}

TEST(VolumeEvents, SnapshotsComeAndGoButThoseOfArchivesAreNobodysBusiness) {
  Volume with = data(), archived = data();
  with.snapshots = {monday()};
  archived.snapshots = {monday(SnapshotOrigin::kArchive)};
  EXPECT_THAT(of(data(), with), ElementsAre("snapshot create data@monday"));
  EXPECT_THAT(of(with, data()), ElementsAre("snapshot remove data@monday"));
  EXPECT_FALSE(changes_of(data(), with)[0].attributes.contains("group"));
  with.snapshots[0].group = "5e";
  EXPECT_EQ(changes_of(data(), with)[0].attributes.at("group"), "5e");
  EXPECT_EQ(changes_of(with, data())[0].attributes.at("group"), "5e");
  EXPECT_THAT(of(data(), archived), IsEmpty());
  EXPECT_THAT(of(archived, data()), IsEmpty());
}

TEST(VolumeEvents, ARollbackIsToldWhenItIsDoneAndNotWhenItIsUndone) {
  Volume changing = data(), done = data();
  const Snapshot kept{
      .id = "88", .name = SnapshotName::parse("kept").value(), .origin = SnapshotOrigin::kRollback};
  changing.snapshots = {monday()};
  changing.change = Change{.kind = ChangeKind::kRollback, .snapshot = monday(), .kept = kept};
  done.snapshots = {monday(), kept};
  const auto changes = changes_of(changing, done);
  EXPECT_THAT(words(changes), ElementsAre("volume rollback data", "snapshot create data@kept"));
  EXPECT_EQ(changes[0].attributes.at("snapshot"), "monday");
  Volume undone = data();
  undone.snapshots = {monday()};
  EXPECT_THAT(of(changing, undone), IsEmpty());
}

TEST(VolumeEvents, OfTheTrashAreReadFromTheWholeCommit) {
  const std::string record = to_record({.volume = data()}, boot_id());
  const std::string removed = to_record({.volume = data(Phase::kDeleting)}, boot_id());
  const std::string trashed = to_trash_record({.volume = data(Phase::kDeleting), .due = 9});
  using Kind = state::Event::Kind;
  EXPECT_THAT(words(volume_changes({{Kind::kPut, {"volume-trash/3f", trashed, 1}},
                                    {Kind::kDelete, {"volume/3f", "", 1}, removed}})),
              ElementsAre("volume trash data"));
  EXPECT_THAT(words(volume_changes({{Kind::kPut, {"volume/3f", record, 1}},
                                    {Kind::kDelete, {"volume-trash/3f", "", 1}, trashed}})),
              ElementsAre("volume restore data"));
  EXPECT_THAT(words(volume_changes({{Kind::kDelete, {"volume-trash/3f", "", 1}, trashed}})),
              ElementsAre("volume purge data"));
  EXPECT_THAT(volume_changes({{Kind::kPut, {"volume-name/data", "\"3f\"", 1}},
                              {Kind::kPut, {"volume/4f", "no record", 1}}}),
              IsEmpty());
}

}  // namespace
}  // namespace fairlead::volume
