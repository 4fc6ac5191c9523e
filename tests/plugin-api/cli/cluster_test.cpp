#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using ClusterCommand = CliTest;
using ::testing::Return;

auto is_overlay(bool encrypted) {
  return ::testing::Truly([encrypted](const network::NetworkSpec& spec) {
    return spec.options.mode == "overlay" && spec.options.encrypted == encrypted;
  });
}

constexpr const char* kHosts = R"({"hosts": [
    {"id": "3f9a0123456789abcdef0123456789ab", "name": "node1", "address": "10.0.0.1",
     "state": "alive", "since": "2026-01-31T12:00:00Z", "epoch": 1, "version": "1.2.3"},
    {"id": "7b1c0123456789abcdef0123456789ab", "name": "node2", "address": "10.0.0.2",
     "state": "suspect", "since": "2026-01-31T12:05:00Z", "epoch": 2, "version": "1.2.3"}]})";

TEST_F(ClusterCommand, ListsTheHosts) {
  answers_["GET /v1/hosts"] = {kHosts};
  EXPECT_EQ(run("host ls").out,
            "HOST ID        NAME    ADDRESS    STATE     SINCE                  VERSION\n"
            "3f9a01234567   node1   10.0.0.1   alive     2026-01-31T12:00:00Z   1.2.3\n"
            "7b1c01234567   node2   10.0.0.2   suspect   2026-01-31T12:05:00Z   1.2.3\n");
  EXPECT_EQ(run("host ls -q").out, "3f9a01234567\n7b1c01234567\n");
  EXPECT_NE(run("host ls --json").out.find("\"state\": \"suspect\""), std::string::npos);
}

TEST_F(ClusterCommand, WithoutTheDaemonItSaysSo) {
  const Outcome outcome = run("host ls");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: list hosts: fairleadd does not run\n");
}

TEST_F(ClusterCommand, ShowsTheClusterAndWhatIsWrongWithIt) {
  answers_["GET /v1/cluster"] = {
      R"({"cluster": "east", "host": {"name": "node1", "address": "10.0.0.1"},
      "joined": true, "frozen": false,
      "etcd": [{"endpoint": "https://10.0.0.1:2379", "version": "3.5.33", "leader": true, "has_leader": true},
               {"endpoint": "https://10.0.0.2:2379", "error": "connection refused"}],
      "hosts": {"alive": 2, "suspect": 1, "gone": 0}, "networks": 3,
      "peers": {"networks": 1, "entries": 12, "refused": ["endpoint e"]}, "waiting": 0,
      "problems": ["member https://10.0.0.2:2379 of etcd does not answer: connection refused"]})"};
  EXPECT_EQ(run("cluster status").out,
            "cluster     east\n"
            "this host   node1 at 10.0.0.1, joined\n"
            "hosts       2 alive, 1 suspect, 0 gone\n"
            "networks    3, 1 of them here\n"
            "entries     12 of other hosts' containers\n"
            "waiting     0 endpoints that the others do not know of yet\n"
            "refused     1 things that other hosts say, 0 records cannot be read\n"
            "etcd        https://10.0.0.1:2379  3.5.33  leader\n"
            "etcd        https://10.0.0.2:2379  connection refused\n"
            "\n"
            "Problems\n"
            "  member https://10.0.0.2:2379 of etcd does not answer: connection refused\n");
}

TEST_F(ClusterCommand, RemovesAHostInAsManyStepsAsItTakes) {
  answers_["DELETE /v1/hosts/node3"] = {R"({"complete": false, "retry_after": 0, "endpoints": 3})",
                                        R"({"complete": true, "addresses": 1})"};
  const Outcome outcome = run("host rm node3");
  EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
  EXPECT_EQ(outcome.out, "node3 is out; its addresses are free in 0 s\nnode3\n");
}

TEST_F(ClusterCommand, AsksBeforeItRemovesAHost) {
  in_is_tty_ = true;
  stdin_ = "n\n";
  const Outcome outcome = run("host rm node3");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_NE(outcome.err.find("both use them until it can"), std::string::npos);
  answers_["DELETE /v1/hosts/node3?force=true"] = {R"({"complete": true})"};
  EXPECT_EQ(run("host rm -f node3").exit_code, cli::kDone);
}

TEST_F(ClusterCommand, ANetworkOverSeveralHostsIsMadeByTheDaemon) {
  EXPECT_CALL(*networks_, create_network).Times(0);
  EXPECT_CALL(*daemon_networks_, create_network(is_overlay(false)))
      .WillRepeatedly(Return(shop_network()));
  const Outcome outcome = run("network create -o mode=overlay shop");
  EXPECT_EQ(outcome.out, kShopId + "\n") << outcome.err;
  EXPECT_NE(run("network create -o mode=overlay --json shop").out.find(kShopId), std::string::npos);
}

TEST_F(ClusterCommand, WhyTheDaemonMakesNoNetworkIsSaid) {
  EXPECT_CALL(*daemon_networks_, create_network)
      .WillOnce(Return(fail(Code::kUnavailable, "fairleadd does not run")));
  EXPECT_EQ(run("network create -o mode=overlay shop").err,
            "fairlead: create network shop: fairleadd does not run\n");
}

TEST_F(ClusterCommand, EncryptedNeedsNoValueAsWithDocker) {
  EXPECT_CALL(*daemon_networks_, create_network(is_overlay(true))).WillOnce(Return(shop_network()));
  const Outcome outcome = run("network create -o mode=overlay -o encrypted shop");
  EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
}

TEST_F(ClusterCommand, ReleaseByItsAliasTellsTheDaemon) {
  answers_["POST /v1/cluster/thaw"] = {"null"};
  EXPECT_EQ(run("cluster thaw").exit_code, cli::kDone);
}

}  // namespace
}  // namespace fairlead::testing
