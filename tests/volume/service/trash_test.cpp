#include <gmock/gmock.h>

#include "tests/volume/service/world.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Error kBroken{Code::kIo, EIO, "input/output error"};

class TrashTest : public testing::FakeServiceTest {
 protected:
  // A volume with one snapshot that was removed.
  Volume removed(const std::string& name = "shop") {
    const auto volume = create(name, {{"retain", "1d"}}).value();
    fake->write(volume.id, "goods of " + name);
    EXPECT_TRUE(service->take_snapshot(name, "monday", {}));
    EXPECT_TRUE(service->remove(name));
    return volume;
  }
  std::size_t in_trash() { return service->trash()->size(); }
};

TEST_F(TrashTest, ARemovedVolumeIsListedWithItsTime) {
  const auto volume = removed();
  const auto listed = service->trash();
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().volume.id, volume.id);
  EXPECT_EQ(listed->front().volume.deleted, now);
  EXPECT_EQ(listed->front().volume.snapshots.size(), 1U);
  EXPECT_EQ(listed->front().due, now + 86400);
}

TEST_F(TrashTest, WithoutRetainThereIsNone) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(service->remove("shop"));
  EXPECT_EQ(in_trash(), 0U);
}

TEST_F(TrashTest, ItComesBackWithDataSnapshotsAndId) {
  const auto volume = removed();
  const auto back = service->restore_from_trash("shop", "");
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(back->id, volume.id);
  EXPECT_EQ(back->deleted, 0);
  EXPECT_EQ(back->snapshots.size(), 1U);
  EXPECT_EQ(fake->read(volume.id), "goods of shop");
  EXPECT_EQ(in_trash(), 0U);
  EXPECT_TRUE(service->mount("shop", "docker", "a"));
}

TEST_F(TrashTest, TheOneRemovedLastIsMeantByItsName) {
  const auto first = removed();
  now += 10;
  const auto second = removed();
  EXPECT_EQ(service->restore_from_trash("shop", "")->id, second.id);
  EXPECT_EQ(service->restore_from_trash(first.id, "shop2")->id, first.id);
}

TEST_F(TrashTest, ATakenNameAsksForAnother) {
  removed();
  ASSERT_TRUE(create("shop"));
  const auto refused = service->restore_from_trash("shop", "");
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_THAT(refused.error().text, HasSubstr("--as"));
  EXPECT_EQ(service->restore_from_trash("shop", "shop2")->name.str(), "shop2");
}

TEST_F(TrashTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(service->restore_from_trash("shop", "").error().code, Code::kNotFound);
  EXPECT_EQ(service->restore_from_trash("", "").error().code, Code::kInvalid);
  EXPECT_EQ(service->empty_trash("shop").error().code, Code::kNotFound);
  EXPECT_EQ(service->empty_trash("").value(), 0U);
  removed();
  EXPECT_EQ(service->restore_from_trash("shop", "../x").error().code, Code::kInvalid);
  now += 86400;
  EXPECT_EQ(service->restore_from_trash("shop", "").error().code, Code::kNotFound);
}

TEST_F(TrashTest, OneOrAllAreEmptied) {
  removed("first");
  removed("second");
  removed("third");
  EXPECT_EQ(service->empty_trash("second").value(), 1U);
  EXPECT_EQ(in_trash(), 2U);
  EXPECT_EQ(service->empty_trash("").value(), 2U);
  EXPECT_TRUE(is_clean());
}

TEST_F(TrashTest, WhatIsStillMountedStays) {
  const auto volume = removed();
  fake->set_users(volume.id, "sleep (pid 5)");
  EXPECT_EQ(service->empty_trash("shop").error().code, Code::kInUse);
  EXPECT_EQ(service->empty_trash("").value(), 0U);
  EXPECT_EQ(in_trash(), 1U);
  now += 86400;
  EXPECT_THAT(service->reconcile()->actions, IsEmpty());
  fake->set_users(volume.id, "");
  EXPECT_EQ(service->reconcile()->actions.size(), 1U);
  EXPECT_TRUE(is_clean());
}

TEST_F(TrashTest, ARestoreThatTheBackendFailsPutsItBack) {
  removed();
  fake->fail_next("restore", kBroken);
  EXPECT_FALSE(service->restore_from_trash("shop", "shop2"));
  ASSERT_EQ(in_trash(), 1U);
  EXPECT_EQ(service->trash()->front().volume.name.str(), "shop");
  EXPECT_EQ(service->inspect("shop2").error().code, Code::kNotFound);
  EXPECT_TRUE(service->restore_from_trash("shop", "shop2"));
}

TEST_F(TrashTest, DataThatWasEmptiedByHandIsForgotten) {
  const auto volume = removed();
  Volume gone = volume;
  gone.deleted = now;
  ASSERT_TRUE(fake->purge(gone, {}));
  EXPECT_EQ(service->restore_from_trash("shop", "").error().code, Code::kNotFound);
  EXPECT_TRUE(is_clean());
}

}  // namespace
}  // namespace fairlead::volume
