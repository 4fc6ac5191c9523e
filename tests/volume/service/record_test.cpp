#include "volume/service/record.h"

#include <gtest/gtest.h>

namespace fairlead::volume {
namespace {

Volume a_volume() {
  return {.id = "0123456789abcdef0123456789abcdef",
          .name = VolumeName::parse("shop").value(),
          .backend = "dir",
          .options = {{"uid", "7"}, {"retain", "1d"}},
          .labels = {{"a", "größe"}},
          .phase = Phase::kDeleting,
          .created = 1767225600,
          .deleted = 1767225700,
          .mounts = {{"docker", "9a", 2}, {"podman", "", 1}}};
}

TEST(VolumeRecord, IsReadBackUnchanged) {
  const auto parsed = parse_record(to_record(a_volume(), "boot-1"), "boot-1");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->volume, a_volume());
  EXPECT_FALSE(parsed->void_mounts);
}

TEST(VolumeRecord, MountsOfAnotherBootAreVoid) {
  const auto parsed = parse_record(to_record(a_volume(), "boot-1"), "boot-2");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->volume.mounts.empty());
  EXPECT_TRUE(parsed->void_mounts);
}

TEST(VolumeRecord, WithoutMountsNoBootMatters) {
  Volume volume = a_volume();
  volume.mounts.clear();
  EXPECT_FALSE(parse_record(to_record(volume, "boot-1"), "boot-2")->void_mounts);
}

TEST(VolumeRecord, OtherTextsAreInternalErrors) {
  for (
      const char* text :
      {"", "{}", "[]", "1", R"({"id":"x","name":"s","backend":"dir","phase":"ready","created":1})",
       R"({"id":"x","name":"shop","backend":"dir","phase":"melting","created":1})",
       R"({"id":"x","name":"shop","backend":"dir","phase":"ready","created":1,"mounts":[{"client":"d","id":"x","count":0}]})"}) {
    const auto parsed = parse_record(text, "b");
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInternal);
  }
}

}  // namespace
}  // namespace fairlead::volume
