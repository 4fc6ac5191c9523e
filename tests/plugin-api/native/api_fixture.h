// The API over mocked services: requests in, parsed answers out.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/json/json.h"
#include "plugin-api/native/native_handler.h"
#include "tests/plugin-api/native/samples.h"
#include "tests/support/mock_services.h"

namespace fairlead::testing {

class ApiTest : public ::testing::Test {
 protected:
  http::Response send(std::string method, std::string target, std::string body = {}) {
    http::Request request;
    request.method = std::move(method);
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string::npos) {
      const std::string pair = target.substr(question + 1);
      request.query[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
    }
    request.body = std::move(body);
    request.hung_up = hung_up_;
    return handler_(request);
  }

  static json::Json parsed(const http::Response& response) {
    return json::parse(response.body).value();
  }

  // A problem document with this status and code whose detail contains `part`.
  static void expect_problem(const http::Response& response, int status, std::string_view code,
                             std::string_view part = "") {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.content_type, "application/problem+json");
    const json::Json problem = json::parse(response.body).value();
    EXPECT_EQ(problem["code"], code);
    EXPECT_EQ(problem["status"], status);
    EXPECT_EQ(problem["type"], "urn:fairlead:problem:" + std::string(code));
    EXPECT_NE(problem["detail"].get<std::string>().find(part), std::string::npos)
        << problem["detail"];
  }

  ::testing::NiceMock<MockNetworkService> networks_;
  ::testing::NiceMock<MockVolumeService> volumes_;
  ::testing::NiceMock<MockVolumePools> pools_;
  ::testing::NiceMock<MockVolumeJobs> jobs_;
  std::function<bool()> hung_up_ = [] { return false; };
  std::vector<std::string> opened_;  // the paths of namespaces that were opened
  http::Handler handler_ = native::make_native_handler(services());

  native::Services services() {
    return {.networks = networks_,
            .volumes = volumes_,
            .pools = pools_,
            .jobs = jobs_,
            .open_netns = [this](const std::string& path) -> Result<UniqueFd> {
              opened_.push_back(path);
              if (path == "/run/netns/gone")
                return fail(Code::kNotFound, "open {}: it is no network namespace", path);
              return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
            },
            .version = "1.2.3"};
  }
};

}  // namespace fairlead::testing
