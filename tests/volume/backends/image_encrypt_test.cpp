// encrypt=fscrypt of backend image: what is on the disk, and who gets at it.
#include <gmock/gmock.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>

#include "tests/volume/backends/image_world.h"
#include "volume/kernel/fscrypt.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::ImageWorld;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

const std::string kSecret = "the combination is 36-24-47, said nobody";
const std::string kSecretName = "a-name-that-nobody-may-know";

struct ImageEncryptTest : ::testing::Test {
  void SetUp() override {
    if (!world.why().empty()) GTEST_SKIP() << world.why();
    if (!kernel_has_fscrypt()) GTEST_SKIP() << "this kernel has no fscrypt for ext4";
    write_key("key", 'k', 64);
    write_key("other", 'o', 64);
  }
  void write_key(const std::string& name, char byte, std::size_t size) {
    std::string key(size, byte);
    for (int k = 0; char& each : key) each = static_cast<char>(each + k++ % 13);
    write_text(keys / name, key);
    ASSERT_EQ(::chmod((keys / name).c_str(), 0600), 0);
  }
  std::map<std::string, std::string> options(const std::string& key = "key") const {
    return {{"encrypt", "fscrypt"}, {"keyfile", keys / key}};
  }
  Volume filled() {
    Volume volume = world.mounted(options());
    write_text(world.data(volume) + "/" + kSecretName, kSecret);
    return volume;
  }
  void unmount(const Volume& volume) {
    ASSERT_TRUE(world->unmount(volume));
    world.await_no_loop(volume);
  }
  bool disk_holds(const Volume& volume, const std::string& text) const {
    const UniqueFd image(::open(world.at(volume, "disk.img").c_str(), O_RDONLY | O_CLOEXEC));
    std::string block(1 << 20, '\0');  // a byte at a time takes a minute under AddressSanitizer
    for (;;) {
      const ssize_t got = ::read(image.get(), block.data(), block.size());
      if (got <= 0) return false;
      if (::memmem(block.data(), static_cast<std::size_t>(got), text.data(), text.size()) !=
          nullptr)
        return true;
    }
  }
  std::string refusal(const std::map<std::string, std::string>& request) {
    auto wanted = request;
    wanted["size"] = "32m";
    const auto parsed = parse_options(wanted);
    if (!parsed) return parsed.error().text;
    const auto valid = world->validate(*parsed);
    return valid ? "" : valid.error().text;
  }

  ImageWorld world;
  Scratch keys;
};

TEST_F(ImageEncryptTest, TheDiskHoldsNeitherNamesNorContents) {
  const Volume plain = world.mounted();
  write_text(world.data(plain) + "/" + kSecretName, kSecret);
  const Volume volume = filled();
  unmount(plain);
  unmount(volume);
  EXPECT_TRUE(disk_holds(plain, kSecret));  // the search finds what is there
  EXPECT_TRUE(disk_holds(plain, kSecretName));
  EXPECT_FALSE(disk_holds(volume, kSecret));
  EXPECT_FALSE(disk_holds(volume, kSecretName));
}

TEST_F(ImageEncryptTest, WithItsKeyEverythingIsThereAgain) {
  const Volume volume = filled();
  unmount(volume);
  const auto path = world->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_EQ(read_text(*path + "/" + kSecretName), kSecret);
  unmount(volume);
  const auto report = world->check(volume, false, {});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_TRUE(report->clean);
}

TEST_F(ImageEncryptTest, AnotherKeyIsRefusedAndNothingIsMounted) {
  Volume volume = filled();
  unmount(volume);
  Volume asked = volume;
  asked.options.keyfile = keys / "other";
  const auto path = world->mount(asked);
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code, Code::kConflict);
  EXPECT_THAT(path.error().text, HasSubstr("another key"));
  EXPECT_EQ(testing::entries_in(world.at(volume, "fs")), 0U);
  EXPECT_TRUE(world->mount(volume));
}

TEST_F(ImageEncryptTest, WithoutItsKeyFileItIsNotMounted) {
  const Volume volume = filled();
  unmount(volume);
  std::filesystem::remove(keys / "key");
  const auto path = world->mount(volume);
  ASSERT_FALSE(path);
  EXPECT_THAT(path.error().text, HasSubstr(keys / "key"));
}

TEST_F(ImageEncryptTest, SnapshotsAndClonesAreEncryptedAndReadWithTheKey) {
  const Volume volume = filled();
  unmount(volume);
  const Snapshot monday{.id = random_hex(32), .name = SnapshotName::parse("monday").value()};
  ASSERT_TRUE(world->take_snapshot(volume, monday, {}));
  {
    const auto data = world->open_data(volume, monday.id);
    ASSERT_TRUE(data) << data.error().text;
    EXPECT_EQ(::faccessat(data->get(), kSecretName.c_str(), F_OK, 0), 0);
  }
  const Volume copy = world.a_volume(to_map(volume.options));
  Rollback undo;
  ASSERT_TRUE(world->clone(copy, volume, monday.id, undo, {}));
  undo.commit();
  EXPECT_FALSE(disk_holds(copy, kSecret));
  const auto path = world->mount(copy);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_EQ(read_text(*path + "/" + kSecretName), kSecret);
}

TEST_F(ImageEncryptTest, KeyFilesThatCannotBeAreRefused) {
  EXPECT_EQ(refusal(options()), "");
  write_key("short", 's', 31);
  EXPECT_THAT(refusal(options("short")), HasSubstr("32 to 64 random bytes, not 31"));
  write_key("long", 'l', 65);
  EXPECT_THAT(refusal(options("long")), HasSubstr("not more"));
  ASSERT_EQ(::chmod((keys / "key").c_str(), 0640), 0);
  EXPECT_THAT(refusal(options()), HasSubstr("chmod 600"));
  EXPECT_THAT(refusal(options("missing")), HasSubstr("No such file"));
  std::filesystem::create_symlink(keys / "other", keys / "link");
  EXPECT_THAT(refusal(options("link")), HasSubstr(keys / "link"));
  auto xfs = options("other");
  xfs["fstype"] = "xfs";
  xfs["size"] = "400m";
  EXPECT_THAT(refusal(xfs), ::testing::Not(""));
}

}  // namespace
}  // namespace fairlead::volume
