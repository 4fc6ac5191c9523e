#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin-api/cni/cni_handler.h"
#include "tests/plugin-api/cni/recording_service.h"

namespace fairlead::cni {
namespace {

using ::testing::HasSubstr;
using testing::RecordingService;

class Handler : public ::testing::Test {
 protected:
  http::Request request_of(const std::string& command) {
    http::Request request{.method = "POST",
                          .path = "/v1/cni",
                          .body = R"({"name":"shop","cniVersion":"1.0.0"})",
                          .peer = {.pid = 4711}};
    request.headers = {{"x-cni-command", command},
                       {"x-cni-containerid", "web"},
                       {"x-cni-ifname", "eth0"},
                       {"x-cni-netns", "/run/netns/web"},
                       {"x-cni-netns-fd", "3"}};
    return request;
  }
  http::Response handle(const http::Request& request) {
    return handle_cni(request, service_, opener_);
  }

  RecordingService service_;
  std::string opened_;
  NetnsOpener opener_{.open = [this](const std::string& path) -> Result<UniqueFd> {
                        opened_ = path;
                        return UniqueFd();
                      },
                      .is_own = [](int) { return false; }};
};

TEST_F(Handler, OpensWhatTheClientHoldsOpen) {
  const auto response = handle(request_of("ADD"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.at("X-CNI-Exit"), "0");
  EXPECT_EQ(opened_, "/proc/4711/fd/3");
  EXPECT_EQ(json::parse(response.body)->at("interfaces")[2]["sandbox"], "/run/netns/web");
}

TEST_F(Handler, LeavesCallsWithAnotherIpamPluginToTheClient) {
  for (const char* verb : {"ADD", "DEL", "CHECK", "GC", "STATUS"}) {
    auto request = request_of(verb);
    request.headers["x-cni-path"] = "/usr/lib/cni";
    request.body = R"({"name":"shop","cniVersion":"1.1.0","ipam":{"type":"static"}})";
    if (std::string_view(verb) == "CHECK") request.body.insert(1, R"("prevResult":{},)");
    const auto response = handle(request);
    EXPECT_EQ(response.status, 421) << verb;
    EXPECT_FALSE(response.headers.contains("X-CNI-Exit")) << verb;
  }
  EXPECT_TRUE(service_.calls.empty());
}

TEST_F(Handler, UndoesAnAddWhoseClientHasHungUp) {
  auto request = request_of("ADD");
  request.hung_up = [asked = 0]() mutable { return asked++ > 0; };
  EXPECT_EQ(handle(request).headers.at("X-CNI-Exit"), "1");
  EXPECT_NE(service_.call("attach"), nullptr);
  EXPECT_NE(service_.call("remove_endpoint"), nullptr);
}

TEST_F(Handler, OpensThePathItselfForAClientWithoutDescriptors) {
  auto request = request_of("ADD");
  request.headers.erase("x-cni-netns-fd");
  handle(request);
  EXPECT_EQ(opened_, "/run/netns/web");
}

TEST_F(Handler, TellsWhyTheClientCouldNotOpenTheNamespace) {
  auto request = request_of("ADD");
  request.headers.erase("x-cni-netns-fd");
  request.headers["x-cni-netns-error"] = "2";
  const auto response = handle(request);
  EXPECT_EQ(response.headers.at("X-CNI-Exit"), "1");
  EXPECT_THAT(response.body,
              HasSubstr("open network namespace /run/netns/web: No such file or directory"));
  EXPECT_EQ(json::parse(response.body)->at("code"), 8);
}

TEST_F(Handler, BelievesTheClientThatTheNamespaceIsItsOwn) {
  auto request = request_of("ADD");
  request.headers["x-cni-same-netns"] = "1";
  EXPECT_EQ(json::parse(handle(request).body)->at("code"), 8);
  request.headers["x-cni-netns-override"] = "1";
  EXPECT_EQ(handle(request).headers.at("X-CNI-Exit"), "0");
}

TEST_F(Handler, LooksItselfWhetherTheNamespaceIsTheDaemons) {
  opener_.is_own = [](int) { return true; };
  EXPECT_EQ(json::parse(handle(request_of("ADD")).body)->at("code"), 8);
}

TEST_F(Handler, RefusesDescriptorsThatAreNoNumbers) {
  for (const char* text : {"-1", "3/../../1", "x", "99999999999999"}) {
    auto request = request_of("ADD");
    request.headers["x-cni-netns-fd"] = text;
    EXPECT_EQ(json::parse(handle(request).body)->at("code"), 8) << text;
    EXPECT_EQ(opened_, "") << text;
  }
}

TEST_F(Handler, RefusesAClientWhoseProcessItCannotSee) {
  auto request = request_of("ADD");
  request.peer.pid = 0;
  EXPECT_THAT(handle(request).body, HasSubstr("not visible to the daemon"));
}

TEST_F(Handler, RefusesControlCharactersInHeaders) {
  for (const char* name :
       {"x-cni-command", "x-cni-containerid", "x-cni-args", "x-cni-netns", "x-cni-path"}) {
    auto request = request_of("DEL");
    request.headers[name] = "a\tb";
    const auto response = handle(request);
    EXPECT_EQ(json::parse(response.body)->at("code"), 4) << name;
    EXPECT_THAT(response.body, HasSubstr("control characters"));
  }
}

TEST_F(Handler, AnswersAVerbWithoutOutputWithAnEmptyBody) {
  const auto response = handle(request_of("DEL"));
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(response.headers.at("X-CNI-Exit"), "0");
}

}  // namespace
}  // namespace fairlead::cni
