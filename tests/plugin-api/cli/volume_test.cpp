#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::Return;
using volume::VolumeSpec;

class VolumeCommand : public CliTest {
 protected:
  VolumeSpec asked_for(const std::string& line) {
    VolumeSpec asked;
    EXPECT_CALL(*volumes_, create)
        .WillOnce([&](const VolumeSpec& spec, const volume::Progress&) -> Result<volume::Volume> {
          asked = spec;
          volume::Volume made = data_volume();
          made.name = spec.name;
          return made;
        });
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
    EXPECT_EQ(outcome.out, asked.name.str() + "\n");
    return asked;
  }
};

TEST_F(VolumeCommand, EmptyListsHaveOnlyAHeader) {
  EXPECT_EQ(run("volume ls").out,
            "VOLUME NAME   BACKEND   SIZE   USED   SNAPSHOTS   IN USE   HEALTH   CREATED\n");
  EXPECT_EQ(run("volume ls -q").out, "");
  EXPECT_EQ(run("volume ls --json").out, "[]\n");
}

TEST_F(VolumeCommand, ListsAreFilteredByName) {
  has_volumes();
  EXPECT_EQ(run("volume ls -q --filter name=dat").out, "data\n");
}

TEST_F(VolumeCommand, NamesAloneNeedNoStatus) {
  has_volumes();
  EXPECT_CALL(*volumes_, status).Times(0);
  EXPECT_EQ(run("volume ls -q").out, "data\nbare\n");
  EXPECT_EQ(run("volume ls -q --filter name=dat --filter driver=image").out, "data\n");
}

TEST_F(VolumeCommand, FiltersOfTheStatusAskForItWithNamesAloneAsWell) {
  has_volumes();
  EXPECT_CALL(*volumes_, status)
      .Times(2)
      .WillRepeatedly(Return(volume::VolumeStatus{.in_use = true}));
  EXPECT_EQ(run("volume ls -q --filter mounted=true").out, "data\nbare\n");
}

TEST_F(VolumeCommand, ListsAreFilteredByPool) {
  has_volumes();
  EXPECT_EQ(run("volume ls -q --pool fast").out, "data\nbare\n");
  EXPECT_EQ(run("volume ls -q --pool slow").out, "");
  EXPECT_CALL(*pools_, inspect("nosuch"))
      .WillRepeatedly(Return(fail(Code::kNotFound, "pool nosuch does not exist")));
  const Outcome unknown = run("volume ls --pool nosuch");
  EXPECT_EQ(unknown.exit_code, cli::kFailed);
  EXPECT_EQ(unknown.err, "fairlead: list volumes: pool nosuch does not exist\n");
  EXPECT_EQ(unknown.out, "");
}

TEST_F(VolumeCommand, NamesTheClosestVolumeWhenOneIsMissing) {
  has_volumes();
  EXPECT_CALL(*volumes_, inspect("dta"))
      .WillOnce(Return(fail(Code::kNotFound, "there is no volume dta")));
  EXPECT_EQ(run("volume inspect dta").err,
            "fairlead: inspect volume dta: there is no volume dta; did you mean \"data\"?\n");
}

TEST_F(VolumeCommand, CreateTakesOptionsAndLabels) {
  const VolumeSpec spec = asked_for(
      "volume create -o backend=image -o size=10g -o o=uid=7,mode=0700 --label team=a data");
  EXPECT_EQ(spec.name.str(), "data");
  EXPECT_EQ(to_map(spec.options),
            (std::map<std::string, std::string>{
                {"backend", "image"}, {"size", "10g"}, {"uid", "7"}, {"mode", "0700"}}));
  EXPECT_EQ(spec.labels, (std::map<std::string, std::string>{{"team", "a"}}));
}

TEST_F(VolumeCommand, CreateNamesTheClosestOption) {
  EXPECT_CALL(*volumes_, create).Times(0);
  const Outcome outcome = run("volume create -o sise=10g data");
  EXPECT_EQ(outcome.exit_code, cli::kUsage);
  EXPECT_THAT(outcome.err,
              ::testing::HasSubstr("unknown volume option \"sise\"; did you mean \"size\"?"));
}

TEST_F(VolumeCommand, CreateWithoutANameMakesOneUp) {
  const std::string first = asked_for("volume create").name.str();
  EXPECT_EQ(first.size(), 64U);
  EXPECT_NE(asked_for("volume create").name.str(), first);
}

TEST_F(VolumeCommand, CreateSaysWhyItFailed) {
  EXPECT_CALL(*volumes_, create).WillOnce(Return(fail(Code::kConflict, "size is 1g, not 2g")));
  const Outcome outcome = run("volume create data -o size=2g");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: create volume data: size is 1g, not 2g\n");
}

TEST_F(VolumeCommand, RemoveGoesOnAfterErrorsAndByForceIgnoresWhatIsMissing) {
  EXPECT_CALL(*volumes_, remove("gone"))
      .WillRepeatedly(Return(fail(Code::kNotFound, "there is no volume gone")));
  EXPECT_CALL(*volumes_, remove("data")).WillRepeatedly(Return(Status()));
  EXPECT_EQ(run("volume rm gone data").exit_code, cli::kFailed);
  EXPECT_EQ(run("volume rm gone data").out, "data\n");
  EXPECT_EQ(run("volume rm -f gone data").exit_code, cli::kDone);
}

TEST_F(VolumeCommand, InspectNamesWhatIsMissing) {
  EXPECT_CALL(*volumes_, inspect("gone"))
      .WillOnce(Return(fail(Code::kNotFound, "there is no volume gone")));
  const Outcome outcome = run("volume inspect gone");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.out, "[]\n");
  EXPECT_EQ(outcome.err, "fairlead: inspect volume gone: there is no volume gone\n");
}

}  // namespace
}  // namespace fairlead::testing
