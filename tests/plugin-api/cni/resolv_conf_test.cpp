// The file of "ipam.resolvConf".
#include "plugin-api/cni/resolv_conf.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fairlead::cni {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ResolvConf, IsReadAsResolversDo) {
  const auto dns = parse_resolv_conf(
      "# of the provider\n; and of the host\nnameserver 192.0.2.53\n\tnameserver\t2001:db8::53  # "
      "second\r\n"
      "domain a.example\nsearch b.example\nsearch c.example d.example\noptions ndots:5\noptions "
      "edns0\nsortlist 192.0.2.0\nnameserver");
  EXPECT_THAT(dns.nameservers, ElementsAre("192.0.2.53", "2001:db8::53"));
  EXPECT_EQ(dns.domain, "a.example");
  EXPECT_THAT(dns.search, ElementsAre("c.example", "d.example"));
  EXPECT_THAT(dns.options, ElementsAre("ndots:5", "edns0"));
  EXPECT_EQ(parse_resolv_conf(""), network::Dns{});
}

TEST(ResolvConf, WhatIsNoFileIsRefusedAtOnce) {
  const std::string folder = std::filesystem::temp_directory_path() / "fairlead-resolv-conf";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const std::string pipe = folder + "/pipe", large = folder + "/large", good = folder + "/good";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::ofstream(large) << std::string(70'000, 'x');
  std::ofstream(good) << "nameserver 192.0.2.53";
  for (const std::string& path : {folder + "/missing", pipe, large, folder}) {
    const auto refused = read_resolv_conf(path);
    ASSERT_FALSE(refused) << path;
    EXPECT_THAT(refused.error().text, HasSubstr(path));
  }
  const auto read = read_resolv_conf(good);
  ASSERT_TRUE(read);
  EXPECT_THAT(read->nameservers, ElementsAre("192.0.2.53"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fairlead::cni
