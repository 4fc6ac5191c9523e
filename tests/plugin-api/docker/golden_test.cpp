// Replays what real runtimes sent. See tests/golden/docker/README.md.
#include "tests/support/golden.h"

#include <algorithm>
#include <sstream>

#include "tests/plugin-api/docker/describe.h"
#include "tests/plugin-api/docker/docker_fixture.h"
#include "tests/support/paths.h"

namespace fairlead::docker::testing {
namespace {

const std::string kFolder = fairlead::testing::source_path("tests/golden/docker");

template <auto Decode>
std::string decoded(std::string_view body) {
  const auto request = Decode(body);
  return request ? describe(*request) : "error: " + request.error().text;
}

using Decoder = std::string (*)(std::string_view);
const std::map<std::string, Decoder>& decoders() {
  static const std::map<std::string, Decoder> table{
      {"NetworkDriver.CreateNetwork", decoded<decode_create_network>},
      {"NetworkDriver.DeleteNetwork", decoded<decode_network>},
      {"NetworkDriver.CreateEndpoint", decoded<decode_create_endpoint>},
      {"NetworkDriver.DeleteEndpoint", decoded<decode_endpoint>},
      {"NetworkDriver.EndpointOperInfo", decoded<decode_endpoint>},
      {"NetworkDriver.Join", decoded<decode_endpoint>},
      {"NetworkDriver.Leave", decoded<decode_endpoint>},
      {"NetworkDriver.ProgramExternalConnectivity", decoded<decode_ports>},
      {"NetworkDriver.RevokeExternalConnectivity", decoded<decode_endpoint>},
      {"IpamDriver.RequestPool", decoded<decode_request_pool>},
      {"IpamDriver.ReleasePool", decoded<decode_pool>},
      {"IpamDriver.RequestAddress", decoded<decode_request_address>},
      {"IpamDriver.ReleaseAddress", decoded<decode_release_address>},
      {"VolumeDriver.Create", decoded<decode_create_volume>},
      {"VolumeDriver.Remove", decoded<decode_volume>},
      {"VolumeDriver.Get", decoded<decode_volume>},
      {"VolumeDriver.Path", decoded<decode_volume>},
      {"VolumeDriver.Mount", decoded<decode_mount>},
      {"VolumeDriver.Unmount", decoded<decode_mount>},
  };
  return table;
}

std::string replay(const std::string& captured) {
  Plugin plugin;
  std::string text;
  std::istringstream lines(captured);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string verb = line.substr(0, blank);
    const std::string body = line.substr(std::min(blank + 1, line.size()));
    text += verb + "\n";
    if (const auto found = decoders().find(verb); found != decoders().end())
      text += "  request " + found->second(body) + "\n";
    const http::Response response = plugin.call(verb, body);
    text += fmt::format("  answer  {} {}\n", response.status, response.body);
  }
  return text;
}

class DockerGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(DockerGolden, RequestsOfARealRuntimeAreUnderstoodAndAnswered) {
  const std::string captured =
      fairlead::testing::read_golden(fmt::format("{}/captured/{}.txt", kFolder, GetParam()));
  ASSERT_FALSE(captured.empty());
  fairlead::testing::expect_golden(fmt::format("{}/replayed/{}.txt", kFolder, GetParam()),
                                   replay(captured));
}

INSTANTIATE_TEST_SUITE_P(Captured, DockerGolden,
                         ::testing::Values("docker-20.10-no-gateway", "docker-20.10-gateway",
                                           "docker-26.1", "docker-28.5", "docker-20.10-join",
                                           "docker-26.1-join", "docker-28.5-join", "podman-volume"),
                         [](const auto& tested) {
                           return fairlead::testing::parameter_name(tested.param);
                         });

}  // namespace
}  // namespace fairlead::docker::testing
