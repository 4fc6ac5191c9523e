#include "plugin-api/netavark/invocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::netavark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Environment read(std::vector<std::string> arguments) {
  const auto environment = read_arguments(arguments);
  EXPECT_TRUE(environment) << environment.error().text;
  return environment ? *environment : Environment();
}

TEST(Arguments, AreThoseThatPodman5Gives) {
  const auto environment =
      read({"--config", "/run/containers/networks", "--rootless=false",
            "--aardvark-binary=/usr/lib/podman/aardvark-dns", "--plugin-directory",
            "/usr/local/libexec/netavark", "--plugin-directory=/usr/lib/netavark", "setup",
            "/run/netns/netns-1"});
  EXPECT_EQ(environment.command, "setup");
  EXPECT_EQ(environment.netns, "/run/netns/netns-1");
  EXPECT_FALSE(environment.rootless);
  EXPECT_THAT(environment.plugin_folders,
              ElementsAre("/usr/local/libexec/netavark", "/usr/lib/netavark"));
}

TEST(Arguments, OfAPluginAreTheCommandAlone) {
  EXPECT_EQ(read({"teardown", "/run/netns/a"}).netns, "/run/netns/a");
  EXPECT_EQ(read({"create"}).command, "create");
  EXPECT_EQ(read({"info"}).command, "info");
}

TEST(Arguments, TakeLettersWithAndWithoutASpace) {
  EXPECT_EQ(read({"-f", "/tmp/x", "create"}).file, "/tmp/x");
  EXPECT_EQ(read({"-f/tmp/x", "create"}).file, "/tmp/x");
  EXPECT_EQ(read({"create", "--file=/tmp/x"}).file, "/tmp/x");
  EXPECT_TRUE(read({"-r", "true", "create"}).rootless);
}

TEST(Arguments, OfUpdateNameTheNetworkAndTheServers) {
  const auto environment =
      read({"update", "n1", "--network-dns-servers", "192.0.2.1, 2001:db8::1"});
  const auto invocation = check_environment(environment);
  ASSERT_TRUE(invocation);
  EXPECT_EQ(invocation->network, "n1");
  ASSERT_EQ(invocation->dns_servers.size(), 2U);
  EXPECT_EQ(invocation->dns_servers[1].to_string(), "2001:db8::1");
}

TEST(Arguments, VersionCountsWhereverItStands) {
  EXPECT_EQ(read({"--version"}).command, "--version");
  EXPECT_EQ(read({"--config", "/x", "--version"}).command, "--version");
}

TEST(Arguments, ThatAreWrongAreNamed) {
  EXPECT_THAT(read_arguments(std::vector<std::string>{"--bogus"}).error().text,
              HasSubstr("--bogus"));
  EXPECT_THAT(read_arguments(std::vector<std::string>{"--file"}).error().text,
              HasSubstr("needs a value"));
  EXPECT_THAT(read_arguments(std::vector<std::string>{"setup", "a", "b"}).error().text,
              HasSubstr("unexpected argument \"b\""));
  EXPECT_THAT(check_environment({}).error().text, HasSubstr("a command is missing"));
  EXPECT_THAT(check_environment({.command = "bogus"}).error().text,
              HasSubstr("\"bogus\" is not known"));
  EXPECT_THAT(check_environment({.command = "setup"}).error().text,
              HasSubstr("the path of the network namespace is missing"));
  EXPECT_FALSE(check_environment({.command = "create", .network_folder = "relative"}));
  EXPECT_FALSE(check_environment({.command = "update"}));
  EXPECT_FALSE(check_environment({.command = "update", .network = "a", .dns_servers = "x"}));
}

}  // namespace
}  // namespace fairlead::netavark
