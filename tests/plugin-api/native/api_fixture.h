// The API over mocked services: requests in, parsed answers out.
#pragma once

#include <gtest/gtest.h>

#include "base/json/json.h"
#include "plugin-api/native/native_handler.h"
#include "tests/plugin-api/native/samples.h"
#include "tests/support/mock_services.h"

namespace fairlead::testing {

// A feed into which a test puts changes. They are delivered on the thread that puts them.
class FakeFeed : public ChangeFeed {
 public:
  Result<std::int64_t> revision() override { return revision_; }
  // What happened at the n-th millisecond has revision n.
  Result<std::int64_t> revision_before(long long time) override {
    if (time <= forgotten_) return fail(Code::kConflict, "what happened before then is forgotten");
    return time - 1;
  }
  Result<std::unique_ptr<ChangeSubscription>> watch(
      std::int64_t after, std::function<void(const ChangeBatch&)> on_batch) override;
  void put(ChangeBatch batch);
  bool has_watcher() const { return static_cast<bool>(on_batch_); }

  std::int64_t revision_ = 41, forgotten_ = 0;

 private:
  class Subscription;
  std::vector<ChangeBatch> past_;
  std::function<void(const ChangeBatch&)> on_batch_;
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest();
  ~ApiTest() override;

  http::Response send(std::string method, std::string target, std::string body = {});

  static json::Json parsed(const http::Response& response);

  // A problem document with this status and code whose detail contains `part`.
  static void expect_problem(const http::Response& response, int status, std::string_view code,
                             std::string_view part = "");

  ::testing::NiceMock<MockNetworkService> networks_;
  ::testing::NiceMock<MockVolumeService> volumes_;
  ::testing::NiceMock<MockVolumePools> pools_;
  ::testing::NiceMock<MockVolumeJobs> jobs_;
  ::testing::NiceMock<MockVolumeGroups> groups_;
  std::function<bool()> hung_up_ = [] { return false; };
  FakeFeed feed_;
  std::vector<std::string> opened_;  // the paths of namespaces that were opened
  http::Handler handler_ = native::make_native_handler(services());

  native::Services services();
};

}  // namespace fairlead::testing
