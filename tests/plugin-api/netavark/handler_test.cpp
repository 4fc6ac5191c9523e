#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin-api/netavark/netavark_handler.h"
#include "tests/plugin-api/netavark/recording_service.h"

namespace fairlead::netavark {
namespace {

using testing::drop_in_document;
using ::testing::HasSubstr;
using testing::plugin_document;
using testing::podmans_network;
using testing::PodmanService;

class Handler : public ::testing::Test {
 protected:
  http::Request request_of(const std::string& command, const json::Json& document) {
    http::Request request{
        .method = "POST", .path = "/v1/netavark", .body = document.dump(), .peer = {.pid = 4711}};
    request.headers = {{"x-netavark-command", command},
                       {"x-netavark-netns", "/run/netns/web"},
                       {"x-netavark-netns-fd", "3"}};
    return request;
  }
  http::Response handle(const http::Request& request) {
    return handle_netavark(request, service_.services(), host_);
  }

  PodmanService service_;
  std::string opened_;
  HostFunctions host_{.netns = {.open = [this](const std::string& path) -> Result<UniqueFd> {
                                  opened_ = path;
                                  return UniqueFd();
                                },
                                .is_own = [](int) { return false; }},
                      .bring_up_loopback = [](int) { return Status(); }};
};

TEST_F(Handler, OpensWhatTheClientHoldsOpen) {
  const auto response = handle(request_of("setup", plugin_document(podmans_network())));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.at("X-Netavark-Exit"), "0");
  EXPECT_EQ(opened_, "/proc/4711/fd/3");
}

TEST_F(Handler, LeavesCallsForPluginsToTheClient) {
  for (const char* command : {"setup", "teardown"}) {
    const auto response = handle(request_of(command, drop_in_document(podmans_network("other"))));
    EXPECT_EQ(response.status, 421);
    EXPECT_FALSE(response.headers.contains("X-Netavark-Exit"));
  }
  const json::Json create{{"network", podmans_network("other")}};
  EXPECT_EQ(handle(request_of("create", create)).status, 421);
  EXPECT_EQ(service_.calls, json::Json::array());
}

TEST_F(Handler, LooksForPodmansFilesWhereTheClientSays) {
  auto request = request_of("create", podmans_network());
  request.headers["x-netavark-networks"] = "/srv/networks";
  handle(request);
  EXPECT_EQ((*service_.call("create_network"))["labels"][kFileLabel], "/srv/networks/shop.json");
}

TEST_F(Handler, RefusesRootlessCallersAndControlCharacters) {
  auto request = request_of("setup", plugin_document(podmans_network()));
  request.headers["x-netavark-rootless"] = "true";
  EXPECT_THAT(handle(request).body, HasSubstr("sudo podman"));
  request = request_of("setup\n", plugin_document(podmans_network()));
  EXPECT_EQ(handle(request).headers.at("X-Netavark-Exit"), "1");
}

}  // namespace
}  // namespace fairlead::netavark
