// The thin client's reading of the arguments is that of the program with the whole command line.
#include <gtest/gtest.h>

#include "plugin-api/netavark/invocation.h"
#include "plugin-api/thin/netavark_arguments.h"

namespace fairlead::netavark {
namespace {

std::string text_of(client::Text text) {
  return text.data == nullptr ? "" : std::string(text.data, text.size);
}

client::NetavarkArguments thinly(const std::vector<std::string>& arguments) {
  client::NetavarkReader reader;
  for (const std::string& argument : arguments) reader.take(argument.c_str());
  return reader.result();
}

TEST(ThinArguments, AreReadAsTheOthersAre) {
  const std::vector<std::vector<std::string>> lines{
      {"create"},
      {"info"},
      {"--version"},
      {"-V"},
      {"--config", "setup", "--version"},
      {"setup", "/run/netns/a"},
      {"teardown", "/run/netns/a", "-f", "/x"},
      {"--config", "/run/containers/networks", "--rootless=false",
       "--aardvark-binary=/usr/lib/podman/aardvark-dns", "setup", "/run/netns/netns-1"},
      {"-c", "/run", "-rtrue", "-a=/x", "--plugin-directory", "/p", "setup", "/n"},
      {"--rootless", "true", "setup", "/n"},
      {"--firewall-driver", "none", "update", "n1", "--network-dns-servers", "1.1.1.1,9.9.9.9"},
      {"update", "n1", "--network-dns-servers=1.1.1.1"},
      {"firewall-reload"}};
  for (const auto& line : lines) {
    const auto whole = read_arguments(line);
    ASSERT_TRUE(whole);
    const auto thin = thinly(line);
    EXPECT_FALSE(thin.others);
    EXPECT_EQ(text_of(thin.command), whole->command);
    EXPECT_EQ(text_of(thin.subject), whole->command == "update" ? whole->network : whole->netns);
    EXPECT_EQ(text_of(thin.dns_servers), whole->dns_servers);
    EXPECT_EQ(text_of(thin.file), whole->file);
    EXPECT_EQ(thin.rootless, whole->rootless);
  }
}

TEST(ThinArguments, LeaveToTheOtherProgramWhatTheyDoNotKnow) {
  for (const auto& line : std::vector<std::vector<std::string>>{{"--bogus", "setup", "/n"},
                                                                {"setup", "/n", "more"},
                                                                {"setup", "--file"},
                                                                {"--files=x", "create"}})
    EXPECT_TRUE(thinly(line).others);
}

}  // namespace
}  // namespace fairlead::netavark
