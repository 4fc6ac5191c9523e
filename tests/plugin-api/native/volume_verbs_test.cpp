// What the API does to volumes in depth: snapshots, sizes, trash, pools and jobs.
#include "tests/plugin-api/native/api_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::_;
using ::testing::InSequence;
using ::testing::Return;

class VolumeVerbs : public ApiTest {
 protected:
  VolumeVerbs() { ON_CALL(volumes_, inspect).WillByDefault(Return(data_volume())); }
};

TEST_F(VolumeVerbs, APatchChangesTheSizeThenTheLabelsThenTheName) {
  const std::map<std::string, std::optional<std::string>> labels{{"team", std::nullopt},
                                                                 {"tier", "b"}};
  const InSequence in_order;
  EXPECT_CALL(volumes_, resize("data", 20ULL << 30)).WillOnce(Return(data_volume()));
  EXPECT_CALL(volumes_, set_labels("data", labels)).WillOnce(Return(data_volume()));
  EXPECT_CALL(volumes_, rename("data", "shop")).WillOnce(Return(data_volume()));
  EXPECT_EQ(send("PATCH", "/v1/volumes/data",
                 R"({"name": "shop", "labels": {"team": null, "tier": "b"}, "size": "20g"})")
                .status,
            200);
}

TEST_F(VolumeVerbs, APatchThatIsRefusedHalfWayChangesNothingMore) {
  EXPECT_CALL(volumes_, resize).WillOnce(Return(fail(Code::kExhausted, "12 GiB are used")));
  EXPECT_CALL(volumes_, rename).Times(0);
  expect_problem(send("PATCH", "/v1/volumes/data", R"({"name": "shop", "size": 1})"), 507,
                 "exhausted", "12 GiB are used");
}

TEST_F(VolumeVerbs, APatchMayNameWhatTheVolumeIsCalledAlready) {
  EXPECT_CALL(volumes_, rename).Times(0);
  EXPECT_EQ(send("PATCH", "/v1/volumes/data", R"({"name": "data"})").status, 200);
}

TEST_F(VolumeVerbs, ANewSnapshotIsCreated) {
  EXPECT_CALL(volumes_, take_snapshot("data", "friday", _)).WillOnce(Return(monday_snapshot()));
  const auto response = send("POST", "/v1/volumes/data/snapshots", R"({"name": "friday"})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(parsed(response)["state"]["volume"], "data");
}

TEST_F(VolumeVerbs, TheSameSnapshotAgainIsOk) {
  EXPECT_CALL(volumes_, take_snapshot).Times(0);
  EXPECT_EQ(send("POST", "/v1/volumes/data/snapshots", R"({"name": "monday"})").status, 200);
}

TEST_F(VolumeVerbs, ASnapshotWithoutANameIsNamedByTheService) {
  EXPECT_CALL(volumes_, take_snapshot("data", "", _)).WillOnce(Return(monday_snapshot()));
  EXPECT_EQ(send("POST", "/v1/volumes/data/snapshots").status, 201);
}

TEST_F(VolumeVerbs, SnapshotsAreListedPerVolumeAndForAll) {
  EXPECT_CALL(volumes_, list).WillOnce(Return(std::vector{data_volume(), data_volume()}));
  EXPECT_EQ(parsed(send("GET", "/v1/volumes/data/snapshots"))["snapshots"].size(), 1U);
  EXPECT_EQ(parsed(send("GET", "/v1/snapshots"))["snapshots"].size(), 2U);
}

TEST_F(VolumeVerbs, ARollbackAnswersWhatWasKept) {
  EXPECT_CALL(volumes_, roll_back("data", "monday", _)).WillOnce(Return(monday_snapshot()));
  EXPECT_EQ(parsed(send("POST", "/v1/volumes/data/rollback", R"({"snapshot": "monday"})"))["name"],
            "monday");
}

TEST_F(VolumeVerbs, ThatTakeTooLongAreStoppedAndNameTheCommand) {
  native::Services impatient = services();
  impatient.request_deadline = std::chrono::milliseconds(0);
  handler_ = native::make_native_handler(std::move(impatient));
  EXPECT_CALL(volumes_, check("data", true, _))
      .WillOnce([](const std::string&, bool,
                   const volume::Progress& progress) -> Result<volume::CheckReport> {
        EXPECT_FALSE(progress(1, 2));
        return fail(Code::kUnavailable, "stopped");
      });
  expect_problem(send("POST", "/v1/volumes/data/check", R"({"repair": true})"), 503, "unavailable",
                 "run `fairlead volume check data --repair`");
}

TEST_F(VolumeVerbs, ThatFailOnTheirOwnKeepTheirReason) {
  EXPECT_CALL(volumes_, usage).WillOnce(Return(fail(Code::kUnavailable, "the server is away")));
  expect_problem(send("GET", "/v1/volumes/data/usage"), 503, "unavailable", "the server is away");
}

TEST_F(VolumeVerbs, TrashThatIsStillMountedIsNotCalledGone) {
  EXPECT_CALL(volumes_, empty_trash("old")).WillOnce(Return(std::size_t{0}));
  expect_problem(send("DELETE", "/v1/trash/old"), 409, "in_use", "still has it mounted");
}

TEST_F(VolumeVerbs, TrashIsRestoredUnderAnotherName) {
  EXPECT_CALL(volumes_, restore_from_trash("old", "again")).WillOnce(Return(data_volume()));
  EXPECT_EQ(send("POST", "/v1/trash/old/restore", R"({"as": "again"})").status, 200);
}

TEST_F(VolumeVerbs, APoolIsMadeFromTheSizeAsTextOrNumber) {
  EXPECT_CALL(pools_, create(::testing::Field(&volume::PoolSpec::size, 1ULL << 30)))
      .Times(2)
      .WillRepeatedly(Return(fast_pool()));
  EXPECT_EQ(send("POST", "/v1/volume-pools", R"({"name": "fast", "size": "1g"})").status, 201);
  EXPECT_EQ(send("POST", "/v1/volume-pools", R"({"name": "fast", "size": 1073741824})").status,
            201);
}

TEST_F(VolumeVerbs, APoolGrowsToAllOfItsDevice) {
  EXPECT_CALL(pools_, grow("fast", 0)).WillOnce(Return(fast_pool()));
  EXPECT_EQ(send("PATCH", "/v1/volume-pools/fast", "{}").status, 200);
}

TEST_F(VolumeVerbs, AJobThatHasEndedCannotBeStopped) {
  EXPECT_CALL(jobs_, stop("j1")).WillOnce(Return(fail(Code::kConflict, "job j1 has ended")));
  expect_problem(send("POST", "/v1/jobs/j1/stop"), 409, "conflict", "has ended");
}

TEST_F(VolumeVerbs, ASnapshotIsMountedAndUnmountedForAClient) {
  EXPECT_CALL(volumes_, mount_snapshot("data", "monday", "api", "web"))
      .WillOnce(Return(monday_view()));
  const auto mounted =
      send("POST", "/v1/volumes/data/snapshots/monday/mount", R"({"client": "api", "id": "web"})");
  EXPECT_EQ(mounted.status, 200);
  EXPECT_THAT(mounted.body, ::testing::HasSubstr(monday_view().mountpoint));
  EXPECT_CALL(volumes_, unmount_snapshot("data", "monday", "api", "web"))
      .WillOnce(Return(Status()));
  EXPECT_EQ(
      send("POST", "/v1/volumes/data/snapshots/monday/unmount", R"({"client": "api", "id": "web"})")
          .status,
      204);
  EXPECT_CALL(volumes_, inspect_snapshot("data", "friday"))
      .WillOnce(Return(fail(Code::kNotFound, "volume \"data\" has no snapshot \"friday\"")));
  expect_problem(send("GET", "/v1/volumes/data/snapshots/friday"), 404, "not_found", "friday");
}

}  // namespace
}  // namespace fairlead::testing
