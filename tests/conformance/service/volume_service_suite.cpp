// What the protocols expect of a VolumeService, wherever it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/service/service_world.h"
#include "volume/api/options.h"

namespace fairlead::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using volume::Snapshot;
using volume::Volume;
using volume::VolumeSpec;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().text);
}

class VolumeServiceSuite : public ::testing::TestWithParam<Access> {
 protected:
  volume::VolumeService& service() { return world_.volumes(); }
  using Options = std::map<std::string, std::string>;
  Result<Volume> create_with(const std::string& name, const Options& options) {
    VolumeSpec spec{.name = must(VolumeName::parse(name))};
    spec.options = must(volume::parse_options(options));
    spec.labels = {{"team", "a"}};
    return service().create(spec);
  }
  Volume create(const std::string& name, const Options& options = {}) {
    return must(create_with(name, options));
  }

  ServiceWorld world_{GetParam()};
};

TEST_P(VolumeServiceSuite, WhatWasMadeIsListedAndLookedUpTheSame) {
  const Volume made = create("data");
  EXPECT_EQ(made.name.str(), "data");
  EXPECT_EQ(made.backend, "fake");
  EXPECT_EQ(made.phase, volume::Phase::kReady);
  EXPECT_EQ(made.created, world_.host.now);
  EXPECT_EQ(made.labels.at("team"), "a");
  EXPECT_EQ(create("data"), made);
  EXPECT_EQ(must(service().inspect("data")), made);
  EXPECT_THAT(must(service().list()), ElementsAre(made));
  const auto status = must(service().status(made));
  EXPECT_EQ(status.backend, "fake");
  EXPECT_EQ(status.health, "ok");
}

TEST_P(VolumeServiceSuite, SaysThatThereIsNoSuchVolume) {
  EXPECT_EQ(service().inspect("none").error().code, Code::kNotFound);
  EXPECT_EQ(service().remove("none").error().code, Code::kNotFound);
  EXPECT_EQ(service().mount("none", "test", "web").error().code, Code::kNotFound);
  must(service().unmount("none", "test", "web"));
}

TEST_P(VolumeServiceSuite, CountsMounts) {
  create("data");
  must(service().mount("data", "test", "web"));
  const Volume mounted = must(service().mount("data", "test", "web"));
  EXPECT_FALSE(mounted.mountpoint.empty());
  EXPECT_THAT(mounted.mounts, ElementsAre(volume::MountHint{"test", "web", 2}));
  must(service().unmount("data", "test", "web"));
  EXPECT_THAT(must(service().inspect("data")).mounts,
              ElementsAre(volume::MountHint{"test", "web", 1}));
}

TEST_P(VolumeServiceSuite, ChangesNameLabelsAndSize) {
  const Volume made = create("data");
  create("other");
  EXPECT_EQ(must(service().rename("data", "fresh")).id, made.id);
  EXPECT_EQ(service().rename("fresh", "other").error().code, Code::kExists);
  EXPECT_EQ(must(service().set_labels("fresh", {{"team", std::nullopt}, {"tier", "b"}})).labels,
            (std::map<std::string, std::string>{{"tier", "b"}}));
  EXPECT_EQ(must(service().set_labels("fresh", {})).labels.size(), 1U);
  must(service().resize("fresh", 1U << 30));
  EXPECT_EQ(must(service().usage("fresh", {})).size, 1U << 30);
}

TEST_P(VolumeServiceSuite, TakesSnapshotsAndGoesBackToThem) {
  create("data");
  const Snapshot taken = must(service().take_snapshot("data", "monday", {}));
  EXPECT_EQ(taken.name.str(), "monday");
  EXPECT_EQ(taken.origin, volume::SnapshotOrigin::kUser);
  EXPECT_EQ(service().take_snapshot("data", "monday", {}).error().code, Code::kExists);
  EXPECT_FALSE(must(service().take_snapshot("data", "", {})).name.str().empty());
  EXPECT_THAT(must(service().inspect("data")).snapshots, SizeIs(2));
  EXPECT_EQ(must(service().inspect("data")).snapshots[0], taken);
  const Snapshot kept = must(service().roll_back("data", "monday", {}));
  EXPECT_EQ(kept.origin, volume::SnapshotOrigin::kRollback);
  must(service().drop_snapshot("data", "monday"));
  EXPECT_EQ(service().drop_snapshot("data", "monday").error().code, Code::kNotFound);
  EXPECT_EQ(service().roll_back("data", "monday", {}).error().code, Code::kNotFound);
}

TEST_P(VolumeServiceSuite, ChecksAVolume) {
  create("data");
  EXPECT_TRUE(must(service().check("data", false, {})).clean);
  EXPECT_TRUE(must(service().check("data", true, {})).clean);
}

TEST_P(VolumeServiceSuite, TheTrashGivesBackAndIsEmptied) {
  const Volume made = create("data", {{"retain", "1d"}});
  must(service().remove("data"));
  const auto trash = must(service().trash());
  ASSERT_THAT(trash, SizeIs(1));
  EXPECT_EQ(trash[0].volume.id, made.id);
  EXPECT_EQ(trash[0].volume.deleted, world_.host.now);
  EXPECT_EQ(trash[0].due, world_.host.now + 24 * 3600);
  EXPECT_EQ(must(service().restore_from_trash("data", "again")).id, made.id);
  EXPECT_EQ(must(service().inspect("again")).name.str(), "again");
  EXPECT_EQ(service().restore_from_trash("data", "").error().code, Code::kNotFound);
  must(service().remove("again"));
  EXPECT_EQ(must(service().empty_trash("again")), 1U);
  EXPECT_EQ(must(service().empty_trash("")), 0U);
  EXPECT_THAT(must(service().trash()), IsEmpty());
}

TEST_P(VolumeServiceSuite, MakesNoOtherVolumeOfTheSameName) {
  create("data");
  const auto refused = create_with("data", {{"retain", "1d"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr("retain"));
}

TEST_P(VolumeServiceSuite, Reconciles) {
  create("data");
  EXPECT_THAT(must(service().reconcile()).failures, IsEmpty());
}

std::string name_of(const ::testing::TestParamInfo<Access>& access) {
  return access.param == Access::kRemote ? "remote" : "in_process";
}
INSTANTIATE_TEST_SUITE_P(Services, VolumeServiceSuite,
                         ::testing::Values(Access::kInProcess, Access::kRemote), name_of);

}  // namespace
}  // namespace fairlead::testing
