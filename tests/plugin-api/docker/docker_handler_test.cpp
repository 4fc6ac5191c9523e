#include "plugin-api/docker/docker_handler.h"

#include <algorithm>

#include "base/log.h"
#include "tests/plugin-api/docker/docker_fixture.h"

namespace fairlead::docker::testing {
namespace {

class DockerHandlerTest : public ::testing::Test {
 protected:
  Plugin plugin;
};

TEST_F(DockerHandlerTest, ActivatesAllThreeDriversWithoutABody) {
  const http::Response response = plugin.call("Plugin.Activate", "");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/vnd.docker.plugins.v1.2+json");
  EXPECT_EQ(response.body, R"({"Implements":["NetworkDriver","IpamDriver","VolumeDriver"]})");
}

TEST_F(DockerHandlerTest, TellsItsCapabilitiesWithAndWithoutABody) {
  for (const char* body : {"", "{}", "null"}) {
    EXPECT_EQ(plugin.call("NetworkDriver.GetCapabilities", body).body,
              R"({"Scope":"local","ConnectivityScope":"local"})");
    EXPECT_EQ(plugin.call("IpamDriver.GetCapabilities", body).body,
              R"({"RequiresMACAddress":false,"RequiresRequestReplay":false})");
    EXPECT_EQ(
        plugin.call("IpamDriver.GetDefaultAddressSpaces", body).body,
        R"({"LocalDefaultAddressSpace":"fairlead-local","GlobalDefaultAddressSpace":"fairlead-global"})");
    EXPECT_EQ(plugin.call("VolumeDriver.Capabilities", body).body,
              R"({"Capabilities":{"Scope":"local"}})");
  }
}

TEST_F(DockerHandlerTest, ListsVolumesWithoutABodyAsPodmanAsks) {
  EXPECT_EQ(plugin.call("VolumeDriver.List", "").status, 200);
}

TEST_F(DockerHandlerTest, RefusesAMethodThatItDoesNotKnow) {
  for (const char* path : {"NetworkDriver.Nothing", "", "networkdriver.join", "NetworkDriver.Join/",
                           "AuthZPlugin.AuthZReq"}) {
    const http::Response response = plugin.call(path, "{}");
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(
        response.body,
        fmt::format(R"({{"Err":"there is no method /{0}","Error":"there is no method /{0}"}})",
                    path));
  }
}

// The verbs after which something is there that only the client would take away.
class HungUp : public DockerHandlerTest {
 protected:
  void expect_refused(std::string_view verb, std::string_view body) {
    const http::Response response = plugin.call(verb, body);
    EXPECT_EQ(response.status, 500);
    EXPECT_NE(response.body.find("hung up"), std::string::npos) << response.body;
  }
  static constexpr std::string_view kEndpoint = R"({"NetworkID":"n","EndpointID":"e",
      "SandboxKey":"/var/run/docker/netns/1","Interface":{"Address":"10.1.0.2/24"}})";
  static constexpr std::string_view kMount = R"({"Name":"data","ID":"web"})";
};

TEST_F(HungUp, BeforeItBegan) {
  plugin.hung_up = [] { return true; };
  EXPECT_CALL(plugin.networks, create_endpoint).Times(0);
  EXPECT_CALL(plugin.networks, join).Times(0);
  EXPECT_CALL(plugin.volumes, mount).Times(0);
  expect_refused("NetworkDriver.CreateEndpoint", kEndpoint);
  expect_refused("NetworkDriver.Join", kEndpoint);
  expect_refused("VolumeDriver.Mount", kMount);
}

TEST_F(HungUp, MeanwhileItIsUndone) {
  const auto hang_up = [&] { plugin.hung_up = [asked = 0]() mutable { return asked++ > 0; }; };
  EXPECT_CALL(plugin.networks, create_endpoint);
  EXPECT_CALL(plugin.networks, remove_endpoint);
  EXPECT_CALL(plugin.networks, join);
  EXPECT_CALL(plugin.networks, leave);
  EXPECT_CALL(plugin.volumes, mount);
  EXPECT_CALL(plugin.volumes, unmount("data", "docker", "web"));
  hang_up();
  expect_refused("NetworkDriver.CreateEndpoint", kEndpoint);
  hang_up();
  expect_refused("NetworkDriver.Join", kEndpoint);
  hang_up();
  expect_refused("VolumeDriver.Mount", kMount);
}

TEST_F(DockerHandlerTest, SaysWhatACallMayHaveToWaitFor) {
  const auto work = [](std::string path) {
    http::Request request;
    request.path = std::move(path);
    return work_of(request);
  };
  EXPECT_EQ(work("/Plugin.Activate"), http::Work::kNetwork);
  EXPECT_EQ(work("/NetworkDriver.Join"), http::Work::kNetwork);
  EXPECT_EQ(work("/VolumeDriver.Get"), http::Work::kVolume);
  EXPECT_EQ(work("/VolumeDriver.Mount"), http::Work::kWaiting);
  EXPECT_EQ(work("nothing"), http::Work::kNetwork);
}

TEST_F(DockerHandlerTest, SpeaksOnlyPost) {
  const http::Response response = plugin.handler({.method = "GET",
                                                  .path = "/Plugin.Activate",
                                                  .query = {},
                                                  .headers = {},
                                                  .body = "",
                                                  .peer = {}});
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.at("Allow"), "POST");
}

TEST_F(DockerHandlerTest, TellsAFailureUnderBothNames) {
  ON_CALL(plugin.networks, create_network)
      .WillByDefault(Return(fail(Error{Code::kExists, 0, "subnet \"a\" overlaps"})));
  const http::Response response =
      plugin.call("NetworkDriver.CreateNetwork", R"({"NetworkID":"n1"})");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body, R"({"Err":"subnet \"a\" overlaps","Error":"subnet \"a\" overlaps"})");
}

TEST_F(DockerHandlerTest, AnswersAMissingVolumeWithAFailureSoThatPodmanSeesIt) {
  ON_CALL(plugin.volumes, inspect).WillByDefault(Return(none("there is no volume data")));
  EXPECT_EQ(plugin.call("VolumeDriver.Get", R"({"Name":"data"})").status, 500);
}

TEST_F(DockerHandlerTest, RefusesNetworksOfASwarm) {
  for (const char* verb : {"NetworkDriver.AllocateNetwork", "NetworkDriver.FreeNetwork"}) {
    const http::Response response = plugin.call(verb, R"({"NetworkID":"n1"})");
    EXPECT_EQ(response.status, 500);
    EXPECT_NE(response.body.find("swarm scope"), std::string::npos);
  }
}

TEST_F(DockerHandlerTest, TakesNoticeOfNodes) {
  EXPECT_EQ(plugin
                .call("NetworkDriver.DiscoverNew",
                      R"({"DiscoveryType":1,"DiscoveryData":{"Address":"10.0.0.1","Self":true}})")
                .body,
            "{}");
  EXPECT_EQ(plugin.call("NetworkDriver.DiscoverDelete", "{}").body, "{}");
}

TEST_F(DockerHandlerTest, AnswersEveryChangeWithAnObject) {
  const std::string endpoint = R"({"NetworkID":"n1","EndpointID":"e1"})";
  for (const char* verb :
       {"DeleteEndpoint", "Leave", "RevokeExternalConnectivity", "ProgramExternalConnectivity"})
    EXPECT_EQ(plugin.call("NetworkDriver." + std::string(verb), endpoint).body, "{}") << verb;
  EXPECT_EQ(plugin.call("VolumeDriver.Remove", R"({"Name":"data"})").body, "{}");
  EXPECT_EQ(plugin.call("IpamDriver.ReleasePool", R"({"PoolID":"10.1.0.0/24"})").body, "{}");
}

// The core tells of networks and endpoints itself.
TEST_F(DockerHandlerTest, WritesOneLineForEachChangeOfAVolumeAndForEachFailure) {
  fairlead::log::configure(fairlead::log::Level::kInfo, fairlead::log::Format::kText);
  ::testing::internal::CaptureStderr();
  plugin.call("NetworkDriver.Leave",
              R"({"NetworkID":"6cdbabb366c67ec4","EndpointID":"6107a06f4186f0d0"})");
  plugin.call("VolumeDriver.Get", R"({"Name":"data"})");
  plugin.call("VolumeDriver.Remove", R"({"Name":"data"})");
  plugin.call("NetworkDriver.Leave", R"({"NetworkID":"6cdbabb366c67ec4"})");
  const std::string text = ::testing::internal::GetCapturedStderr();
  fairlead::log::configure(fairlead::log::Level::kError, fairlead::log::Format::kText);
  EXPECT_EQ(std::ranges::count(text, '\n'), 2) << text;
  EXPECT_NE(text.find("verb=VolumeDriver.Remove object=data outcome=ok ms="), std::string::npos)
      << text;
  EXPECT_NE(text.find("warn  docker id=2 verb=NetworkDriver.Leave"), std::string::npos) << text;
}

TEST_F(DockerHandlerTest, CountsLinesThatRepeatThemselvesInsteadOfWritingThem) {
  fairlead::log::configure(fairlead::log::Level::kInfo, fairlead::log::Format::kText);
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) plugin.call("VolumeDriver.Create", R"({"Name":"data"})");
  plugin.call("VolumeDriver.Remove", R"({"Name":"data"})");
  plugin.call("VolumeDriver.Create", R"({"Name":"data"})");
  const std::string text = ::testing::internal::GetCapturedStderr();
  fairlead::log::configure(fairlead::log::Level::kError, fairlead::log::Format::kText);
  EXPECT_EQ(std::ranges::count(text, '\n'), 8 + 6 + 2) << text;  // 16, 32, 64, 128, 256, 512
  EXPECT_NE(text.find("id=512 verb=VolumeDriver.Create object=data "
                      "outcome=\"ok, 512 times in a row\""),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("id=1002 verb=VolumeDriver.Create object=data outcome=ok ms="),
            std::string::npos)
      << text;
}

TEST_F(DockerHandlerTest, WritesNoLineForEachPool) {
  fairlead::log::configure(fairlead::log::Level::kInfo, fairlead::log::Format::kText);
  ::testing::internal::CaptureStderr();
  plugin.call("IpamDriver.RequestPool", R"({"AddressSpace":"","Pool":"10.1.0.0/24","V6":false})");
  plugin.call("IpamDriver.ReleasePool", R"({"PoolID":"10.1.0.0/24"})");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  fairlead::log::configure(fairlead::log::Level::kError, fairlead::log::Format::kText);
}

}  // namespace
}  // namespace fairlead::docker::testing
