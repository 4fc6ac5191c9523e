#include "plugin-api/cli/complete.h"

#include <gmock/gmock.h>

#include "plugin-api/cli/command_text.h"
#include "plugin-api/cli/commands.h"
#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Return;

class Complete : public CliTest {
 protected:
  Complete() {
    has_endpoints();
    has_volumes();
    ON_CALL(*volumes_, inspect).WillByDefault(Return(data_volume()));
    ON_CALL(*volumes_, trash).WillByDefault(Return(std::vector{old_volume()}));
    ON_CALL(*pools_, list).WillByDefault(Return(std::vector{fast_pool()}));
    ON_CALL(*archives_, backups).WillByDefault(Return(std::vector{data_backup()}));
    ON_CALL(*jobs_, list).WillByDefault(Return(std::vector{failed_job()}));
  }

  // The words that are proposed, and the directive, with spaces between them.
  std::string proposed(const std::string& line, const std::string& last) {
    const Outcome outcome = run("__complete " + line, {last});
    EXPECT_EQ(outcome.exit_code, cli::kDone);
    EXPECT_EQ(outcome.err, "");
    std::string words;
    std::istringstream lines(outcome.out);
    for (std::string one; std::getline(lines, one);)
      words += (words.empty() ? "" : " ") + one.substr(0, one.find('\t'));
    return words;
  }
};

TEST_F(Complete, GroupsAndCommands) {
  EXPECT_EQ(proposed("", "netw"), "network :none");
  EXPECT_EQ(proposed("network", "r"), "rm reserve :none");
  EXPECT_EQ(proposed("vol", "snap"), "snapshot :none");
  EXPECT_EQ(proposed("volume snapshot", "cr"), "create :none");
  EXPECT_EQ(proposed("nonsense", "nonsense"), ":none");
  const std::string all = proposed("", "");
  for (const cli::Group& group : cli::groups())
    EXPECT_THAT(all, HasSubstr(std::string(group.name)));
}

TEST_F(Complete, EachCommandWithEachOfItsOptions) {
  for (const cli::Command& command : cli::commands()) {
    const std::string line = cli::full_name(command).substr(sizeof("fairlead ") - 1);
    const std::string options = proposed(line, "-");
    for (const cli::OptionText& option : cli::options_of(command))
      for (const std::string& name : option.names) EXPECT_THAT(options, HasSubstr(name)) << line;
    EXPECT_THAT(options, HasSubstr("--state-dir")) << line;
  }
  EXPECT_EQ(opened_, 0);
}

TEST_F(Complete, NamesOfWhatThereIs) {
  EXPECT_EQ(proposed("network rm", "sh"), "shop :none");
  EXPECT_EQ(proposed("network rm shop", "sh"), ":none");  // said already
  EXPECT_EQ(proposed("network create", "sh"), ":none");
  EXPECT_EQ(proposed("endpoint inspect", ""), "shop_web_1 cccccccccccc :none");
  EXPECT_EQ(proposed("policy allow", "out"), "outside :none");
  EXPECT_EQ(proposed("volume rm", "da"), "data :none");
  EXPECT_EQ(proposed("volume clone", "data@"), "data@monday :none");
  EXPECT_EQ(proposed("snapshot rm", ""), "data@monday bare@monday :none");
  EXPECT_EQ(proposed("volume rollback data", "m"), "monday :none");
  EXPECT_EQ(proposed("pool grow", ""), "fast :none");
  EXPECT_EQ(proposed("trash restore", ""), "old :none");
  EXPECT_EQ(proposed("jobs stop", ""), failed_job().id + " :none");
  EXPECT_EQ(proposed("backup rm /srv", ""), data_backup().id + " :none");
  EXPECT_EQ(proposed("doctor", "disk"), "disk-space :none");
}

TEST_F(Complete, ValuesOfOptions) {
  EXPECT_EQ(proposed("port ls --network", "sh"), "shop :none");
  EXPECT_EQ(proposed("port ls", "--network=sh"), "--network=shop :none");
  EXPECT_EQ(proposed("volume create -o", "siz"), "size= :nospace");
  EXPECT_EQ(proposed("network create -o", "mt"), "mtu= :nospace");
  EXPECT_EQ(proposed("volume set data", "siz"), "size= :nospace");
  EXPECT_EQ(proposed("volume ls --pool", ""), "fast :none");
  EXPECT_EQ(proposed("network create --file", ""), ":files");
  EXPECT_EQ(proposed("backup ls", ""), ":folders");
  EXPECT_EQ(proposed("network rm --", "-"), ":none");  // a name that begins so
}

TEST_F(Complete, HostsAreAskedOfTheDaemon) {
  answers_["GET /v1/hosts"] = {R"({"hosts": [{"id": "1", "name": "node1", "state": "alive"}]})"};
  EXPECT_EQ(proposed("host rm", "n"), "node1 :none");
  EXPECT_EQ(opened_, 0);
}

TEST_F(Complete, NothingIsSaidWhereNothingIsKnown) {
  uid_ = 1000;
  EXPECT_EQ(proposed("network rm", ""), ":none");
  EXPECT_EQ(opened_, 0);
  uid_ = 0;
  EXPECT_EQ(proposed("--state-dir /nowhere network rm", ""), ":none");
  EXPECT_EQ(opened_, 0);  // which would make the folder
  broken_ = Error{Code::kIo, 0, "the store is broken"};
  EXPECT_EQ(proposed("network rm", ""), ":none");
}

TEST_F(Complete, TheStoreIsTheOneThatTheLineNames) {
  proposed("--config /etc/other.json network rm", "");
  EXPECT_EQ(settings_.config, "/etc/other.json");
}

}  // namespace
}  // namespace fairlead::testing
