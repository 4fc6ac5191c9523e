#include "plugin-api/docker/codec_volume.h"

#include <gtest/gtest.h>

#include "tests/plugin-api/docker/values.h"

namespace fairlead::docker::testing {
namespace {

TEST(VolumeCodec, TakesOptionsNullOrAbsent) {
  const CreateVolumeRequest plain{.name = "data", .options = {}};
  EXPECT_EQ(decode_create_volume(R"({"Name":"data"})").value(), plain);
  EXPECT_EQ(decode_create_volume(R"({"Name":"data","Opts":null})").value(), plain);
  EXPECT_EQ(decode_create_volume(R"({"Name":"data","Opts":{"size":"1G","n":5}})").value().options,
            (std::map<std::string, std::string>{{"n", "5"}, {"size", "1G"}}));
}

TEST(VolumeCodec, RefusesWhatIsMissingOrWrong) {
  EXPECT_FALSE(decode_create_volume(R"({"Opts":{}})"));
  EXPECT_FALSE(decode_create_volume(R"({"Name":"data","Opts":[]})"));
  EXPECT_FALSE(decode_create_volume(R"({"Name":"data","Opts":{"a":["b"]}})"));
  EXPECT_FALSE(decode_volume(R"({"Name":7})"));
  EXPECT_FALSE(decode_mount(R"({"Name":"data"})"));
  EXPECT_FALSE(decode_mount(R"({"Name":"data","ID":"../../etc"})"));
}

TEST(VolumeCodec, ABlankNameIsLeftToTheCore) {
  EXPECT_EQ(decode_create_volume(R"({"Name":""})").value().name, "");
  EXPECT_EQ(decode_volume(R"({"Name":"<nil>"})").value().name, "<nil>");
}

TEST(VolumeCodec, WrongFieldsAreRefusedByTheirNames) {
  EXPECT_EQ(decode_volume(R"({"Name":7})").error().text, "field Name must be a string, not number");
  EXPECT_EQ(decode_volume("{}").error().text, "field Name is missing");
  EXPECT_EQ(decode_create_volume(R"({"Name":"data","Opts":{"a":["b"]}})").error().text,
            "field Opts.a must be a string, not array");
  EXPECT_TRUE(decode_mount(R"({"Name":"data","ID":"../../etc"})")
                  .error()
                  .text.starts_with("field ID: must be an id"));
}

InspectedVolume full_volume() {
  InspectedVolume inspected{.volume = data_volume("data"),
                            .status = {.backend = "image",
                                       .reason = "size",
                                       .size = 1024,
                                       .used = 10,
                                       .only_in_snapshots = 7,
                                       .inodes = 64,
                                       .inodes_used = 11,
                                       .in_use = true,
                                       .users = "process 42 of web",
                                       .health = "ok"}};
  inspected.volume.pool = "fast";
  inspected.volume.backed_up = inspected.volume.created;
  inspected.volume.left_out.count = 2;
  inspected.volume.options.backup.folder = "/srv/backup";
  inspected.volume.backup.error = "the disk is full";
  volume::Snapshot monday;
  monday.name = SnapshotName::parse("monday").value();
  inspected.volume.snapshots = {monday};
  return inspected;
}

TEST(VolumeAnswers, CarryTheTimeAndTheStatus) {
  EXPECT_EQ(
      encode(full_volume()),
      R"({"Err":"","Volume":{"CreatedAt":"2026-01-01T00:00:00Z","Mountpoint":"/var/lib/fairlead/volumes/0123/_data",)"
      R"("Name":"data","Status":{"Backend":"image","BackupError":"the disk is full","BackupTarget":"/srv/backup","Condition":"ok","Health":"ok","InUse":true,"Inodes":"64","InodesUsed":"11",)"
      R"("LastBackup":"2026-01-01T00:00:00Z","LeftOut":2,"OnlyInSnapshots":"7","Pool":"fast","Reason":"size","Size":"1024","Snapshots":["monday"],)"
      R"("Used":"10","Users":"process 42 of web"}}})");
}

TEST(VolumeAnswers, OfASnapshotSayWhatItIsOneOf) {
  InspectedVolume inspected;
  inspected.view.emplace();
  inspected.view->volume = VolumeName::parse("data").value();
  inspected.view->snapshot.name = SnapshotName::parse("monday").value();
  inspected.view->snapshot.created = 1767225600;
  inspected.view->backend = "image";
  inspected.view->mountpoint = "/v/views/77/_data";
  inspected.view->users = "mounted at /old by sleep";
  EXPECT_EQ(
      encode(inspected),
      R"({"Err":"","Volume":{"CreatedAt":"2026-01-01T00:00:00Z","Mountpoint":"/v/views/77/_data",)"
      R"("Name":"data@monday","Status":{"Backend":"image","Health":"ok","InUse":true,"ReadOnly":true,)"
      R"("SnapshotOf":"data","Users":"mounted at /old by sleep"}}})");
}

TEST(VolumeAnswers, LeaveOutOfTheStatusWhatIsNotKnown) {
  const InspectedVolume bare{.volume = data_volume("data"),
                             .status = {.backend = "dir", .health = "ok"}};
  EXPECT_NE(encode(bare).find(
                R"("Status":{"Backend":"dir","Condition":"ok","Health":"ok","Snapshots":[]})"),
            std::string::npos);
}

TEST(VolumeAnswers, LeaveOutATimeThatIsNotKnown) {
  volume::Volume volume = data_volume("data");
  volume.created = 0;
  EXPECT_EQ(
      encode(std::vector{volume}),
      R"({"Err":"","Volumes":[{"Mountpoint":"/var/lib/fairlead/volumes/0123/_data","Name":"data"}]})");
  EXPECT_EQ(encode(std::vector<volume::Volume>{}), R"({"Err":"","Volumes":[]})");
}

}  // namespace
}  // namespace fairlead::docker::testing
