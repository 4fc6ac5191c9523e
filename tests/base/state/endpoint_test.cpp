#include <gmock/gmock.h>

#include "base/http_client/http_client.h"

namespace fairlead::http_client {
namespace {

using ::testing::HasSubstr;

TEST(ServerAddress, IsReadAndWritten) {
  const std::vector<std::pair<std::string, ServerAddress>> known{
      {"http://127.0.0.1:2379", {ServerAddress::Scheme::kHttp, "127.0.0.1", "2379"}},
      {"https://etcd-1.example:443", {ServerAddress::Scheme::kHttps, "etcd-1.example", "443"}},
      {"https://[fd00::1]:2379", {ServerAddress::Scheme::kHttps, "fd00::1", "2379"}}};
  for (const auto& [url, endpoint] : known) {
    EXPECT_EQ(ServerAddress::parse(url).value(), endpoint);
    EXPECT_EQ(endpoint.text(), url);
  }
  EXPECT_EQ(ServerAddress::parse("http://a:1/").value().text(), "http://a:1");
}

TEST(ServerAddress, WhatIsNoneIsRefused) {
  for (const char* url :
       {"", "a:1", "ftp://a:1", "http://", "http://a", "http://a:", "http://a:0", "http://a:65536",
        "http://a:1x", "http://:1", "http://a b:1", "http://fd00::1:2379", "http://[fd00::1]",
        "http://[a]:1", "http://a:1/v3", "http://a\r\nX:1"}) {
    const auto endpoint = ServerAddress::parse(url);
    ASSERT_FALSE(endpoint) << url;
    EXPECT_EQ(endpoint.error().code, Code::kInvalid);
    EXPECT_THAT(endpoint.error().text, HasSubstr("http://HOST:PORT"));
  }
}

}  // namespace
}  // namespace fairlead::http_client
