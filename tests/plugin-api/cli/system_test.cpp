#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::Return;
using SystemCommand = CliTest;

TEST_F(SystemCommand, StatusOfAHealthyHostIsShort) {
  EXPECT_CALL(*networks_, status).WillOnce(Return(network::ServiceStatus{.networks = 1}));
  EXPECT_EQ(run("status").out,
            "networks        1\nendpoints       0\nports           0\nleases          0\naddress "
            "pools   0\nvolumes         0\nvolume pools    0\n");
}

TEST_F(SystemCommand, StatusTellsWhichVolumesAreNotWell) {
  has_volumes();
  EXPECT_CALL(*networks_, status).WillOnce(Return(network::ServiceStatus{}));
  const std::string out = run("status").out;
  EXPECT_THAT(out, ::testing::HasSubstr("Problems\n  volume \"bare\": the folder is missing\n"));
  EXPECT_THAT(out, ::testing::Not(::testing::HasSubstr("volume \"data\"")));
}

TEST_F(SystemCommand, StatusSaysWhyItFailed) {
  EXPECT_CALL(*networks_, status).WillOnce(Return(fail(Code::kIo, "the store cannot be read")));
  const Outcome outcome = run("status");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: show status: the store cannot be read\n");
}

TEST_F(SystemCommand, TheLinkToThePageIsPrintedAlone) {
  page_link_ = "http://127.0.0.1:7780/#token=aa";
  uid_ = 1000;
  EXPECT_EQ(run("ui").out, "http://127.0.0.1:7780/#token=aa\n");
  EXPECT_EQ(run("ui --json").out, "{\n  \"link\": \"http://127.0.0.1:7780/#token=aa\"\n}\n");
}

TEST_F(SystemCommand, WithoutAPageItIsSaidHowToGetOne) {
  const Outcome outcome = run("ui");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: print the link to the page: fairleadd has no page\n");
}

TEST_F(SystemCommand, ReconcileWithNothingToDoSaysSo) {
  EXPECT_EQ(run("reconcile").out, "nothing to do\n");
  EXPECT_EQ(run("reconcile -q").out, "");
}

TEST_F(SystemCommand, ReconcileFailsWhenSomethingCouldNotBeMended) {
  EXPECT_CALL(*networks_, reconcile)
      .WillRepeatedly(
          Return(network::ReconcileReport{{"made bridge again"}, {"bridge fl-2: no such device"}}));
  const Outcome outcome = run("reconcile");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.out, "made bridge again\n");
  EXPECT_EQ(outcome.err, "fairlead: reconcile: bridge fl-2: no such device\n");
  EXPECT_EQ(run("reconcile --json").exit_code, cli::kFailed);
}

TEST_F(SystemCommand, ReconcileSaysWhyItCouldNotBegin) {
  EXPECT_CALL(*networks_, reconcile)
      .WillOnce(Return(fail(Code::kUnavailable, "the store is busy")));
  const Outcome outcome = run("reconcile");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: reconcile: the store is busy\n");
}

}  // namespace
}  // namespace fairlead::testing
