// The command line over mocked services: words in, exit code and both streams out.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "plugin-api/cli/cli.h"
#include "tests/plugin-api/native/samples.h"
#include "tests/support/mock_services.h"

namespace fairlead::testing {

struct Outcome {
  int exit_code = -1;
  std::string out, err;
};

class CliTest : public ::testing::Test {
 protected:
  CliTest();
  ~CliTest() override;

  // Words are split at spaces; words with spaces go into the second argument.
  Outcome run(const std::string& line, const std::vector<std::string>& more = {});

  void has_networks();
  void has_endpoints();
  void has_volumes();

  std::shared_ptr<::testing::NiceMock<MockNetworkService>> networks_;
  std::shared_ptr<::testing::NiceMock<MockNetworkService>> daemon_networks_;
  std::shared_ptr<::testing::NiceMock<MockVolumeService>> volumes_;
  std::shared_ptr<::testing::NiceMock<MockVolumePools>> pools_;
  std::shared_ptr<::testing::NiceMock<MockVolumeArchives>> archives_;
  std::shared_ptr<::testing::NiceMock<MockVolumeJobs>> jobs_;
  std::shared_ptr<::testing::NiceMock<MockVolumeGroups>> groups_;
  std::shared_ptr<::testing::NiceMock<MockVolumeContent>> content_;
  // What the daemon answers to "GET /v1/hosts", one after the other.
  std::map<std::string, std::vector<std::string>> answers_;
  std::string stdin_;
  bool in_is_tty_ = false, err_is_tty_ = false, interrupted_ = false;
  int in_fd_ = -1, out_fd_ = -1;
  double clock_ = 0;  // a second later at each look
  unsigned width_ = 0, uid_ = 0;
  int opened_ = 0;
  cli::CliSettings settings_;
  doctor::Diagnosis found_, mended_;  // what the doctor finds, and after --fix
  cli::CniPlugin cni_;
  Result<std::string> page_link_ = fail(Code::kUnavailable, "fairleadd has no page");
  cli::PodmanPlugin podman_;
  std::optional<Error> broken_;   // the core cannot be opened
  std::optional<Error> foreign_;  // another store owns the network namespace
};

}  // namespace fairlead::testing
