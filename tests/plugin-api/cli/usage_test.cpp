// Lines that are not understood: exit code 2, one line on stderr, nothing touched.
#include <unistd.h>

#include "base/unique_fd.h"
#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

struct Misuse {
  std::string line, says;
};
void PrintTo(const Misuse& misuse, std::ostream* out) { *out << misuse.line; }

class Usage : public CliTest, public ::testing::WithParamInterface<Misuse> {};

TEST_P(Usage, IsExplained) {
  const Outcome outcome = run(GetParam().line);
  EXPECT_EQ(outcome.exit_code, cli::kUsage);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, GetParam().says + "\n");
  EXPECT_EQ(opened_, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, Usage,
    ::testing::Values(
        Misuse{
            "netwrk ls",
            R"(fairlead: unknown command "netwrk"; did you mean "network"?; see "fairlead --help")"},
        Misuse{
            "network lss",
            R"(fairlead: unknown command "lss"; did you mean "ls"?; see "fairlead network --help")"},
        Misuse{
            "network crate shop",
            R"(fairlead: unknown command "crate"; did you mean "create"?; see "fairlead network --help")"},
        Misuse{"xyzzy", R"(fairlead: unknown command "xyzzy"; see "fairlead --help")"},
        Misuse{
            "network create --subnt 10.0.0.0/24 shop",
            R"(fairlead: unknown option "--subnt"; did you mean "--subnet"?; see "fairlead network create --help")"},
        Misuse{
            "network ls --jsn",
            R"(fairlead: unknown option "--jsn"; did you mean "--json"?; see "fairlead network ls --help")"},
        Misuse{"network create shop web",
               R"(fairlead: unexpected argument "web"; see "fairlead network create --help")"},
        Misuse{"network ls shop",
               R"(fairlead: unexpected argument "shop"; see "fairlead network ls --help")"},
        Misuse{"volume rename data",
               R"(fairlead: NEW is required; see "fairlead volume rename --help")"},
        Misuse{
            "volume resize data huge",
            R"(fairlead: "huge" is not a size; write bytes or a number with k, m, g or t (like 10g); see "fairlead volume resize --help")"},
        Misuse{
            "volume label data team",
            R"(fairlead: label "team" must be KEY=VALUE, or KEY- to take it away; see "fairlead volume label --help")"},
        Misuse{"volume label data team=a team-",
               R"(fairlead: label team is given twice; see "fairlead volume label --help")"},
        Misuse{
            "volume rollback data",
            R"(fairlead: which snapshot of data? say data@SNAPSHOT; see "fairlead volume rollback --help")"},
        Misuse{
            "volume rollback data@monday tuesday",
            R"(fairlead: the snapshot is named twice: "data@monday" and "tuesday"; see "fairlead volume rollback --help")"},
        Misuse{
            "volume clone -o from=bb data new",
            R"(fairlead: the source is named twice: -o from= is not needed; see "fairlead volume clone --help")"},
        Misuse{"volume backup data",
               R"(fairlead: --to DIR is missing; see "fairlead volume backup --help")"},
        Misuse{
            "volume backup data --to /srv --exclude a//b",
            R"x(fairlead: "a//b" is not a pattern of what to leave out: a name between two slashes is empty; write it as in .gitignore (*.tmp, /cache, logs/, a/**/b, !keep); see "fairlead volume backup --help")x"},
        Misuse{
            "volume export data -o x --exclude-if-present a/b",
            R"(fairlead: "a/b" is not the name of a file, like .nobackup; see "fairlead volume export --help")"},
        Misuse{
            "volume backup data --to /srv --keep daily",
            R"x(fairlead: --keep: "daily" is not a schedule; write last, hourly, daily, weekly, monthly or yearly and how many are kept, 1 to 1000 (like hourly:24,daily:7); see "fairlead volume backup --help")x"},
        Misuse{
            "backup verify --repair /srv 2026",
            R"(fairlead: --repair is for all backups in the folder: leave the BACKUP out; see "fairlead backup verify --help")"},
        Misuse{
            "volume set data retain",
            R"(fairlead: option "retain" must be OPTION=VALUE, or OPTION- to reset it; see "fairlead volume set --help")"},
        Misuse{"volume set data retain=1d retain-",
               R"(fairlead: option retain is given twice; see "fairlead volume set --help")"},
        Misuse{"volume restore data",
               R"(fairlead: --from DIR is missing; see "fairlead volume restore --help")"},
        Misuse{
            "snapshot rm data",
            R"(fairlead: which snapshot of data? say data@SNAPSHOT; see "fairlead snapshot rm --help")"},
        Misuse{
            "volume snapshot crate data",
            R"(fairlead: unknown command "crate"; did you mean "create"?; see "fairlead volume snapshot --help")"},
        Misuse{
            "pool create fast",
            R"(fairlead: a pool needs --size (in a file) or --device, and not both; see "fairlead pool create --help")"},
        Misuse{
            "pool create fast --device sdb",
            R"(fairlead: --device "sdb" must be an absolute path, like /dev/sdb1; see "fairlead pool create --help")"},
        Misuse{
            "pool create fast --size 1g --fstype zfs",
            R"(fairlead: --fstype "zfs" must be btrfs or xfs; see "fairlead pool create --help")"},
        Misuse{
            "jobs resme j1",
            R"(fairlead: unknown command "resme"; did you mean "resume"?; see "fairlead jobs --help")"},
        Misuse{"network rm", R"(fairlead: NAME is required; see "fairlead network rm --help")"},
        Misuse{"network create",
               R"(fairlead: NAME of the network is missing; see "fairlead network create --help")"},
        Misuse{
            "network create --subnet",
            R"(fairlead: --subnet: 1 required CIDR missing; see "fairlead network create --help")"},
        Misuse{"network create a/b",
               "fairlead: \"a/b\" is not a network name: it must begin with a letter or digit, and "
               "hold only letters, digits, '_', '.' and "
               "'-'; see \"fairlead network create --help\""},
        Misuse{
            "network create -o mut=1400 shop",
            R"(fairlead: unknown network option "mut"; did you mean "mtu"?; see "fairlead network create --help")"},
        Misuse{"network create -o mtu shop",
               R"(fairlead: --opt "mtu" must be NAME=VALUE; see "fairlead network create --help")"},
        Misuse{"network create -o mtu=1 -o mtu=2 shop",
               R"(fairlead: --opt mtu is given twice; see "fairlead network create --help")"},
        Misuse{
            "network create -d bridge -o mode=overlay shop",
            R"(fairlead: --driver bridge and -o mode=overlay exclude each other; see "fairlead network create --help")"},
        Misuse{"network create --gateway 10.0.0.1 shop",
               R"(fairlead: --gateway needs a --subnet; see "fairlead network create --help")"},
        Misuse{
            "network create --subnet 10.0.0.0/24 --gateway 10.0.1.1 shop",
            R"(fairlead: --gateway 10.0.1.1 lies in no --subnet; see "fairlead network create --help")"},
        Misuse{
            "network create --subnet 10.0.0.0/24 --gateway 10.0.0.1 --gateway 10.0.0.2 shop",
            R"(fairlead: --gateway: subnet 10.0.0.0/24 has two; see "fairlead network create --help")"},
        Misuse{
            "network create -f shop.json --internal",
            R"(fairlead: --file excludes the options that describe a network; see "fairlead network create --help")"},
        Misuse{
            "network create -f /no/such/file",
            R"(fairlead: read /no/such/file: No such file or directory; see "fairlead network create --help")"},
        Misuse{
            "network ls --filter label=a",
            R"(fairlead: filter "label=a" is not known; use name=TEXT; see "fairlead network ls --help")"},
        Misuse{
            "volume ls --filter colour=red",
            R"(fairlead: filter "colour=red" is not known; those that are: name=TEXT, label=K or K=V, label!=K, driver=, pool=, health=, dangling=true or false, mounted=true or false; see "fairlead volume ls --help")"},
        Misuse{
            "volume ls -f dangling=perhaps",
            R"(fairlead: filter dangling="perhaps" must be true or false; see "fairlead volume ls --help")"},
        Misuse{
            "volume prune --filter health=bad",
            R"(fairlead: filter health="bad" must be one of ok, warning, full, disk-full, damaged, missing, offline, locked; see "fairlead volume prune --help")"},
        Misuse{
            "snapshot ls -f name=x",
            R"(fairlead: filter "name=x" is not known; use volume=NAME; see "fairlead snapshot ls --help")"},
        Misuse{
            "volume delete data",
            R"(fairlead: unknown command "delete"; did you mean "rm"?; see "fairlead volume --help")"},
        Misuse{
            "snapshot delete data@monday",
            R"(fairlead: unknown command "delete"; did you mean "rm"?; see "fairlead snapshot --help")"},
        Misuse{
            "volume info data",
            R"(fairlead: unknown command "info"; did you mean "inspect"?; see "fairlead volume --help")"},
        Misuse{
            "snapshot restore data@monday",
            R"(fairlead: unknown command "restore"; go back with "fairlead volume rollback NAME@SNAPSHOT", or make a new volume with "fairlead volume clone NAME@SNAPSHOT NEW"; see "fairlead snapshot --help")"},
        Misuse{
            "volume snapshot restore data@monday",
            R"(fairlead: unknown command "restore"; go back with "fairlead volume rollback NAME@SNAPSHOT", or make a new volume with "fairlead volume clone NAME@SNAPSHOT NEW"; see "fairlead volume snapshot --help")"},
        Misuse{
            "ps",
            R"(fairlead: unknown command "ps"; "docker ps" and "podman ps" list containers, "fairlead endpoint ls" those in networks; see "fairlead --help")"},
        Misuse{"volume usage -f data",
               R"(fairlead: unknown option "-f"; see "fairlead volume usage --help")"},
        Misuse{
            "volumes ls",
            R"(fairlead: unknown command "volumes"; did you mean "volume"?; see "fairlead --help")"},
        Misuse{
            "volume pru",
            R"(fairlead: unknown command "pru"; did you mean "prune"?; see "fairlead volume --help")"},
        Misuse{"volume create --size 10g -o size=20g data",
               R"(fairlead: --opt size is given twice; see "fairlead volume create --help")"},
        Misuse{"volume cat data",
               R"(fairlead: which file? say data:/PATH; see "fairlead volume cat --help")"},
        Misuse{
            "volume cat data:/a/../b",
            R"(fairlead: the path may not hold "..": say it from the top of the volume; see "fairlead volume cat --help")"},
        Misuse{
            "volume cp data@monday:/x . --from /srv",
            R"(fairlead: a backup is named by --backup ID; leave @monday out; see "fairlead volume cp --help")"},
        Misuse{
            "volume ls-files data --backup 2026",
            R"(fairlead: --backup needs --from DIR, its folder; see "fairlead volume ls-files --help")"},
        Misuse{
            "volume cp data:/x data:/y",
            R"(fairlead: copying into a volume is the runtime's: docker cp, or a container that has it mounted; a file of that name here is "./data:/y"; see "fairlead volume cp --help")"},
        Misuse{"volume create x",
               "fairlead: \"x\" is not a volume name: it must have 2 to 128 characters; see "
               "\"fairlead volume create --help\""}));

using Program = CliTest;

TEST_F(Program, WithoutACommandShowsItsHelpAsAMistake) {
  for (const std::string line : {"", "network"}) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.exit_code, cli::kUsage);
    EXPECT_EQ(outcome.err, run(line + " --help").out);
  }
}

TEST_F(Program, HelpIsAlsoACommand) {
  EXPECT_EQ(run("help").out, run("--help").out);
  EXPECT_EQ(run("volume help").out, run("volume --help").out);
  EXPECT_EQ(run("help volume").out, run("volume --help").out);
  EXPECT_EQ(run("vol ls --help").out, run("volume ls --help").out);
  EXPECT_EQ(run("-v").out, run("version").out);
  EXPECT_EQ(run("help network create").out, run("network create --help").out);
}

TEST_F(Program, OddWordsAreShownSafely) {
  const Outcome outcome = run("", {"\x1b[31mred"});
  EXPECT_EQ(outcome.exit_code, cli::kUsage);
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
  EXPECT_NE(outcome.err.find("\\x1b[31mred"), std::string::npos);
}

TEST_F(Program, LongWordsAreShownShort) {
  const Outcome outcome = run("", {std::string(1 << 20, 'x')});
  EXPECT_EQ(outcome.exit_code, cli::kUsage);
  EXPECT_LT(outcome.err.size(), 200U);
}

TEST_F(Program, NeedsRootOnlyForWhatTouchesTheHost) {
  uid_ = 1000;
  EXPECT_EQ(run("version").exit_code, cli::kDone);
  EXPECT_EQ(run("--version").out, "fairlead 1.2.3\n");
  EXPECT_EQ(run("network --help").exit_code, cli::kDone);
  EXPECT_EQ(run("network create --dry-run shop").exit_code, cli::kDone);
  for (const std::string line : {"network ls", "network rm shop", "network create shop",
                                 "volume ls", "status", "reconcile"}) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.exit_code, cli::kFailed) << line;
    EXPECT_EQ(outcome.err, "fairlead: fairlead needs root: run it with sudo\n") << line;
  }
  EXPECT_EQ(opened_, 0);
}

TEST_F(Program, SaysWhyTheCoreCannotBeOpened) {
  broken_ = Error{Code::kIo, 0, "open /x/state.db: it is corrupt"};
  const Outcome outcome = run("network rm a b");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: remove network: open /x/state.db: it is corrupt\n");
  EXPECT_EQ(opened_, 1);
}

TEST_F(Program, TakesGlobalOptionsBeforeAndAfterTheCommand) {
  run("--state-dir /s network ls --run-dir /r --volume-dir /v --config /c");
  EXPECT_EQ(settings_.config, "/c");
  EXPECT_EQ(settings_.state_dir, "/s");
  EXPECT_EQ(settings_.run_dir, "/r");
  EXPECT_EQ(settings_.volume_dir, "/v");
}

TEST_F(Program, DockersWordsForCommandsWork) {
  has_networks();
  EXPECT_EQ(run("network list").out, run("network ls").out);
  EXPECT_EQ(run("network remove shop").out, "shop\n");
  EXPECT_EQ(run("volume remove data").out, "data\n");
}

TEST_F(Program, ANetworkMayBeCalledLikeACommand) {
  using ::testing::Field;
  EXPECT_CALL(*networks_, remove_network(network::NetworkRef(network::NetworkText{"volume"})))
      .WillOnce(::testing::Return(Status()));
  EXPECT_CALL(*networks_, remove_network(network::NetworkRef(network::NetworkText{"rm"})))
      .WillOnce(::testing::Return(Status()));
  EXPECT_EQ(run("network rm volume rm").exit_code, cli::kDone);
}

// `fairlead version | head -0`: whoever read the output has seen enough.
TEST_F(Program, APipeThatNobodyReadsAnyMoreIsNoFailure) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd write_end(ends[1]);
  close(ends[0]);
  std::istringstream in;
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  const cli::CliContext context{.in = in,
                                .out = out,
                                .err = err,
                                .out_fd = write_end.get(),
                                .version = "1.2.3",
                                .open = nullptr};
  EXPECT_EQ(cli::run_cli({"version"}, context), cli::kDone);
  EXPECT_EQ(err.str(), "");
}

TEST_F(Program, AnOutputThatIsClosedIsAFailure) {
  std::istringstream in;
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  const cli::CliContext context{
      .in = in, .out = out, .err = err, .version = "1.2.3", .open = nullptr};
  EXPECT_EQ(cli::run_cli({"version"}, context), cli::kFailed);
  EXPECT_NE(err.str().find("closed or full"), std::string::npos);
}

}  // namespace
}  // namespace fairlead::testing
