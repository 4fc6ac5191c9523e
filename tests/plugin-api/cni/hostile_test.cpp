// What nobody sends in good faith: it is refused with a CNI error, quickly and without growth.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plugin-api/cni/recording_service.h"

namespace fairlead::cni {
namespace {

using testing::add_call;
using testing::MockNetworkService;
using testing::RecordingService;
using ::testing::StrictMock;

Outcome run_input(std::string input) {
  StrictMock<MockNetworkService> untouched;
  Call call = add_call({});
  call.input = std::move(input);
  return run(call, untouched);
}

void expect_code(const Outcome& outcome, int code) {
  const auto answer = json::parse(outcome.out);
  ASSERT_TRUE(answer) << outcome.out.substr(0, 200);
  EXPECT_EQ(answer->at("code"), code) << outcome.out.substr(0, 400);
  EXPECT_LT(outcome.out.size(), 16U << 10);
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i) result += text;
  return result;
}

TEST(Hostile, DeepNestingIsRefused) {
  expect_code(run_input(repeated("[", 1 << 20)), 6);
  expect_code(run_input(repeated("{\"a\":", 1 << 18)), 6);
  expect_code(run_input(R"({"name":"a","x":)" + repeated("[", 100) + repeated("]", 100) + "}"), 6);
}

TEST(Hostile, MuchOfNothingIsRefused) {
  expect_code(run_input(std::string(2 << 20, ' ')), 6);
  expect_code(run_input(std::string(64 << 10, '\0')), 6);
  expect_code(run_input(std::string(64 << 10, '"')), 6);
  expect_code(run_input(std::string(64 << 10, '\xff')), 6);
}

TEST(Hostile, ZeroBytesAreRefused) {
  expect_code(run_input(std::string("{\"name\":\"a\0b\"}", 14)), 6);
  expect_code(run_input(R"({"name":"a\u0000b"})"), 7);
  expect_code(run_input(R"({"name":"a","bridge":"b\u0000c"})"), 7);
}

TEST(Hostile, NamesOf64KibAreRefusedWithShortMessages) {
  const std::string huge(64 << 10, 'a');
  expect_code(run_input(json::Json{{"name", huge}}.dump()), 7);
  expect_code(run_input(json::Json{{"name", "a"}, {"cniVersion", huge}}.dump()), 1);
  expect_code(run_input(json::Json{{"name", "a"}, {"network", huge}}.dump()), 7);
  expect_code(run_input(json::Json{{"name", "a"}, {"bridge", huge}}.dump()), 7);
  expect_code(run_input(json::Json{{"name", "a"}, {"subnet", huge}}.dump()), 7);
  expect_code(run_input(json::Json{{"name", "a"}, {"options", {{huge, "1"}}}}.dump()), 7);
  expect_code(run_input(json::Json{{"name", "a"}, {"ipam", {{"type", huge}}}}.dump()), 7);
  expect_code(run_input(json::Json{{"name", "a"}, {"vlan", huge}}.dump()), 7);
  expect_code(run_input(json::Json{{"name", "a"}, {"kernelpath", huge}}.dump()), 2);
}

TEST(Hostile, VariablesOf64KibAreRefusedWithShortMessages) {
  StrictMock<MockNetworkService> untouched;
  const std::string huge(64 << 10, 'a');
  for (const auto field : {&Environment::command, &Environment::container_id, &Environment::ifname,
                           &Environment::netns}) {
    Call call = add_call({});
    call.environment.*field = huge;
    expect_code(run(call, untouched), 4);
  }
  Call call = add_call({});
  call.environment.args = huge;
  expect_code(run(call, untouched), 4);
}

// Every key that is read, with every type that is wrong for it.
TEST(Hostile, WrongTypesAreRefusedEverywhere) {
  const std::pair<const char*, std::vector<const char*>> wrong[] = {
      {"ipam", {"5", "\"x\"", "[]", "true"}},
      {"options", {"5", "\"x\"", "[]", R"({"mtu":[1]})"}},
      {"mtu", {"\"x\"", "[]", "{}", "1.5", "-1", "70000", "99999999999999999999"}},
      {"bridge", {"5", "[]", "{}", "true"}},
      {"network", {"5", "[]", "{}"}},
      {"isGateway", {"5", "\"x\"", "[]"}},
      {"ipMasq", {"5", "\"x\"", "[]"}},
      {"hairpinMode", {"5", "\"x\""}},
      {"ipv6", {"5", "\"x\""}},
      {"internal", {"5", "\"x\""}},
      {"labels", {"5", "[]", R"({"a":[]})"}},
      {"dns", {"5", "[]", R"({"nameservers":5})", R"({"nameservers":[5]})", R"({"domain":5})"}},
      {"routes", {"5", "{}", "[5]"}},
      {"subnets", {"5", "{}", "[5]", "[[]]"}},
      {"runtimeConfig",
       {"5", "[]", "\"x\"", R"({"ips":"x"})", R"({"ips":[5]})", R"({"mac":5})", R"({"dns":5})",
        R"({"portMappings":[5]})", R"({"bandwidth":5})", R"({"aliases":5})", R"({"ipRanges":5})",
        R"({"ipRanges":[[5]]})"}},
  };
  for (const auto& [key, values] : wrong)
    for (const char* value : values) {
      SCOPED_TRACE(std::string(key) + ": " + value);
      expect_code(
          run_input(fmt::format(R"({{"name":"a","cniVersion":"1.0.0","{}":{}}})", key, value)), 7);
    }
}

TEST(Hostile, AListOfManyAttachmentsIsRead) {
  RecordingService service;
  json::Json list = json::Json::array();
  for (int i = 0; i < 2'000; ++i)
    list.push_back({{"containerID", fmt::format("c{}", i)}, {"ifname", "eth0"}});
  EXPECT_EQ(run(testing::verb_call("GC", {{"cni.dev/valid-attachments", list}}), service),
            Outcome{});
  EXPECT_EQ((*service.call("collect"))["valid"].size(), 2'000U);
}

}  // namespace
}  // namespace fairlead::cni
