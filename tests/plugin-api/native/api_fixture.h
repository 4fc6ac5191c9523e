// The API over mocked services: requests in, parsed answers out.
#pragma once

#include <gtest/gtest.h>

#include "base/json/json.h"
#include "plugin-api/native/native_handler.h"
#include "tests/plugin-api/native/samples.h"
#include "tests/support/mock_services.h"

namespace fairlead::testing {

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
  std::function<bool()> hung_up_ = [] { return false; };
  std::vector<std::string> opened_;  // the paths of namespaces that were opened
  http::Handler handler_ = native::make_native_handler(services());

  native::Services services();
};

}  // namespace fairlead::testing
