#include "volume/backends/registry.h"

#include <gmock/gmock.h>

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct RegistryTest : ::testing::Test {
  std::unique_ptr<BackendRegistry> backends = make_backends("/nowhere");
};

TEST_F(RegistryTest, TheDefaultIsDirAndSaysWhy) {
  const auto choice = backends->choose({});
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->name, "dir");
  EXPECT_THAT(choice->reason, HasSubstr("default"));
  EXPECT_EQ(choice->backend, backends->find("dir").value());
}

TEST_F(RegistryTest, TheOneAskedForIsTaken) {
  EXPECT_THAT(backends->choose({.backend = "dir"})->reason, HasSubstr("backend=dir"));
}

TEST_F(RegistryTest, KnownOnesThatAreNotHereAreUnsupportedWithAHint) {
  for (const char* name : {"image", "btrfs", "tmpfs", "bind", "nfs", "cifs", "mount"}) {
    const auto choice = backends->choose({.backend = name});
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, Code::kUnsupported);
    EXPECT_THAT(choice.error().text, AllOf(HasSubstr(name), HasSubstr("; ")));
  }
}

TEST_F(RegistryTest, UnknownOnesNameTheClosest) {
  EXPECT_THAT(backends->find("imgae").error().text, HasSubstr("did you mean \"image\"?"));
  EXPECT_EQ(backends->find("zfs-over-iscsi").error().code, Code::kInvalid);
  EXPECT_LT(backends->find(std::string(65536, '\x1b')).error().text.size(), 400U);
}

TEST_F(RegistryTest, AllAreListed) { EXPECT_EQ(backends->all().size(), 1U); }

}  // namespace
}  // namespace fairlead::volume
