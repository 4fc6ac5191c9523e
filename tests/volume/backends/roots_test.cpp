// What may be named by callers: block devices for pools, and options without secrets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "volume/api/secrets.h"
#include "volume/backends/device_roots.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;

bool allowed(std::vector<std::string> roots, const std::string& device) {
  return DeviceRoots(std::move(roots)).check(device).has_value();
}

TEST(DeviceRoots, WithoutAnyNothingIsAllowedAndTheTextSaysWhatToDo) {
  const Status refused = DeviceRoots({}).check("/dev/null");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("device_roots"));
  EXPECT_THAT(refused.error().text, HasSubstr("fairlead pool create"));
}

TEST(DeviceRoots, AreDevicesOrFoldersOfThem) {
  EXPECT_TRUE(allowed({"/dev/null"}, "/dev/null"));
  EXPECT_TRUE(allowed({"/dev"}, "/dev/null"));
  EXPECT_TRUE(allowed({"/srv", "/dev/"}, "/dev/null"));
  EXPECT_TRUE(allowed({"/"}, "/whatever"));
  for (const char* other : {"/dev/zero", "/dev/nullx", "/device", "/", "/srv/null"})
    EXPECT_FALSE(allowed({"/dev/null"}, other)) << other;
  for (const char* way :
       {"/dev/../dev/null", "/dev/./null", "/dev//null", "/dev/pts/../null", "/dev/"})
    EXPECT_FALSE(allowed({"/dev"}, way)) << way;
}

TEST(DeviceRoots, ALinkThatOthersMayHaveMadeIsNotFollowed) {
  char pattern[] = "/tmp/fairlead-roots-XXXXXX";
  const std::string folder = ::mkdtemp(pattern);
  const std::string disk = folder + "/disk", inner = folder + "/inner";
  ASSERT_EQ(::symlink("/dev/null", disk.c_str()), 0);
  ASSERT_EQ(::symlink("/dev", inner.c_str()), 0);
  EXPECT_TRUE(allowed({folder}, disk)) << "as those of udev";
  EXPECT_FALSE(allowed({folder}, inner + "/null"));
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  EXPECT_FALSE(allowed({folder}, disk));
  std::filesystem::remove_all(folder);
}

TEST(Secrets, AreKnownUnderEveryName) {
  const auto holds = [](std::string word) {
    VolumeOptions options;
    options.device = "//server/share";
    options.mount_options = {"vers=3.0", std::move(word), "ro"};
    return holds_secret(options);
  };
  for (const char* word : {"password=S", "pass=S", "passwd=S", "password2=S", "pass2=S",
                           "PASSWORD=S", "Pass=S", "secret=S", "SECRET=S", "user=me%S",
                           "username=me%S", "auth_token=S", "passphrase=S", "password"})
    EXPECT_TRUE(holds(word)) << word;
  for (const char* word :
       {"user=me", "name=admin", "credentials=/etc/x", "secretfile=/etc/x", "sec=krb5",
        "cache=strict", "passwordfile=/etc/x", "cruid=0", "username=a@b"})
    EXPECT_FALSE(holds(word)) << word;
}

TEST(Secrets, OfOldRecordsAreMasked) {
  VolumeOptions options;
  options.device = "//me:S@server/share";
  options.mount_options = {"vers=3.0", "Secret=S=", "ro"};
  const VolumeOptions shown = without_secrets(options);
  EXPECT_THAT(shown.mount_options, ::testing::ElementsAre("vers=3.0", "Secret=***", "ro"));
  EXPECT_EQ(shown.device, "***");
  EXPECT_FALSE(refuse_secrets(options));
}

TEST(Secrets, AreKnownInDevices) {
  const auto holds = [](std::string device) {
    VolumeOptions options;
    options.device = std::move(device);
    return holds_secret(options);
  };
  for (const char* device :
       {"//me:S@server/share", "smb://me:S@server/share", "//dom;me:S@server/share",
        "//me%S@server/share", "https://me:S@server/dav", "me:S@server:/export"})
    EXPECT_TRUE(holds(device)) << device;
  for (const char* device :
       {"//server/share", "//me@server/share", "server:/export", "server:/a@b:c",
        "[fe80::1]:/export", "mon1:6789,mon2:6789:/", "admin@.fs=/", "/dev/sda1", "//server/a:b@c"})
    EXPECT_FALSE(holds(device)) << device;
}

}  // namespace
}  // namespace fairlead::volume
