#include <gmock/gmock.h>

#include "tests/plugin-api/native/api_fixture.h"

namespace fairlead::testing {
namespace {

using namespace network::cluster;
using ::testing::Return;

class ClusterApi : public ApiTest {
 protected:
  ClusterApi() {
    auto parts = services();
    parts.cluster = &control_;
    handler_ = native::make_native_handler(parts);
  }
  HostInfo info(const std::string& name) {
    return {.id = "3f9a0123456789abcdef0123456789ab",
            .name = name,
            .vtep = IpAddress::parse("10.0.0.1").value(),
            .version = "1.2.3"};
  }
  ::testing::NiceMock<MockControl> control_;
};

TEST_F(ApiTest, AHostInNoClusterSaysHowToBeInOne) {
  for (const char* path : {"/v1/cluster", "/v1/hosts"})
    expect_problem(send("GET", path), 501, "unsupported", "\"cluster\" in");
}

TEST_F(ClusterApi, ShowsTheHosts) {
  EXPECT_CALL(control_, hosts)
      .WillOnce(Return(std::vector<Host>{
          {.info = info("node1"), .epoch = 2, .state = HostState::kSuspect, .since = 1}}));
  const auto answer = parsed(send("GET", "/v1/hosts"));
  EXPECT_EQ(answer["hosts"][0]["name"], "node1");
  EXPECT_EQ(answer["hosts"][0]["state"], "suspect");
  EXPECT_EQ(answer["hosts"][0]["address"], "10.0.0.1");
  EXPECT_EQ(answer["hosts"][0]["since"], "1970-01-01T00:00:01Z");
}

TEST_F(ClusterApi, ShowsTheCluster) {
  ClusterStatus status{.cluster = "east", .host = info("node1"), .joined = true};
  status.members = {{.endpoint = "a", .error = "refused"},
                    {.endpoint = "b", .version = "3.5.33", .is_leader = true, .has_leader = true}};
  status.problems = {"member a does not answer"};
  status.peers.refused = {"endpoint e of host evil"};
  status.peers.unreadable = {"record x"};
  EXPECT_CALL(control_, status).WillOnce(Return(status));
  const auto answer = parsed(send("GET", "/v1/cluster"));
  EXPECT_EQ(answer["cluster"], "east");
  EXPECT_EQ(answer["etcd"][0]["error"], "refused");
  EXPECT_FALSE(answer["etcd"][0].contains("version"));
  EXPECT_EQ(answer["etcd"][1]["leader"], true);
  EXPECT_EQ(answer["problems"][0], "member a does not answer");
  EXPECT_EQ(answer["peers"]["refused"][0], "endpoint e of host evil");
  EXPECT_EQ(answer["peers"]["unreadable"][0], "record x");
}

TEST_F(ClusterApi, RemovesAHost) {
  ON_CALL(control_, hosts)
      .WillByDefault(Return(std::vector<Host>{
          {.info = info("node3"), .epoch = 1, .state = HostState::kSuspect, .since = 1}}));
  EXPECT_CALL(control_, remove_host(std::string_view("node3")))
      .WillOnce(Return(HostRemoval{.retry_after = 20, .endpoints = 3}))
      .WillOnce(Return(fail(Code::kNotFound, "there is no host node3 in the cluster")));
  const auto answer = parsed(send("DELETE", "/v1/hosts/node3"));
  EXPECT_EQ(answer["complete"], false);
  EXPECT_EQ(answer["retry_after"], 20);
  expect_problem(send("DELETE", "/v1/hosts/node3"), 404, "not_found", "node3");
}

TEST_F(ClusterApi, AHostThatIsAliveIsNotRemovedUnlessItIsForced) {
  ON_CALL(control_, hosts)
      .WillByDefault(Return(std::vector<Host>{
          {.info = info("node3"), .epoch = 1, .state = HostState::kAlive, .since = 1}}));
  EXPECT_CALL(control_, remove_host).Times(0);
  for (const char* path : {"/v1/hosts/node3", "/v1/hosts/node3?force=false"})
    expect_problem(send("DELETE", path), 409, "in_use", "is alive");
  expect_problem(send("DELETE", "/v1/hosts/node3?force=yes"), 400, "invalid", "true or false");
  ::testing::Mock::VerifyAndClearExpectations(&control_);
  EXPECT_CALL(control_, remove_host).WillOnce(Return(HostRemoval{.complete = true}));
  EXPECT_EQ(send("DELETE", "/v1/hosts/node3?force=true").status, 200);
}

TEST_F(ClusterApi, ReleasesTheHold) {
  EXPECT_CALL(control_, release_hold);
  EXPECT_EQ(send("POST", "/v1/cluster/thaw").status, 204);
}

}  // namespace
}  // namespace fairlead::testing
