// The plugin as Docker sees it: over HTTP on its socket.
#include "tests/plugin-api/docker/docker_fixture.h"
#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::docker::testing {
namespace {

using namespace std::chrono_literals;
using http::testing::RawClient;
using http::testing::RunningServer;

TEST(PluginSocket, AnswersARequestAsDockerSendsIt) {
  Plugin plugin;
  const RunningServer server(plugin.handler);
  RawClient docker(server.path);
  docker.say(
      "POST /VolumeDriver.Mount HTTP/1.1\r\nHost: plugin.moby.localhost\r\nUser-Agent: "
      "Go-http-client/1.1\r\nContent-Length: 26\r\n"
      "Accept: application/vnd.docker.plugins.v1.2+json\r\n\r\n{\"Name\":\"data\",\"ID\":\"aa1\"}");
  const std::string answer = docker.hear_once().value_or("");
  EXPECT_TRUE(answer.starts_with(
      "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.plugins.v1.2+json\r\n"))
      << answer;
  EXPECT_TRUE(answer.ends_with(R"({"Err":"","Mountpoint":"/var/lib/fairlead/volumes/0123/_data"})"))
      << answer;
}

TEST(PluginSocket, TakesTheOddHostOfOlderDaemonsAndThePodmanClient) {
  Plugin plugin;
  const RunningServer server(plugin.handler);
  for (const char* host : {"%2Frun%2Fdocker%2Fplugins%2Ffairlead.sock", "plugin"}) {
    RawClient client(server.path);
    client.say(fmt::format(
        "POST /VolumeDriver.List HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n"
        "Content-Type: application/vnd.docker.plugins.v1.1+json\r\n\r\n",
        host));
    EXPECT_TRUE(client.hear_all().starts_with("HTTP/1.1 200 OK\r\n")) << host;
  }
}

TEST(PluginSocket, AnswersTheEmptyRepetitionOfALostRequest) {
  Plugin plugin;
  const RunningServer server(plugin.handler);
  const auto response = http::testing::call(
      server.path, {.path = "/NetworkDriver.CreateNetwork", .headers = {}, .body = ""}, 5s);
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(response->status, 400);
  EXPECT_EQ(response->body, R"({"Err":"empty request body","Error":"empty request body"})");
}

}  // namespace
}  // namespace fairlead::docker::testing
