#include "plugin-api/ui/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::ui {
namespace {

using ::testing::HasSubstr;

const std::string kToken = std::string(32, 'a') + std::string(32, 'b');

http::Request request(std::string method, std::string path,
                      std::map<std::string, std::string> headers = {}) {
  headers.emplace("host", "127.0.0.1:7780");
  return {.method = std::move(method),
          .path = std::move(path),
          .query = {},
          .headers = std::move(headers),
          .body = {},
          .peer = {}};
}

bool may_come_from(const http::Request& one, Reach reach = Reach::kLoopback) {
  return check_source(one, reach).has_value();
}

bool answers_to(std::string host, Reach reach = Reach::kLoopback) {
  return may_come_from(request("GET", "/", {{"host", std::move(host)}}), reach);
}

// ---- the Host

TEST(GuardHost, IsALoopbackAddressOrLocalhostAtAnyPort) {
  for (const char* host : {"127.0.0.1:7780", "127.0.0.1", "[::1]:7780", "[::1]", "localhost:7780",
                           "localhost", "localhost:9000", "127.1.2.3:80"})
    EXPECT_TRUE(answers_to(host)) << host;
}

TEST(GuardHost, IsNoNameThatSomebodysNameServerCouldLeadHere) {
  for (const char* host : {"",
                           "evil.example",
                           "evil.example:7780",
                           "127.0.0.1.evil.example:7780",
                           "localhost.evil.example",
                           "evil.localhost",
                           "localhost.:7780",
                           "LOCALHOST.evil",
                           "[::1",
                           "[::1]x",
                           "::1",
                           "[evil]:7780",
                           "127.0.0.1:7780, evil.example",
                           "127.0.0.1:7780@evil.example",
                           "127.0.0.1:x",
                           "127.1",
                           "0x7f.1",
                           "2130706433",
                           "user@127.0.0.1",
                           " 127.0.0.1"})
    EXPECT_FALSE(answers_to(host)) << host;
}

TEST(GuardHost, IsAnotherAddressOnlyWhereThePageIsForEverybody) {
  for (const char* host : {"192.0.2.1:7780", "[2001:db8::1]:7780"}) {
    EXPECT_FALSE(answers_to(host)) << host;
    EXPECT_TRUE(answers_to(host, Reach::kAnywhere)) << host;
  }
  EXPECT_FALSE(answers_to("evil.example:7780", Reach::kAnywhere));
}

TEST(GuardHost, TheRefusalSaysWhatToOpen) {
  const auto refused =
      check_source(request("GET", "/", {{"host", "evil.example"}}), Reach::kLoopback);
  EXPECT_THAT(refused.error().text,
              HasSubstr("not to the name evil.example: open it as `fairlead ui`"));
}

// ---- where it comes from

TEST(GuardOrigin, ItsOwnPageMayDoWhatItSays) {
  const std::map<std::string, std::string> own{{"origin", "http://127.0.0.1:7780"},
                                               {"sec-fetch-site", "same-origin"}};
  for (const char* method : {"GET", "POST", "PATCH", "PUT", "DELETE"})
    EXPECT_TRUE(may_come_from(request(method, "/v1/networks", own))) << method;
}

TEST(GuardOrigin, OthersMayNot) {
  for (const char* origin :
       {"http://evil.example", "http://127.0.0.1:8080", "http://127.0.0.1", "http://localhost:7780",
        "null", "https://127.0.0.1:7780", "http://127.0.0.1:7780.evil.example", "127.0.0.1:7780"})
    for (const char* method : {"GET", "POST", "DELETE"})
      EXPECT_FALSE(may_come_from(request(method, "/session", {{"origin", origin}}))) << origin;
}

TEST(GuardOrigin, WhatChangesSomethingSaysWhereItComesFrom) {
  for (const char* method : {"POST", "PATCH", "PUT", "DELETE", "BREW"})
    EXPECT_FALSE(may_come_from(request(method, "/session"))) << method;
  EXPECT_TRUE(may_come_from(request("GET", "/session")));
}

TEST(GuardOrigin, WhatTheBrowserKnowsCountsToo) {
  for (const char* site : {"cross-site", "same-site", "anything"})
    EXPECT_FALSE(may_come_from(request("GET", "/v1/networks", {{"sec-fetch-site", site}}))) << site;
  EXPECT_TRUE(may_come_from(request("GET", "/v1/networks", {{"sec-fetch-site", "none"}})));
}

TEST(GuardOrigin, ALinkOfAnotherSiteOpensThePageAndNothingElse) {
  const std::map<std::string, std::string> link{{"sec-fetch-site", "cross-site"},
                                                {"sec-fetch-mode", "navigate"}};
  EXPECT_TRUE(may_come_from(request("GET", "/", link)));
  EXPECT_FALSE(may_come_from(request("GET", "/v1/networks", link)));
  EXPECT_FALSE(may_come_from(request("POST", "/", link)));
}

// ---- the token

Token token() { return *Token::parse(kToken); }

TEST(GuardToken, HasSixtyFourHexDigits) {
  EXPECT_TRUE(Token::parse(kToken));
  for (const std::string& text :
       {std::string(), kToken + "a", kToken.substr(1), std::string(64, 'x')})
    EXPECT_FALSE(Token::parse(text)) << text;
  EXPECT_TRUE(token().is(kToken));
  EXPECT_FALSE(token().is(""));
  EXPECT_FALSE(token().is(kToken.substr(0, 63) + "a"));
}

TEST(GuardToken, TakesBothOfItsHalves) {
  const std::string cookie = "fairlead-7780=" + kToken.substr(0, 32), key = kToken.substr(32);
  const auto signs = [](std::string cookies, std::string half) {
    return token().signs(
        request("GET", "/v1/networks",
                {{"cookie", std::move(cookies)}, {"x-fairlead-key", std::move(half)}}));
  };
  EXPECT_TRUE(signs(cookie, key));
  EXPECT_TRUE(signs("other=1; " + cookie + "; more=2", key));
  EXPECT_FALSE(signs(cookie, ""));
  EXPECT_FALSE(signs("", key));
  EXPECT_FALSE(signs(cookie, kToken.substr(0, 32)));
  EXPECT_FALSE(signs("fairlead-7780=" + key, key));
  EXPECT_FALSE(signs("x" + cookie, key));
  EXPECT_FALSE(signs("fairlead-7781=" + kToken.substr(0, 32), key));
  EXPECT_FALSE(token().signs(request("GET", "/v1/networks")));
}

TEST(GuardToken, TheCookieIsOfThePortThatTheBrowserSees) {
  EXPECT_EQ(token().cookie_for(request("POST", "/session")),
            "fairlead-7780=" + kToken.substr(0, 32) + "; Path=/; HttpOnly; SameSite=Strict");
  EXPECT_TRUE(token()
                  .cookie_for(request("POST", "/session", {{"host", "localhost:9001"}}))
                  .starts_with("fairlead-9001="));
  EXPECT_EQ(Token::no_cookie_for(request("DELETE", "/session")),
            "fairlead-7780=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
}

// ---- what may be asked for

TEST(GuardCall, ReadOnlyLetsNothingChange) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", ""})
    for (const char* path : {"/v1/reconcile", "/v1/volumes/data", "/v1/networks"})
      EXPECT_FALSE(check_call(request(method, path), Access::kReadOnly)) << method << " " << path;
  EXPECT_TRUE(check_call(request("GET", "/v1/networks"), Access::kReadOnly));
}

TEST(GuardCall, WritingLetsTheButtonsOfThePageDoTheirWork) {
  for (const auto& [method, path] : std::vector<std::pair<const char*, const char*>>{
           {"PATCH", "/v1/endpoints/shop/3f2a/ports"},
           {"POST", "/v1/volumes/data/snapshots"},
           {"DELETE", "/v1/volumes/data/snapshots/monday"},
           {"POST", "/v1/volumes/data/rollback"},
           {"DELETE", "/v1/volumes/data"},
           {"POST", "/v1/jobs/17/stop"},
           {"POST", "/v1/reconcile"}})
    EXPECT_TRUE(check_call(request(method, path), Access::kWrite)) << method << " " << path;
}

TEST(GuardCall, WritingLetsNothingElse) {
  for (const auto& [method, path] :
       std::vector<std::pair<const char*, const char*>>{{"POST", "/v1/endpoints"},
                                                        {"POST", "/v1/volumes"},
                                                        {"POST", "/v1/networks"},
                                                        {"DELETE", "/v1/networks/shop"},
                                                        {"POST", "/v1/cni"},
                                                        {"POST", "/v1/netavark"},
                                                        {"PUT", "/v1/endpoints/shop/3f2a/ports"},
                                                        {"POST", "/v1/volumes/data/mount"},
                                                        {"DELETE", "/v1/volumes/"},
                                                        {"DELETE", "/v1/volumes//snapshots/x"},
                                                        {"POST", "/v1/volumes/data/snapshots/"},
                                                        {"POST", "/v1/reconcile/"},
                                                        {"POST", "//v1/reconcile"},
                                                        {"post", "/v1/reconcile"}})
    EXPECT_FALSE(check_call(request(method, path), Access::kWrite)) << method << " " << path;
}

TEST(GuardCall, TheRefusalSaysHowToSwitchItOn) {
  EXPECT_THAT(check_call(request("POST", "/v1/reconcile"), Access::kReadOnly).error().text,
              HasSubstr("--ui-write"));
}

}  // namespace
}  // namespace fairlead::ui
