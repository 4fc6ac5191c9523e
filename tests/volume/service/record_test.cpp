#include "volume/service/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json/json.h"
#include "tests/volume/spec.h"

namespace fairlead::volume {
namespace {

Snapshot a_snapshot(const std::string& name) {
  return {.id = "00000000000000000000000000000001",
          .name = SnapshotName::parse(name).value(),
          .origin = SnapshotOrigin::kSchedule,
          .created = 1767225650,
          .size = 1U << 30};
}

Volume a_volume() {
  return {.id = "0123456789abcdef0123456789abcdef",
          .name = VolumeName::parse("shop").value(),
          .backend = "dir",
          .pool = "fast",
          .options = testing::options_of({{"uid", "7"}, {"retain", "1d"}}),
          .labels = {{"a", "größe"}},
          .phase = Phase::kDeleting,
          .created = 1767225600,
          .deleted = 1767225700,
          .mounts = {{"docker", "9a", 2}, {"podman", "", 1}},
          .snapshots = {a_snapshot("monday"), a_snapshot("tuesday")},
          .change = Change{.kind = ChangeKind::kRollback,
                           .snapshot = a_snapshot("monday"),
                           .kept = a_snapshot("before-monday"),
                           .size = 0},
          .backed_up = 1767225800,
          .backup_left_out = 3,
          .left_out = {.count = 2, .notes = {"null is a device node; it was left out"}}};
}

Entry an_entry() { return {.volume = a_volume(), .counted = 1767225750, .former = "store"}; }

TEST(VolumeRecord, IsReadBackUnchanged) {
  const auto parsed = parse_record(to_record(an_entry(), "boot-1"), "boot-1");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->entry, an_entry());
  EXPECT_FALSE(parsed->void_mounts);
}

TEST(VolumeRecord, EveryChangeIsReadBackUnchanged) {
  for (const Change& change :
       {Change{.kind = ChangeKind::kSnapshot, .snapshot = a_snapshot("now"), .kept = {}},
        Change{.kind = ChangeKind::kDropSnapshot, .snapshot = a_snapshot("now"), .kept = {}},
        Change{.kind = ChangeKind::kResize, .snapshot = {}, .kept = {}, .size = 1ULL << 40}}) {
    Entry entry = an_entry();
    entry.volume.change = change;
    const auto parsed = parse_record(to_record(entry, "boot-1"), "boot-1");
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(parsed->entry, entry);
  }
}

TEST(VolumeRecord, ThoseOfTheFirstVersionAreRead) {
  const auto parsed = parse_record(
      R"({"id":"x","name":"shop","backend":"dir","options":{"uid":"7"},"labels":{},"phase":"ready","created":5,"boot":"b","mounts":[{"client":"d","id":"x","count":2}]})",
      "b");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->entry.volume.mounts, (std::vector<MountHint>{{"d", "x", 2}}));
  EXPECT_TRUE(parsed->entry.volume.snapshots.empty());
  EXPECT_FALSE(parsed->entry.volume.change);
}

TEST(VolumeRecord, OptionsAreReadHoweverTheyWereSpelledAndWrittenInOneWay) {
  const auto parsed = parse_record(
      R"({"id":"x","name":"shop","backend":"dir","options":{"mode":"700","size":"1024m","type":"none","device":"/srv","o":"rw,bind"},"phase":"ready","created":5})",
      "b");
  ASSERT_TRUE(parsed) << parsed.error().text;
  const VolumeOptions& options = parsed->entry.volume.options;
  EXPECT_EQ(options.mode, 0700U);
  EXPECT_EQ(options.size, 1ULL << 30);
  EXPECT_THAT(
      to_record(parsed->entry, "b"),
      ::testing::HasSubstr(
          R"("options":{"backend":"bind","device":"/srv","mode":"0700","o":"bind,rw","size":"1g","type":"none"})"));
}

TEST(VolumeRecord, MountsOfAnotherBootAreVoid) {
  const auto parsed = parse_record(to_record(an_entry(), "boot-1"), "boot-2");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->entry.volume.mounts.empty());
  EXPECT_EQ(parsed->entry.counted, 0);
  EXPECT_TRUE(parsed->void_mounts);
}

TEST(VolumeRecord, WithoutMountsNoBootMatters) {
  Entry entry = an_entry();
  entry.volume.mounts.clear();
  EXPECT_FALSE(parse_record(to_record(entry, "boot-1"), "boot-2")->void_mounts);
}

TEST(TrashRecord, IsReadBackUnchanged) {
  TrashedVolume trashed{.volume = a_volume(), .due = 1767312000};
  trashed.volume.mounts.clear();
  const auto parsed = parse_trash_record(to_trash_record(trashed));
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->volume, trashed.volume);
  EXPECT_EQ(parsed->due, trashed.due);
  for (const char* text : {"", "{}", R"({"due":1})", R"({"due":1,"volume":{}})"})
    EXPECT_EQ(parse_trash_record(text).error().code, Code::kInternal);
}

TEST(VolumeRecord, OtherTextsAreInternalErrors) {
  for (
      const char* text :
      {"", "{}", "[]", "1", R"({"id":"x","name":"s","backend":"dir","phase":"ready","created":1})",
       R"({"id":"x","name":"shop","backend":"dir","phase":"melting","created":1})",
       R"({"id":"x","name":"shop","backend":"dir","phase":"ready","created":1,"mounts":[{"client":"d","id":"x","count":0}]})",
       R"({"id":"x","name":"shop","backend":"dir","phase":"ready","created":1,"change":{"kind":"rollback"}})",
       R"({"id":"x","name":"shop","backend":"dir","phase":"ready","created":1,"change":{"kind":"melt"}})",
       R"({"id":"x","name":"shop","backend":"dir","phase":"ready","created":1,"snapshots":[{"id":"y"}]})"}) {
    const auto parsed = parse_record(text, "b");
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInternal);
  }
}

// As a newer version may have written them.
TEST(VolumeRecord, OptionsThatCannotBeReadAreKept) {
  const std::string text =
      R"({"backend":"dir","created":1,"id":"x","labels":{},"mounts":[],"name":"shop","options":{"autogrow":"never","keyfile":"/k","sise":"1g","uid":"7"},"phase":"ready"})";
  const auto parsed = parse_record(text, "b");
  ASSERT_TRUE(parsed) << parsed.error().text;
  const VolumeOptions& options = parsed->entry.volume.options;
  EXPECT_EQ(options.uid, 7U);
  EXPECT_EQ(options.unread, (std::map<std::string, std::string>{
                                {"autogrow", "never"}, {"keyfile", "/k"}, {"sise", "1g"}}));
  const auto again = parse_record(to_record(parsed->entry, "b"), "b");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->entry, parsed->entry);
  EXPECT_FALSE(refuse_unread(options));
  EXPECT_TRUE(refuse_unread({}));
  // those that go together are read whatever the order
  EXPECT_TRUE(
      parse_stored_options({{"encrypt", "fscrypt"}, {"keyfile", "/k"}, {"warp", "9"}}).encrypt ==
      "fscrypt");
}

constexpr std::string_view kRecord =
    R"({"backed_up":1767225800,"backend":"dir","backup_left_out":3,"boot":"boot-1",)"
    R"("change":{"kept":{"created":1767225650,"id":"00000000000000000000000000000001","name":"before-monday","origin":"schedule","size":1073741824},)"
    R"("kind":"rollback",)"
    R"("snapshot":{"created":1767225650,"id":"00000000000000000000000000000001","name":"monday","origin":"schedule","size":1073741824}},)"
    R"("counted":1767225750,"created":1767225600,"deleted":1767225700,"former":"store",)"
    R"("id":"0123456789abcdef0123456789abcdef","labels":{"a":"größe"},)"
    R"("left_out":{"count":2,"notes":["null is a device node; it was left out"]},)"
    R"("mounts":[{"client":"docker","count":2,"id":"9a"},{"client":"podman","count":1,"id":""}],)"
    R"("name":"shop","options":{"retain":"1d","uid":"7"},"phase":"deleting","pool":"fast",)"
    R"("snapshots":[{"created":1767225650,"id":"00000000000000000000000000000001","name":"monday","origin":"schedule","size":1073741824},)"
    R"({"created":1767225650,"id":"00000000000000000000000000000001","name":"tuesday","origin":"schedule","size":1073741824}]})";

TEST(VolumeRecord, IsTheReviewedBytes) {
  EXPECT_EQ(to_record(an_entry(), "boot-1"), kRecord);
  Entry plain{.volume = {.id = "x",
                         .name = VolumeName::parse("shop").value(),
                         .backend = "dir",
                         .phase = Phase::kReady,
                         .created = 5}};
  const std::string text =
      R"("created":5,"id":"x","labels":{},"name":"shop","options":{},"phase":"ready")";
  EXPECT_EQ(to_record(plain, "b"), R"({"backend":"dir",)" + text + "}");
  EXPECT_EQ(to_trash_record({.volume = plain.volume, .due = 9}),
            R"({"due":9,"volume":{"backend":"dir",)" + text + "}}");
  // Mounts that an earlier version counted.
  plain.volume.mounts = {{"d", "x", 2}};
  EXPECT_EQ(to_record(plain, "b"),
            R"({"backend":"dir","boot":"b","counted":0,"created":5,"id":"x","labels":{},)"
            R"("mounts":[{"client":"d","count":2,"id":"x"}],)"
            R"("name":"shop","options":{},"phase":"ready"})");
  plain.volume.mounts.clear();
  plain.volume.change = Change{.kind = ChangeKind::kResize, .snapshot = {}, .kept = {}, .size = 7};
  EXPECT_EQ(to_record(plain, "b"),
            R"({"backend":"dir","change":{"kind":"resize","size":7},)" + text + "}");
}

TEST(VolumeRecord, AFieldOfAnotherTypeIsRefusedByItsName) {
  const auto document = json::parse(kRecord).value();
  for (const auto& [name, member] : document.members()) {
    json::Json wrong = document;
    wrong[name] =
        member.is_array() || member.is_object() ? json::Json(7) : json::Json::array({true});
    const auto parsed = parse_record(json::dump(wrong), "boot-1");
    ASSERT_FALSE(parsed) << name;
    EXPECT_THAT(parsed.error().text,
                ::testing::StartsWith("the record of a volume cannot be read: field " + name));
  }
}

TEST(VolumeRecord, AChangeHasTheSnapshotsOfItsKind) {
  const std::string snapshot = R"({"id":"s","name":"monday","origin":"user","created":1,"size":0})";
  const auto parse_change = [](const std::string& change) {
    return parse_record(
        R"({"id":"x","name":"shop","backend":"dir","phase":"ready","created":1,"change":)" +
            change + "}",
        "b");
  };
  const auto taken = parse_change(R"({"kind":"snapshot","snapshot":)" + snapshot + "}");
  ASSERT_TRUE(taken) << taken.error().text;
  EXPECT_EQ(taken->entry.volume.change->snapshot.size, std::nullopt);
  for (const std::string& change :
       {std::string(R"({"kind":"snapshot"})"),
        R"({"kind":"snapshot","snapshot":)" + snapshot + R"(,"kept":)" + snapshot + "}",
        R"({"kind":"rollback","snapshot":)" + snapshot + "}",
        R"({"kind":"resize","size":7,"snapshot":)" + snapshot + "}"}) {
    const auto parsed = parse_change(change);
    ASSERT_FALSE(parsed) << change;
    EXPECT_THAT(parsed.error().text, ::testing::HasSubstr("lacks its snapshot"));
  }
}

}  // namespace
}  // namespace fairlead::volume
