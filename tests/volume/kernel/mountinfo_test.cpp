#include "volume/kernel/mountinfo.h"

#include <gtest/gtest.h>

namespace fairlead::volume {
namespace {

TEST(Mountinfo, ReadsTheLineOfTheManual) {
  const auto entry = parse_mount_line(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue");
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry, (MountEntry{.id = 36,
                                .parent = 35,
                                .major = 98,
                                .minor = 0,
                                .root = "/mnt1",
                                .root_deleted = false,
                                .mount_point = "/mnt2",
                                .options = "rw,noatime",
                                .fs_type = "ext3",
                                .source = "/dev/root",
                                .super_options = "rw,errors=continue"}));
}

TEST(Mountinfo, TakesAnyNumberOfOptionalFields) {
  EXPECT_EQ(parse_mount_line("1 2 0:5 / /a rw - tmpfs none rw")->fs_type, "tmpfs");
  EXPECT_EQ(
      parse_mount_line(
          "1 2 0:5 / /a rw shared:1 master:2 propagate_from:3 unbindable new:4 - tmpfs none rw")
          ->fs_type,
      "tmpfs");
}

TEST(Mountinfo, DecodesOctalEscapes) {
  const auto entry =
      parse_mount_line(R"(1 2 0:5 /a\040b /c\011d\012e\134f\043 rw - ext4 /dev/x\040y rw)");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->root, "/a b");
  EXPECT_EQ(entry->mount_point, "/c\td\ne\\f#");
  EXPECT_EQ(entry->source, "/dev/x y");
}

TEST(Mountinfo, KeepsBackslashesThatEscapeNothing) {
  EXPECT_EQ(decode_octal(R"(\)"), R"(\)");
  EXPECT_EQ(decode_octal(R"(\04)"), R"(\04)");
  EXPECT_EQ(decode_octal(R"(\08x)"), R"(\08x)");
  EXPECT_EQ(decode_octal(R"(\777)"), R"(\777)");
  EXPECT_EQ(decode_octal(R"(a\1011)"), "aA1");
}

TEST(Mountinfo, ARemovedRootIsMarked) {
  const auto entry = parse_mount_line("1 2 254:0 /vol/x//deleted /data rw - ext4 /dev/vda rw");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->root, "/vol/x");
  EXPECT_TRUE(entry->root_deleted);
  EXPECT_FALSE(
      parse_mount_line("1 2 254:0 /vol/deleted /data rw - ext4 /dev/vda rw")->root_deleted);
}

TEST(Mountinfo, RootsThatAreNoPathsAreKept) {
  EXPECT_EQ(parse_mount_line("1 2 0:4 net:[4026531840] /run/netns/x rw - nsfs nsfs rw")->root,
            "net:[4026531840]");
}

TEST(Mountinfo, EmptySourceAndMissingSuperOptionsAreRead) {
  const auto entry = parse_mount_line("1 2 0:5 / /a rw -  tmpfs");
  EXPECT_FALSE(entry);  // an empty file system type is no mount
  EXPECT_EQ(parse_mount_line("1 2 0:5 / /a rw - tmpfs  rw")->source, "");
  EXPECT_EQ(parse_mount_line("1 2 0:5 / /a rw - tmpfs none")->super_options, "");
}

TEST(Mountinfo, LinesThatAreNoneAreRefused) {
  for (const char* line :
       {"", " ", "-", "x 2 0:5 / /a rw - t s o", "1 y 0:5 / /a rw - t s o",
        "1 2 05 / /a rw - t s o", "1 2 0:x / /a rw - t s o", "1 2 0:5", "1 2 0:5 /", "1 2 0:5 / /a",
        "1 2 0:5 / /a rw", "1 2 0:5 / /a rw shared:1", "1 2 0:5 / /a rw -",
        "99999999999999999999999 2 0:5 / /a rw - t s o", "1 2 -1:5 / /a rw - t s o",
        "1 2 0:5 /  rw - t s o"})
    EXPECT_FALSE(parse_mount_line(line)) << line;
}

TEST(Mountinfo, ATextLosesOnlyItsBadLines) {
  const auto entries =
      parse_mountinfo("1 0 0:5 / / rw - ext4 /dev/x rw\nunmounted\n\n2 1 0:6 / /a rw - tmpfs t rw");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].mount_point, "/");
  EXPECT_EQ(entries[1].mount_point, "/a");
}

TEST(Mountinfo, AnyBytesAreSurvived) {
  std::string text;
  for (unsigned seed = 1, k = 0; k < 200000; ++k) {
    seed = seed * 1103515245 + 12345;
    text += " \n\\0123456789:-/a\xff"[(seed >> 16) % 19];
  }
  for (const auto& entry : parse_mountinfo(text)) EXPECT_FALSE(entry.fs_type.empty());
}

}  // namespace
}  // namespace fairlead::volume
