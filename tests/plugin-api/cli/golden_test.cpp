// What each command prints, as files in tests/golden/cli: the diff is the review.
// FAIRLEAD_UPDATE_GOLDEN=1 writes them.
#include "tests/support/golden.h"

#include "plugin-api/cli/commands.h"
#include "tests/plugin-api/cli/cli_fixture.h"
#include "tests/support/paths.h"

namespace fairlead::testing {
namespace {

using ::testing::Return;

void expect_printed(const std::string& name, const std::string& text) {
  expect_golden(source_path("tests/golden/cli/") + name + ".txt", text);
}

struct Case {
  std::string name, line;
  unsigned width = 0;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.line; }

class Golden : public CliTest, public ::testing::WithParamInterface<Case> {
 protected:
  Golden() {
    has_endpoints();
    has_volumes();
    ON_CALL(*networks_, inspect_network).WillByDefault(Return(shop_network()));
    ON_CALL(*networks_, create_network).WillByDefault(Return(shop_network()));
    ON_CALL(*networks_, list_ports).WillByDefault(Return(std::vector{web_port()}));
    ON_CALL(*networks_, status).WillByDefault(Return(troubled_status()));
    ON_CALL(*networks_, reconcile)
        .WillByDefault(Return(network::ReconcileReport{{"made bridge fl-aaaaaaaaaaaa again"}, {}}));
    // As they are made when there is nothing to tell of.
    volume::Volume whole = data_volume();
    whole.left_out = {};
    whole.warnings.clear();
    volume::VolumePool covered = fast_pool();
    covered.warnings.clear();
    ON_CALL(*volumes_, inspect).WillByDefault(Return(data_volume()));
    ON_CALL(*volumes_, create).WillByDefault(Return(whole));
    ON_CALL(*volumes_, rename).WillByDefault(Return(data_volume()));
    ON_CALL(*volumes_, resize).WillByDefault(Return(whole));
    ON_CALL(*volumes_, set_labels).WillByDefault(Return(data_volume()));
    ON_CALL(*volumes_, usage).WillByDefault(Return(data_status()));
    ON_CALL(*volumes_, check)
        .WillByDefault(Return(volume::CheckReport{true, {"655360 inodes, 12 in use"}}));
    ON_CALL(*volumes_, take_snapshot).WillByDefault(Return(monday_snapshot()));
    ON_CALL(*volumes_, drop_snapshot).WillByDefault(Return(Status()));
    ON_CALL(*volumes_, roll_back).WillByDefault(Return(monday_snapshot()));
    ON_CALL(*volumes_, trash).WillByDefault(Return(std::vector{old_volume()}));
    ON_CALL(*volumes_, restore_from_trash).WillByDefault(Return(data_volume()));
    ON_CALL(*volumes_, empty_trash).WillByDefault(Return(std::size_t{1}));
    ON_CALL(*pools_, list).WillByDefault(Return(std::vector{fast_pool()}));
    ON_CALL(*pools_, inspect).WillByDefault(Return(fast_pool()));
    ON_CALL(*pools_, create).WillByDefault(Return(covered));
    ON_CALL(*pools_, grow).WillByDefault(Return(covered));
    ON_CALL(*archives_, back_up).WillByDefault(Return(data_backup()));
    ON_CALL(*archives_, backups).WillByDefault(Return(std::vector{data_backup()}));
    ON_CALL(*archives_, restore).WillByDefault(Return(whole));
    const volume::PruneReport pruned{
        .removed = {data_backup()}, .kept = {data_backup()}, .freed = 5U << 20, .notes = {}};
    ON_CALL(*archives_, remove_backups).WillByDefault(Return(pruned));
    ON_CALL(*archives_, prune).WillByDefault(Return(pruned));
    ON_CALL(*archives_, repair)
        .WillByDefault(Return(volume::RepairReport{{"pack 7 is packed anew"}, {}}));
    ON_CALL(*volumes_, set_options).WillByDefault(Return(data_volume()));
    ON_CALL(*archives_, verify).WillByDefault(Return(volume::CheckReport{true, {}}));
    ON_CALL(*jobs_, list).WillByDefault(Return(std::vector{failed_job()}));
    ON_CALL(*volumes_, reconcile)
        .WillByDefault(Return(volume::ReconcileReport{{"mounted data again"}, {}}));
  }
};

TEST_P(Golden, IsPrinted) {
  width_ = GetParam().width;
  const Outcome outcome = run(GetParam().line);
  EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  expect_printed(GetParam().name, outcome.out);
}

INSTANTIATE_TEST_SUITE_P(
    Commands, Golden,
    ::testing::Values(
        Case{"network-ls", "network ls"}, Case{"network-ls-narrow", "network ls", 80},
        Case{"network-ls-no-trunc", "network ls --no-trunc"},
        Case{"network-ls-quiet", "network ls -q"}, Case{"network-ls-json", "network ls --json"},
        Case{"network-inspect", "network inspect shop"},
        Case{"network-create", "network create shop"},
        Case{"network-create-json", "network create --json shop"},
        Case{"network-create-dry-run",
             "network create --dry-run --ipv6 --subnet 10.89.0.0/24 --gateway 10.89.0.1 --subnet "
             "fd89::/64 "
             "--ip-range 10.89.0.128/25 --aux-address router=10.89.0.5 -o mtu=1400 --label team=a "
             "shop"},
        Case{"network-rm", "network rm shop plain"}, Case{"endpoint-ls", "endpoint ls"},
        Case{"endpoint-ls-narrow", "endpoint ls", 120}, Case{"endpoint-ls-quiet", "endpoint ls -q"},
        Case{"endpoint-ls-json", "endpoint ls --json"},
        Case{"endpoint-inspect", "endpoint inspect web"}, Case{"endpoint-rm", "endpoint rm web"},
        Case{"port-ls", "port ls"}, Case{"port-ls-quiet", "port ls -q"},
        Case{"port-ls-json", "port ls --json"}, Case{"volume-ls", "volume ls"},
        Case{"volume-ls-quiet", "volume ls -q"}, Case{"volume-ls-json", "volume ls --json"},
        Case{"volume-inspect", "volume inspect data"}, Case{"volume-create", "volume create data"},
        Case{"volume-create-json", "volume create data --json"},
        Case{"volume-rm", "volume rm data"}, Case{"volume-rename", "volume rename shop data"},
        Case{"volume-resize", "volume resize data +10g"},
        Case{"volume-label", "volume label data team=a old-"},
        Case{"volume-usage", "volume usage data"},
        Case{"volume-usage-json", "volume usage data --json"},
        Case{"volume-check", "volume check data"},
        Case{"volume-check-json", "volume check data --json"},
        Case{"volume-clone", "volume clone shop@monday data"},
        Case{"volume-rollback", "volume rollback data@monday"},
        Case{"volume-backup", "volume backup data --to /srv"},
        Case{"volume-backup-json", "volume backup data --to /srv --json"},
        Case{"volume-restore", "volume restore data --from /srv"},
        Case{"backup-ls", "backup ls /srv"}, Case{"backup-ls-json", "backup ls /srv --json"},
        Case{"backup-verify", "backup verify /srv"},
        Case{"backup-verify-repair", "backup verify --repair /srv"},
        Case{"backup-rm", "backup rm /srv 20260101"},
        Case{"backup-rm-quiet", "backup rm /srv 20260101 -q"},
        Case{"backup-prune", "backup prune /srv --keep last:1 --dry-run"},
        Case{"backup-prune-json", "backup prune /srv --keep daily:7 --json"},
        Case{"volume-set", "volume set data retain=7d"},
        Case{"snapshot-create", "snapshot create data monday"},
        Case{"snapshot-create-json", "volume snapshot create data --json"},
        Case{"snapshot-ls", "snapshot ls"}, Case{"snapshot-ls-quiet", "snapshot ls -q"},
        Case{"snapshot-ls-json", "snapshot ls data --json"},
        Case{"snapshot-rm", "snapshot rm data@monday"}, Case{"pool-ls", "pool ls"},
        Case{"pool-ls-quiet", "pool ls -q"}, Case{"pool-inspect", "pool inspect fast"},
        Case{"pool-create", "pool create fast --size 20g"}, Case{"pool-grow", "pool grow fast 40g"},
        Case{"pool-rm", "pool rm fast"}, Case{"trash-ls", "trash ls"},
        Case{"trash-ls-quiet", "trash ls -q"}, Case{"trash-ls-json", "trash ls --json"},
        Case{"trash-restore", "trash restore old --as data"}, Case{"trash-empty", "trash empty"},
        Case{"jobs", "jobs"}, Case{"jobs-ls-quiet", "jobs ls -q"},
        Case{"jobs-ls-json", "jobs ls --json"}, Case{"status", "status"},
        Case{"status-json", "status --json"}, Case{"reconcile", "reconcile"},
        Case{"reconcile-json", "reconcile --json"}, Case{"version", "version"},
        Case{"version-json", "version --json"}),
    [](const auto& one) {
      std::string name = one.param.name;
      for (char& c : name)
        if (c == '-') c = '_';
      return name;
    });

using Help = CliTest;

TEST_F(Help, OfTheProgramIsPrinted) { expect_printed("help", run("--help").out); }

TEST_F(Help, OfEachCommandIsPrinted) {
  for (const auto& group : cli::groups())
    expect_printed("help-" + std::string(group.name), run(std::string(group.name) + " --help").out);
  for (const auto& command : cli::commands()) {
    const std::string line = fmt::format("{} {}", command.group, command.name);
    const Outcome outcome = run(line + " --help");
    EXPECT_EQ(outcome.exit_code, cli::kDone);
    expect_printed(
        fmt::format("help-{}{}{}", command.group, command.group.empty() ? "" : "-", command.name),
        outcome.out);
  }
  EXPECT_EQ(opened_, 0);
}

// The options of each command, said once more here, so that none falls out of the help unseen.
TEST_F(Help, TellsEveryOption) {
  const std::map<std::string, std::vector<std::string>> options{
      {"",
       {"--json", "-q,--quiet", "-v,--verbose", "--config", "--state-dir", "--run-dir",
        "--volume-dir", "--version", "-h,--help"}},
      {"network ls", {"--no-trunc", "-f,--filter"}},
      {"network inspect", {"NAME"}},
      {"network create",
       {"NAME", "--subnet", "--ip-range", "--gateway", "--aux-address", "--reserve", "--ipv6",
        "--internal", "-d,--driver,--mode", "-f,--file", "--dry-run", "-o,--opt", "--label"}},
      {"network rm", {"NAME", "-f,--force"}},
      {"network reserve", {"NAME", "CONTAINER", "ADDRESS"}},
      {"network unreserve", {"NAME", "CONTAINER"}},
      {"lease ls", {"--no-trunc", "--network"}},
      {"lease rm", {"ADDRESS", "-f,--force"}},
      {"endpoint ls", {"--no-trunc", "--network"}},
      {"endpoint inspect", {"ENDPOINT"}},
      {"endpoint rm", {"ENDPOINT", "-f,--force"}},
      {"port ls", {"--no-trunc", "--network"}},
      {"policy allow", {"FROM", "TO", "PORT...", "--dry-run"}},
      {"policy deny", {"FROM", "TO", "PORT...", "--dry-run"}},
      {"policy ls", {"--no-trunc"}},
      {"policy inspect", {"ID..."}},
      {"policy rm", {"ID...", "-f,--force"}},
      {"volume ls", {"--no-trunc", "-f,--filter", "--pool"}},
      {"volume prune", {"--filter", "-a,--all", "-f,--force", "--dry-run"}},
      {"volume ls-files",
       {"NAME[@SNAPSHOT][:PATH]", "-R,--recursive", "-l,--long", "--from", "--backup"}},
      {"volume cat", {"NAME[@SNAPSHOT]:PATH", "--from", "--backup"}},
      {"volume cp", {"NAME[@SNAPSHOT]:PATH", "DEST", "--from", "--backup"}},
      {"volume rename", {"NAME", "NEW"}},
      {"volume resize", {"NAME", "SIZE"}},
      {"volume label", {"NAME", "LABEL..."}},
      {"volume usage", {"NAME..."}},
      {"volume check", {"NAME", "--repair"}},
      {"volume recover", {"NAME", "--dry-run"}},
      {"volume clone",
       {"[SOURCE[@SNAPSHOT]]", "[NEW]", "-o,--opt", "--label", "--group", "--suffix", "--prefix"}},
      {"volume rollback", {"[NAME[@SNAPSHOT]]", "[SNAPSHOT]", "--group"}},
      {"volume export",
       {"NAME[@SNAPSHOT]", "-o,--output", "--exclude", "--exclude-caches", "--exclude-if-present",
        "--no-hooks"}},
      {"volume import", {"NAME", "[FILE]", "-o,--opt", "--label"}},
      {"volume backup",
       {"[NAME]", "--to", "--keep", "--exclude", "--exclude-caches", "--exclude-if-present",
        "--group", "--no-hooks"}},
      {"volume set", {"NAME", "OPTION..."}},
      {"volume restore", {"NAME", "--from", "--backup", "--as", "-o,--opt", "--label"}},
      {"snapshot create", {"[VOLUME[@SNAPSHOT]]", "[SNAPSHOT]", "--group", "--no-hooks"}},
      {"snapshot ls", {"[VOLUME]", "--no-trunc", "-f,--filter"}},
      {"snapshot rm", {"[VOLUME@SNAPSHOT...]", "-f,--force", "--group"}},
      {"backup ls", {"DIR", "--no-trunc"}},
      {"backup verify", {"DIR", "[BACKUP]", "--repair"}},
      {"backup rm", {"DIR", "ID", "--dry-run", "-f,--force"}},
      {"backup prune", {"DIR", "--keep", "--volume", "--dry-run", "-f,--force"}},
      {"pool create", {"NAME", "--size", "--device", "--fstype", "--overwrite"}},
      {"pool ls", {"--no-trunc"}},
      {"pool inspect", {"NAME..."}},
      {"pool rm", {"NAME...", "-f,--force"}},
      {"pool grow", {"NAME", "[SIZE]"}},
      {"trash ls", {"--no-trunc"}},
      {"trash restore", {"NAME", "--as"}},
      {"trash empty", {"[NAME...]", "-f,--force"}},
      {"jobs ls", {"--no-trunc"}},
      {"jobs stop", {"JOB..."}},
      {"jobs resume", {"JOB"}},
      {"volume inspect", {"NAME"}},
      {"volume create", {"NAME", "-o,--opt", "--label", "--size"}},
      {"volume rm", {"NAME", "-f,--force"}},
      {"host ls", {"--no-trunc"}},
      {"host rm", {"HOST...", "-f,--force"}},
      {"cluster status", {}},
      {"cluster release", {}},
      {"cni install", {"--dir"}},
      {"cni uninstall", {"--dir"}},
      {"podman install", {"--dir", "--drop-in", "--remove"}},
      {"podman uninstall", {"--dir"}},
      {"publish", {"ENDPOINT", "PORT...", "--network"}},
      {"unpublish", {"ENDPOINT", "[PORT...]", "--network"}},
      {"events", {"--since", "--until", "--kind"}},
      {"doctor", {"[CHECK...]", "--fix", "--list"}},
      {"explain", {"A", "B", "[PORT]", "-4", "-6", "--trace", "--wait"}},
      {"graph", {"[NETWORK...]", "--format"}},
      {"status", {}},
      {"ui", {}},
      {"reconcile", {}},
      {"version", {}}};
  EXPECT_EQ(options.size(), cli::commands().size() + 1);
  for (const auto& [line, words] : options) {
    const std::string help = run(line + " --help").out;
    for (const std::string& word : words)
      EXPECT_NE(help.find(word), std::string::npos) << line << " " << word << "\n" << help;
    EXPECT_EQ(help.find("Examples:\n  ") == std::string::npos, line.empty()) << line;
  }
}

}  // namespace
}  // namespace fairlead::testing
