#include "volume/backends/volume_json.h"

#include <gtest/gtest.h>

#include "tests/volume/spec.h"

namespace fairlead::volume {
namespace {

TEST(VolumeJson, HoldsWhatARecordNeeds) {
  const Volume volume{.id = "0123456789abcdef0123456789abcdef",
                      .name = VolumeName::parse("shop").value(),
                      .backend = "dir",
                      .options = testing::options_of({{"uid", "7"}}),
                      .labels = {{"größe", "☃"}},
                      .phase = Phase::kReady,
                      .created = 1767225600};
  EXPECT_EQ(parse_volume_json(to_volume_json(volume)).value(), volume);
  EXPECT_EQ(to_volume_json(volume),
            R"({"backend":"dir","created":1767225600,"format":1,)"
            R"("id":"0123456789abcdef0123456789abcdef","labels":{"größe":"☃"},"name":"shop",)"
            R"("options":{"uid":"7"}})");
}

// What a record that is written again must still say: of one moment, and what is incomplete.
TEST(VolumeJson, HoldsWhatIsKnownOfItsContent) {
  const Snapshot monday{.id = "00112233445566778899aabbccddeeff",
                        .name = SnapshotName::parse("monday").value(),
                        .origin = SnapshotOrigin::kUser,
                        .created = 1767225601,
                        .size = 1 << 20,
                        .group = "ffeeddccbbaa99887766554433221100"};
  const Volume volume{.id = "0123456789abcdef0123456789abcdef",
                      .name = VolumeName::parse("shop").value(),
                      .backend = "image",
                      .pool = "fast",
                      .phase = Phase::kReady,
                      .created = 1767225600,
                      .snapshots = {monday},
                      .backed_up = 1767225602,
                      .backup_left_out = 3,
                      .left_out = {.count = 2, .notes = {"a socket", "a device"}}};
  EXPECT_EQ(parse_volume_json(to_volume_json(volume)).value(), volume);
}

TEST(VolumeJson, OtherTextsAreRefused) {
  for (const char* text : {"", "{}", "[]", "null", R"({"format":1})",
                           R"({"format":1,"id":"x","name":"../x","backend":"dir","created":1})",
                           R"({"format":1,"id":5,"name":"shop","backend":"dir","created":1})"})
    EXPECT_FALSE(parse_volume_json(text)) << text;
}

// They become names of folders.
TEST(VolumeJson, IdsThatLeadSomewhereAreRefused) {
  for (const char* id : {"", ".", "..", "../x", "a/b", "/"}) {
    const auto text = [&](const char* volume, const char* snapshot) {
      return fmt::format(
          R"({{"format":1,"id":"{}","name":"shop","backend":"dir","created":1,"snapshots":[{{"id":"{}","name":"monday","origin":"user","created":1}}]}})",
          volume, snapshot);
    };
    EXPECT_TRUE(parse_volume_json(text("3f", "77")));
    EXPECT_EQ(parse_volume_json(text(id, "77")).error().code, Code::kInvalid) << id;
    EXPECT_EQ(parse_volume_json(text("3f", id)).error().code, Code::kInvalid) << id;
  }
}

TEST(VolumeJson, ANewerFormatIsRefusedClearly) {
  EXPECT_EQ(parse_volume_json(R"({"format":2})").error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace fairlead::volume
