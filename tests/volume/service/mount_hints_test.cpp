#include "volume/service/mount_hints.h"

#include <gtest/gtest.h>

namespace fairlead::volume {
namespace {

TEST(MountHints, AreAMultiset) {
  Volume volume;
  count_up(volume.mounts, "docker", "a");
  count_up(volume.mounts, "docker", "a");
  count_up(volume.mounts, "podman", "a");
  EXPECT_EQ(volume.mounts, (std::vector<MountHint>{{"docker", "a", 2}, {"podman", "a", 1}}));
  EXPECT_TRUE(count_down(volume.mounts, "docker", "a"));
  EXPECT_TRUE(count_down(volume.mounts, "docker", "a"));
  EXPECT_FALSE(count_down(volume.mounts, "docker", "a"));
  EXPECT_FALSE(count_down(volume.mounts, "docker", "b"));
  EXPECT_EQ(volume.mounts, (std::vector<MountHint>{{"podman", "a", 1}}));
}

TEST(MountHints, DoNotGrowWithoutEnd) {
  Volume volume;
  for (int k = 0; k < 1500; ++k) count_up(volume.mounts, "docker", std::to_string(k));
  EXPECT_EQ(volume.mounts.size(), 1024U);
  EXPECT_EQ(volume.mounts.back().id, "1499");
}

TEST(MountHints, TextsThatARecordCannotHoldAreRefused) {
  EXPECT_TRUE(check_hint("docker", std::string(64, 'f')));
  EXPECT_TRUE(check_hint("api", ""));
  EXPECT_FALSE(check_hint("docker", std::string(65536, 'f')));
  EXPECT_FALSE(check_hint("docker", std::string("a\0b", 3)));
  EXPECT_FALSE(check_hint("\xff", "a"));
}

}  // namespace
}  // namespace fairlead::volume
