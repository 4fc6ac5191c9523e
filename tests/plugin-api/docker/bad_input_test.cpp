// Hostile and broken bodies for every method: an error that is a JSON object, and no call to the
// core.
#include <algorithm>
#include <array>

#include "base/json/json.h"
#include "tests/plugin-api/docker/docker_fixture.h"

namespace fairlead::docker::testing {
namespace {

constexpr auto kMethodsWithBody = std::to_array<const char*>(
    {"NetworkDriver.CreateNetwork", "NetworkDriver.DeleteNetwork", "NetworkDriver.CreateEndpoint",
     "NetworkDriver.DeleteEndpoint", "NetworkDriver.EndpointOperInfo", "NetworkDriver.Join",
     "NetworkDriver.Leave", "NetworkDriver.ProgramExternalConnectivity",
     "NetworkDriver.RevokeExternalConnectivity", "IpamDriver.RequestPool", "IpamDriver.ReleasePool",
     "IpamDriver.RequestAddress", "IpamDriver.ReleaseAddress", "VolumeDriver.Create",
     "VolumeDriver.Remove", "VolumeDriver.Mount", "VolumeDriver.Unmount", "VolumeDriver.Path",
     "VolumeDriver.Get"});

class BadInput : public ::testing::TestWithParam<const char*> {
 protected:
  // Refused as the client's fault, without touching anything.
  void expect_refused(const std::string& body, std::string_view what) {
    const http::Response response = plugin.call(GetParam(), body);
    EXPECT_EQ(response.status, 400) << what << ": " << response.body.substr(0, 200);
    const auto answer = json::parse(response.body);
    ASSERT_TRUE(answer) << what;
    ASSERT_TRUE(answer->is_object()) << what;
    EXPECT_FALSE((*answer)["Err"].get<std::string>().empty()) << what;
    EXPECT_EQ((*answer)["Err"], (*answer)["Error"]) << what;
    EXPECT_LT(response.body.size(), 1000U) << what << ": what was sent is not sent back at length";
  }

  Plugin plugin{Core::kMustNotBeAsked};
};

TEST_P(BadInput, AnEmptyBodyIsNeverTakenForAnEmptyObject) {
  for (const char* body : {"", "\n", " \r\n\t"}) {
    expect_refused(body, "empty");
    const http::Response response = plugin.call(GetParam(), body);
    EXPECT_EQ(response.body, R"({"Err":"empty request body","Error":"empty request body"})");
  }
}

TEST_P(BadInput, WhatIsNotAJsonObjectIsRefused) {
  expect_refused("{", "cut off");
  expect_refused("garbage", "not JSON");
  expect_refused("{} {}", "two values");
  expect_refused("[]", "an array");
  expect_refused("null", "null");
  expect_refused("\"text\"", "a text");
  expect_refused("17", "a number");
  expect_refused(std::string("\0\0\0\0", 4), "NUL bytes");
  expect_refused("{\"Name\":\"\xff\xfe\"}", "not UTF-8");
  expect_refused("\xef\xbb\xbf[]", "a byte order mark");
}

TEST_P(BadInput, DeepNestingIsRefused) {
  expect_refused(std::string(100'000, '['), "open arrays");
  expect_refused("{\"Options\":" + std::string(1000, '[') + std::string(1000, ']') + "}",
                 "deep options");
  std::string objects;
  for (int i = 0; i < 1000; ++i) objects += "{\"a\":";
  expect_refused(objects, "deep objects");
}

TEST_P(BadInput, FieldsOfTheWrongTypeAreRefused) {
  for (const char* value : {"1", "1.5", "true", "[]", "{}", "[\"a\"]"})
    expect_refused(
        fmt::format(
            R"({{"NetworkID":{0},"EndpointID":{0},"PoolID":{0},"Pool":{0},"Address":{0},"Name":{0},"ID":{0}}})",
            value),
        value);
}

TEST_P(BadInput, NulsAndVeryLongTextsInIdsAreRefused) {
  const std::string_view method = GetParam();
  if (method.starts_with("VolumeDriver.") && method.find("ount") == std::string_view::npos)
    GTEST_SKIP() << "names of volumes are checked by the core";
  for (const std::string& text :
       {std::string("a\\u0000b"), std::string(64 << 10, 'x'), std::string("../../etc")})
    expect_refused(
        fmt::format(
            R"({{"NetworkID":"{0}","EndpointID":"{0}","PoolID":"{0}","Pool":"{0}","Address":"{0}","Name":"{0}","ID":"{0}"}})",
            text),
        text.substr(0, 20));
}

INSTANTIATE_TEST_SUITE_P(EveryMethod, BadInput, ::testing::ValuesIn(kMethodsWithBody),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

TEST(BadVolumeNames, AreRefusedWithoutBeingSentBackAtLength) {
  Plugin plugin;
  EXPECT_CALL(plugin.volumes, create).Times(0);
  for (const std::string& text : {std::string("a\\u0000b"), std::string(64 << 10, 'x'),
                                  std::string("../../etc"), std::string("")}) {
    const http::Response response =
        plugin.call("VolumeDriver.Create", fmt::format(R"({{"Name":"{}"}})", text));
    EXPECT_EQ(response.status, 500);
    EXPECT_LT(response.body.size(), 1000U) << text.substr(0, 20);
  }
}

TEST(BadOptions, AreRefusedWithoutBeingSentBackAtLength) {
  Plugin plugin;
  const std::string huge(64 << 10, 'k');
  const http::Response response = plugin.call(
      "NetworkDriver.CreateNetwork",
      fmt::format(R"({{"NetworkID":"n1","Options":{{"com.docker.network.generic":{{"{}":"v"}}}}}})",
                  huge));
  EXPECT_EQ(response.status, 500);
  EXPECT_LT(response.body.size(), 4000U);
}

}  // namespace
}  // namespace fairlead::docker::testing
