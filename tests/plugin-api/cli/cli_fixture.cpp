#include "tests/plugin-api/cli/cli_fixture.h"

#include <sstream>

namespace fairlead::testing {

namespace {

class FakeDoctor : public doctor::Doctor {
 public:
  FakeDoctor(doctor::Diagnosis found, doctor::Diagnosis mended)
      : found_(std::move(found)), mended_(std::move(mended)) {}
  doctor::Diagnosis examine(std::span<const std::string> ids) override {
    doctor::Diagnosis diagnosis = found_;
    if (!ids.empty()) diagnosis.checks.assign(ids.begin(), ids.end());
    return diagnosis;
  }
  doctor::Diagnosis mend(const doctor::Diagnosis& found, std::span<const std::string>) override {
    EXPECT_EQ(found, found_);
    return mended_;
  }

 private:
  doctor::Diagnosis found_, mended_;
};

}  // namespace

CliTest::CliTest()
    : networks_(std::make_shared<::testing::NiceMock<MockNetworkService>>()),
      daemon_networks_(std::make_shared<::testing::NiceMock<MockNetworkService>>()),
      volumes_(std::make_shared<::testing::NiceMock<MockVolumeService>>()),
      pools_(std::make_shared<::testing::NiceMock<MockVolumePools>>()),
      archives_(std::make_shared<::testing::NiceMock<MockVolumeArchives>>()),
      jobs_(std::make_shared<::testing::NiceMock<MockVolumeJobs>>()),
      groups_(std::make_shared<::testing::NiceMock<MockVolumeGroups>>()),
      content_(std::make_shared<::testing::NiceMock<MockVolumeContent>>()) {}
CliTest::~CliTest() = default;

Outcome CliTest::run(const std::string& line, const std::vector<std::string>& more) {
  std::vector<std::string> words;
  std::istringstream stream(line);
  for (std::string word; stream >> word;) words.push_back(word);
  words.insert(words.end(), more.begin(), more.end());
  std::istringstream in(stdin_);
  std::ostringstream out, err;
  const cli::CliContext context{
      .in = in,
      .out = out,
      .err = err,
      .is_tty = width_ != 0,
      .in_is_tty = in_is_tty_,
      .err_is_tty = err_is_tty_,
      .in_fd = in_fd_,
      .out_fd = out_fd_,
      .width = width_,
      .uid = uid_,
      .now = kCreated + 3 * 3600,
      .version = "1.2.3",
      .interrupted = [this] { return interrupted_; },
      .clock = [this] { return clock_ += 1; },
      .open = [this](const cli::CliSettings& settings) -> Result<cli::CliServices> {
        ++opened_;
        settings_ = settings;
        if (broken_) return fail(*broken_);
        return cli::CliServices{networks_,
                                volumes_,
                                pools_,
                                archives_,
                                jobs_,
                                groups_,
                                [this] { return foreign_ ? Status(fail(*foreign_)) : Status(); },
                                content_};
      },
      .ask_daemon = [this](const cli::CliSettings&, std::string_view method,
                           std::string_view path) -> Result<json::Json> {
        const std::string call = fmt::format("{} {}", method, path);
        const auto found = answers_.find(call);
        if (found == answers_.end()) return fail(Code::kUnavailable, "fairleadd does not run");
        const std::string answer = found->second.front();
        if (found->second.size() > 1) found->second.erase(found->second.begin());
        return json::parse(answer);
      },
      .follow_daemon = [this](const cli::CliSettings&, std::string_view path,
                              const std::function<Status(std::string_view)>& on_line) -> Status {
        const auto found = answers_.find(fmt::format("GET {}", path));
        if (found == answers_.end()) return fail(Code::kUnavailable, "fairleadd does not run");
        for (const std::string& line : found->second) TRY_STATUS(on_line(line));
        return {};
      },
      .daemon_networks = [this](const cli::CliSettings&)
          -> Result<std::shared_ptr<network::NetworkService>> { return daemon_networks_; },
      .doctor = [this](const cli::CliSettings&) -> std::unique_ptr<doctor::Doctor> {
        return std::make_unique<FakeDoctor>(found_, mended_);
      },
      .page_link = [this](const cli::CliSettings&) { return page_link_; },
      .cni = cni_,
      .podman = podman_};
  const int exit_code = cli::run_cli(words, context);
  return {exit_code, out.str(), err.str()};
}

void CliTest::has_networks() {
  ON_CALL(*networks_, list_networks)
      .WillByDefault(::testing::Return(
          std::vector<network::NetworkUsage>{{shop_network(), 2}, {plain_network(), 0}}));
}

void CliTest::has_endpoints() {
  has_networks();
  ON_CALL(*networks_, list_endpoints)
      .WillByDefault(::testing::Return(std::vector{web_endpoint(), waiting_endpoint()}));
}

void CliTest::has_volumes() {
  volume::Volume bare = data_volume();
  bare.name = VolumeName::parse("bare").value();
  bare.backend = "dir";
  bare.phase = volume::Phase::kDeleting;
  ON_CALL(*volumes_, list).WillByDefault(::testing::Return(std::vector{data_volume(), bare}));
  ON_CALL(*volumes_, status)
      .WillByDefault([](const volume::Volume& volume) -> Result<volume::VolumeStatus> {
        if (volume.backend == "image") return data_status();
        volume::VolumeStatus missing{.backend = "dir"};
        missing.condition = volume::Condition::kMissing;
        missing.health = "the folder is missing";
        return missing;
      });
}

}  // namespace fairlead::testing
