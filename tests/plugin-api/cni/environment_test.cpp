#include "plugin-api/cni/environment.h"

#include <gtest/gtest.h>

namespace fairlead::cni {
namespace {

Environment complete(const std::string& command) {
  return {.command = command,
          .container_id = "web",
          .netns = "/run/netns/web",
          .ifname = "eth0",
          .path = "/opt/cni/bin"};
}

void expect_refused(const Environment& environment, const std::string& message) {
  const auto invocation = check_environment(environment);
  ASSERT_FALSE(invocation) << message;
  EXPECT_EQ(invocation.error().code, ErrorCode::kEnvironment);
  EXPECT_NE(invocation.error().message.find(message), std::string::npos)
      << invocation.error().message;
}

struct Missing {
  std::string command, names;
};
class MissingVariables : public ::testing::TestWithParam<Missing> {};

TEST_P(MissingVariables, AreNamedInOneMessage) {
  expect_refused({.command = GetParam().command},
                 "required env variables [" + GetParam().names + "] missing");
}
INSTANTIATE_TEST_SUITE_P(Verbs, MissingVariables,
                         ::testing::Values(Missing{"ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME"},
                                           Missing{"CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME"},
                                           Missing{"DEL", "CNI_CONTAINERID,CNI_IFNAME"},
                                           Missing{"GC", "CNI_PATH"}, Missing{"", "CNI_COMMAND"}),
                         [](const auto& test) {
                           return test.param.command.empty() ? "none" : test.param.command;
                         });

TEST(Environment, EachRequiredVariableIsMissedAlone) {
  const std::pair<std::string Environment::*, std::string> required[] = {
      {&Environment::container_id, "CNI_CONTAINERID"},
      {&Environment::netns, "CNI_NETNS"},
      {&Environment::ifname, "CNI_IFNAME"}};
  for (const auto& [field, name] : required) {
    Environment environment = complete("ADD");
    (environment.*field).clear();
    expect_refused(environment, "required env variables [" + name + "] missing");
  }
}

TEST(Environment, StatusAndVersionNeedNothing) {
  EXPECT_TRUE(check_environment({.command = "STATUS"}));
  EXPECT_TRUE(check_environment({.command = "VERSION"}));
}

TEST(Environment, DelDoesWithoutANamespace) {
  Environment environment = complete("DEL");
  environment.netns.clear();
  EXPECT_TRUE(check_environment(environment));
}

TEST(Environment, UnknownCommandsAreNamed) {
  expect_refused(complete("UPDATE"), "unknown CNI_COMMAND: UPDATE");
  expect_refused(complete("add"), "unknown CNI_COMMAND: add");
}

TEST(Environment, BadContainerIdsAreRefused) {
  for (const std::string& id : {std::string("-web"), std::string("a/b"), std::string("a b"),
                                std::string("../x"), std::string(300, 'a')}) {
    Environment environment = complete("ADD");
    environment.container_id = id;
    expect_refused(environment, "CNI_CONTAINERID is not valid");
  }
}

TEST(Environment, BadInterfaceNamesAreRefused) {
  for (const std::string& name :
       {std::string("."), std::string(".."), std::string("a/b"), std::string("a:b"),
        std::string("a b"), std::string("a\nb"), std::string("sixteen-bytes-xx")}) {
    Environment environment = complete("DEL");
    environment.ifname = name;
    expect_refused(environment, "CNI_IFNAME is not valid");
  }
}

TEST(Environment, NamespacePathsWithControlCharactersAreRefused) {
  Environment environment = complete("ADD");
  environment.netns = "/run/netns/a\r\nb";
  expect_refused(environment, "CNI_NETNS is not valid");
  environment.netns = std::string(5000, '/');
  expect_refused(environment, "CNI_NETNS is not valid");
}

TEST(Environment, DelTakesAnyNamespacePathBecauseItDoesNotUseIt) {
  Environment environment = complete("DEL");
  environment.netns = std::string(5000, '/');
  EXPECT_TRUE(check_environment(environment));
}

TEST(Environment, TheOverrideIsABoolean) {
  Environment environment = complete("ADD");
  for (const auto& [text, allowed] : {std::pair{"1", true},
                                      {"true", true},
                                      {"TRUE", true},
                                      {"0", false},
                                      {"yes", false},
                                      {"", false}}) {
    environment.netns_override = text;
    EXPECT_EQ(check_environment(environment)->own_netns_allowed, allowed) << text;
  }
}

TEST(Environment, IsReadByName) {
  const auto environment = read_environment(
      [](const char* name) { return std::string_view(name) == "CNI_IFNAME" ? "eth7" : nullptr; });
  EXPECT_EQ(environment.ifname, "eth7");
  EXPECT_EQ(environment.command, "");
}

}  // namespace
}  // namespace fairlead::cni
