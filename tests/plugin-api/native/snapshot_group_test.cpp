// What the API does to snapshots that several volumes have of one moment.
#include "tests/plugin-api/native/api_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::_;
using ::testing::Return;
using volume::VolumeSnapshot;

VolumeName name_of(const std::string& text) { return VolumeName::parse(text).value(); }

volume::Volume shop_volume(const std::string& name) {
  volume::Volume volume = data_volume();
  volume.name = name_of(name);
  return volume;
}

class SnapshotGroups : public ApiTest {
 protected:
  SnapshotGroups() {
    for (const char* const name : {"db", "files"}) {
      volumes_of_shop_.push_back(shop_volume(name));
      taken_.push_back({name_of(name), monday_snapshot()});
    }
    ON_CALL(groups_, members("shop"))
        .WillByDefault(Return(std::vector{name_of("db"), name_of("files")}));
    ON_CALL(volumes_, list).WillByDefault([this] { return volumes_of_shop_; });
    ON_CALL(volumes_, inspect)
        .WillByDefault([this](const std::string& name) -> Result<volume::Volume> {
          for (const volume::Volume& one : volumes_of_shop_)
            if (one.name.str() == name) return one;
          return fail(Code::kNotFound, "there is no volume \"{}\"", name);
        });
  }
  void have_no_snapshots() {
    for (volume::Volume& one : volumes_of_shop_) one.snapshots.clear();
  }
  http::Response take(const std::string& body) { return send("POST", "/v1/snapshot-groups", body); }

  const std::string id_ = monday_snapshot().group;
  std::vector<volume::Volume> volumes_of_shop_;
  std::vector<VolumeSnapshot> taken_;
};

TEST_F(SnapshotGroups, AreTakenOfALabel) {
  have_no_snapshots();
  EXPECT_CALL(groups_, take("shop", "monday", _)).WillOnce(Return(taken_));
  const auto response = take(R"({"volumes": "shop", "name": "monday"})");
  EXPECT_EQ(response.status, 201);
  const auto group = parsed(response);
  EXPECT_EQ(group["id"], id_);
  EXPECT_EQ(group["name"], "monday");
  ASSERT_EQ(group["snapshots"].size(), 2U);
  EXPECT_EQ(group["snapshots"][1]["state"]["volume"], "files");
}

TEST_F(SnapshotGroups, TheSameAgainIsOk) {
  EXPECT_CALL(groups_, take).Times(0);
  const auto response = take(R"({"volumes": "shop", "name": "monday"})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(parsed(response)["id"], id_);
}

TEST_F(SnapshotGroups, WithoutANameEachIsAnother) {
  EXPECT_CALL(groups_, take("shop", "", _)).WillOnce(Return(taken_));
  EXPECT_EQ(take(R"({"volumes": "shop"})").status, 201);
}

TEST_F(SnapshotGroups, OfAnotherMomentIsAConflict) {
  volumes_of_shop_[1].snapshots[0].group = std::string(32, '6');
  EXPECT_CALL(groups_, take).WillOnce(Return(fail(Code::kExists, "db has it already")));
  expect_problem(take(R"({"volumes": "shop", "name": "monday"})"), 409, "exists",
                 "db has it already");
}

TEST_F(SnapshotGroups, ThatOnlyOneOfThemHasIsAConflict) {
  volumes_of_shop_[1].snapshots.clear();
  EXPECT_CALL(groups_, take).WillOnce(Return(fail(Code::kExists, "db has it already")));
  expect_problem(take(R"({"volumes": "shop", "name": "monday"})"), 409, "exists");
}

TEST_F(SnapshotGroups, OfAWordThatNobodyKnowsAreNotFound) {
  EXPECT_CALL(groups_, members("nobody"))
      .WillOnce(Return(fail(Code::kNotFound, "no volume and no label \"nobody\"")));
  expect_problem(take(R"({"volumes": "nobody", "name": "monday"})"), 404, "not_found", "nobody");
}

TEST_F(SnapshotGroups, ThatCannotBeOfOneMomentAreRefusedWithTheWayOut) {
  have_no_snapshots();
  EXPECT_CALL(groups_, take)
      .WillOnce(Return(fail(Code::kUnsupported, "db is a folder in use; stop what uses it")));
  expect_problem(take(R"({"volumes": "shop", "name": "monday"})"), 501, "unsupported",
                 "stop what uses it");
}

TEST_F(SnapshotGroups, ThatTakeTooLongAreStoppedAndNameTheCommand) {
  have_no_snapshots();
  native::Services impatient = services();
  impatient.request_deadline = std::chrono::milliseconds(0);
  handler_ = native::make_native_handler(std::move(impatient));
  EXPECT_CALL(groups_, take("shop", "monday", _))
      .WillOnce([](const std::string&, const std::string&,
                   const volume::Progress& progress) -> Result<std::vector<VolumeSnapshot>> {
        EXPECT_FALSE(progress(1, 2));
        return fail(Code::kUnavailable, "stopped");
      });
  expect_problem(take(R"({"volumes": "shop", "name": "monday"})"), 503, "unavailable",
                 "run `fairlead snapshot create --group shop monday`");
}

TEST_F(SnapshotGroups, AreListedByTheirIds) {
  volumes_of_shop_.push_back(shop_volume("alone"));
  volumes_of_shop_.back().snapshots[0].group.clear();
  const auto groups = parsed(send("GET", "/v1/snapshot-groups"))["groups"];
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0]["id"], id_);
  EXPECT_EQ(groups[0]["snapshots"].size(), 2U);
  EXPECT_EQ(parsed(send("GET", "/v1/snapshot-groups/" + id_))["name"], "monday");
}

// A volume may have been given the name of a label since.
TEST_F(SnapshotGroups, AreRemovedByTheirVolumesNames) {
  EXPECT_CALL(groups_, drop("volume:db,volume:files", "monday")).WillOnce(Return(taken_));
  EXPECT_EQ(send("DELETE", "/v1/snapshot-groups/" + id_).status, 204);
}

TEST_F(SnapshotGroups, ARollbackAnswersWhatWasKept) {
  EXPECT_CALL(groups_, roll_back("volume:db,volume:files", "monday", _)).WillOnce(Return(taken_));
  const auto response = send("POST", "/v1/snapshot-groups/" + id_ + "/rollback");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(parsed(response)["snapshots"].size(), 2U);
}

TEST_F(SnapshotGroups, ThatAreGoneAreNotFound) {
  EXPECT_CALL(groups_, drop).Times(0);
  EXPECT_CALL(groups_, roll_back).Times(0);
  const std::string path = "/v1/snapshot-groups/" + std::string(32, '7');
  for (const char* const method : {"GET", "DELETE"})
    expect_problem(send(method, path), 404, "not_found", "no volume has a snapshot of group");
  expect_problem(send("POST", path + "/rollback"), 404, "not_found");
}

}  // namespace
}  // namespace fairlead::testing
