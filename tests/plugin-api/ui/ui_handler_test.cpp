#include "plugin-api/ui/ui_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/json/json.h"
#include "plugin-api/ui/page_files.h"

namespace fairlead::ui {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kToken = std::string(32, 'a') + std::string(32, 'b');

class UiHandler : public ::testing::Test {
 protected:
  http::Response ask(std::string method, std::string path, std::string body = "") {
    std::map<std::string, std::string> headers{{"host", "127.0.0.1:7780"}};
    if (method != "GET") headers["origin"] = "http://127.0.0.1:7780";
    if (signed_in_) {
      headers["cookie"] = "fairlead-7780=" + kToken.substr(0, 32);
      headers["x-fairlead-key"] = kToken.substr(32);
    }
    return ask({.method = std::move(method),
                .path = std::move(path),
                .query = {},
                .headers = std::move(headers),
                .body = std::move(body),
                .peer = {}});
  }

  http::Response ask(const http::Request& request) {
    const auto handler = make_ui_handler(
        {.token = *Token::parse(kToken), .access = access_, .host = "node1", .version = "1.2.3"},
        [this](const http::Request& passed) {
          asked_.push_back(passed);
          return http::Response{.status = 200, .body = R"({"from":"the API"})", .headers = {}};
        });
    return handler(request);
  }

  bool signed_in_ = true;
  Access access_ = Access::kReadOnly;
  std::vector<http::Request> asked_;  // what got to the API
};

TEST_F(UiHandler, ThePageIsForEverybodyAndHoldsNoSecret) {
  signed_in_ = false;
  const http::Response page = ask("GET", "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("<title>Fairlead</title>"));
  EXPECT_THAT(page.body, Not(HasSubstr("node1")));
  for (const PageFile& file : page_files()) {
    EXPECT_EQ(ask("GET", std::string(file.path)).body, file.text) << file.path;
    EXPECT_FALSE(file.text.empty()) << file.path;
    EXPECT_FALSE(file.content_type.empty()) << file.path;
  }
}

TEST_F(UiHandler, EveryAnswerForbidsWhatThePageDoesNotNeed) {
  for (const char* path : {"/", "/app.js", "/session", "/v1/networks", "/nowhere"})
    for (const bool signed_in : {false, true}) {
      signed_in_ = signed_in;
      const auto headers = ask("GET", path).headers;
      ASSERT_TRUE(headers.contains("Content-Security-Policy")) << path;
      const std::string policy = headers.at("Content-Security-Policy");
      EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
      EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
      EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
      EXPECT_EQ(headers.at("X-Frame-Options"), "DENY");
      EXPECT_EQ(headers.at("X-Content-Type-Options"), "nosniff");
      EXPECT_EQ(headers.at("Cache-Control"), "no-store");
      EXPECT_FALSE(headers.contains("Access-Control-Allow-Origin"));
    }
}

TEST_F(UiHandler, ThePageLoadsNothingFromElsewhereAndHasNothingInline) {
  for (const PageFile& file : page_files()) {
    const std::string text(file.text);
    EXPECT_THAT(text, Not(HasSubstr("https://"))) << file.path;
    EXPECT_THAT(text, Not(HasSubstr("innerHTML"))) << file.path;
    EXPECT_THAT(text, Not(HasSubstr("eval("))) << file.path;
    EXPECT_THAT(text, Not(HasSubstr("<script>"))) << file.path;
    EXPECT_THAT(text, Not(HasSubstr("<style"))) << file.path;
    EXPECT_THAT(text, Not(HasSubstr(" style=\""))) << file.path;
  }
}

TEST_F(UiHandler, WithoutTheTokenTheApiIsNotAsked) {
  signed_in_ = false;
  const http::Response refused = ask("GET", "/v1/networks");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.content_type, "application/problem+json");
  EXPECT_THAT(refused.body, HasSubstr("fairlead ui"));
  EXPECT_EQ(ask("DELETE", "/v1/volumes/data").status, 401);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(UiHandler, WithTheTokenTheApiAnswers) {
  http::Request request{.method = "GET",
                        .path = "/v1/leases",
                        .query = {{"network", "shop"}},
                        .headers = {{"host", "localhost:7780"},
                                    {"cookie", "fairlead-7780=" + kToken.substr(0, 32)},
                                    {"x-fairlead-key", kToken.substr(32)},
                                    {"x-fairlead-state-dir", "/elsewhere"}},
                        .body = {},
                        .peer = {}};
  EXPECT_EQ(ask(request).body, R"({"from":"the API"})");
  ASSERT_EQ(asked_.size(), 1U);
  EXPECT_EQ(asked_[0].path, "/v1/leases");
  EXPECT_EQ(asked_[0].query, request.query);
  EXPECT_TRUE(asked_[0].headers.empty());
}

TEST_F(UiHandler, ReadOnlyPassesOnlyWhatReads) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"})
    EXPECT_EQ(ask(method, "/v1/volumes/data").status, 403) << method;
  EXPECT_TRUE(asked_.empty());
  access_ = Access::kWrite;
  EXPECT_EQ(ask("DELETE", "/v1/volumes/data").status, 200);
  EXPECT_EQ(ask("POST", "/v1/volumes").status, 403);
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(UiHandler, AnotherNameOrAnotherPageIsRefusedBeforeAnythingElse) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"host", "evil.example:7780"}, {"origin", "http://evil.example"}}) {
    http::Request request{.method = "GET",
                          .path = "/v1/networks",
                          .query = {},
                          .headers = {{"host", "127.0.0.1:7780"},
                                      {"cookie", "fairlead-7780=" + kToken.substr(0, 32)},
                                      {"x-fairlead-key", kToken.substr(32)}},
                          .body = {},
                          .peer = {}};
    EXPECT_EQ(ask(request).status, 200);
    request.headers[name] = value;
    EXPECT_EQ(ask(request).status, 403) << name;
    request.path = "/";
    EXPECT_EQ(ask(request).status, 403) << name;
  }
  EXPECT_EQ(asked_.size(), 2U);
}

TEST_F(UiHandler, SignsInWithTheToken) {
  signed_in_ = false;
  const http::Response answer = ask("POST", "/session", R"({"token":")" + kToken + R"("})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.headers.at("Set-Cookie"), HasSubstr("HttpOnly; SameSite=Strict"));
  EXPECT_THAT(answer.headers.at("Set-Cookie"), Not(HasSubstr(kToken.substr(32))));
  EXPECT_EQ(
      answer.body,
      R"({"signed_in":true,"write":false,"host":"node1","version":"1.2.3","cluster":false,"doctor":false})");
  EXPECT_EQ(ask("GET", "/session").body, R"({"signed_in":false})");
  signed_in_ = true;
  EXPECT_EQ(ask("GET", "/session").body, answer.body);
}

TEST_F(UiHandler, RefusesAnotherToken) {
  signed_in_ = false;
  for (const char* body :
       {"", "{}", "[]", "{", R"({"token":7})", R"({"token":""})", R"({"token":"aa"})"}) {
    const http::Response refused = ask("POST", "/session", body);
    EXPECT_TRUE(refused.status == 400 || refused.status == 401) << body;
    EXPECT_FALSE(refused.headers.contains("Set-Cookie")) << body;
  }
  EXPECT_EQ(ask("POST", "/session", R"({"token":")" + std::string(64, 'c') + R"("})").status, 401);
}

TEST_F(UiHandler, SignsOut) {
  const http::Response answer = ask("DELETE", "/session");
  EXPECT_EQ(answer.body, R"({"signed_in":false})");
  EXPECT_THAT(answer.headers.at("Set-Cookie"), HasSubstr("Max-Age=0"));
  EXPECT_EQ(ask("PUT", "/session").status, 405);
}

TEST_F(UiHandler, WhatIsNotThereIsNotFound) {
  for (const char* path : {"/index.html", "/v1", "/v2/networks", "/../etc/passwd", "/page/app.js",
                           "", "*", "/app.js/", "//app.js"})
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  EXPECT_EQ(ask("POST", "/").status, 405);
  EXPECT_TRUE(asked_.empty());
}

// Requests put together at random from what matters: the API is asked only by who has signed in, came
// from here, and may.
TEST_F(UiHandler, NoRequestGetsPastItsGuards) {
  std::mt19937 random(15);
  const auto one_of = [&](std::initializer_list<std::string> texts) {
    return texts.begin()[random() % texts.size()];
  };
  const std::string cookie = "fairlead-7780=" + kToken.substr(0, 32);
  int passed = 0;
  for (int round = 0; round < 2'000; ++round) {
    access_ = random() % 2 == 0 ? Access::kReadOnly : Access::kWrite;
    const http::Request request{
        .method = one_of({"GET", "HEAD", "POST", "DELETE", "PATCH", "get", ""}),
        .path = one_of({"/", "/session", "/v1/networks", "/v1/volumes/data", "/v1/reconcile",
                        "/v1/", "/v1", "/V1/reconcile", "/v1/../session", "/v1/cni",
                        std::string("/v1/\0x", 6)}),
        .query = {},
        .headers = {{"host", one_of({"127.0.0.1:7780", "[::1]:7780", "evil.example", ""})},
                    {"origin",
                     one_of({"", "http://127.0.0.1:7780", "http://evil.example", "null"})},
                    {"sec-fetch-site", one_of({"", "same-origin", "cross-site"})},
                    {"sec-fetch-mode", one_of({"", "navigate", "cors"})},
                    {"cookie", one_of({"", cookie, cookie, "=;" + cookie,
                                       "fairlead-7780=" + kToken.substr(32)})},
                    {"x-fairlead-key", one_of({"", kToken.substr(32), kToken.substr(32), kToken})}},
        .body = one_of({"", "{}", "\xff", R"({"token":null})"}),
        .peer = {}};
    asked_.clear();
    const http::Response response = ask(request);
    EXPECT_TRUE(json::parse(response.body) || response.status == 200);
    if (asked_.empty()) continue;
    ++passed;
    EXPECT_TRUE(check_source(request, Reach::kLoopback));
    EXPECT_TRUE(Token::parse(kToken)->signs(request));
    EXPECT_NE(request.headers.at("host"), "evil.example");
    EXPECT_NE(request.headers.at("sec-fetch-site"), "cross-site");
    EXPECT_TRUE(request.method == "GET" || request.method == "HEAD" || access_ == Access::kWrite);
    EXPECT_NE(request.method + request.path, "POST/v1/cni");
  }
  EXPECT_GT(passed, 0);
}

}  // namespace
}  // namespace fairlead::ui
