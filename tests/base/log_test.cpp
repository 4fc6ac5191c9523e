#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class LogTest : public ::testing::Test {
 protected:
  void TearDown() override { log::configure(log::Level::kWarn, log::Format::kText); }

  template <class Write>
  static std::string written(Write write) {
    ::testing::internal::CaptureStderr();
    write();
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, ALineIsTimeLevelEventAndFields) {
  const auto line = written([] {
    log::warn("network.created", {{"name", "shop"}, {"mtu", 1500}});
  });
  EXPECT_THAT(
      line, MatchesRegex("....-..-..T..:..:..\\....Z warn  network.created name=shop mtu=1500\n"));
}

TEST_F(LogTest, SaysNothingBelowItsThreshold) {
  EXPECT_EQ(written([] { log::info("x"); }), "");
  EXPECT_EQ(written([] { log::debug("x"); }), "");
  EXPECT_NE(written([] { log::error("x"); }), "");
  log::configure(log::Level::kDebug, log::Format::kText);
  EXPECT_NE(written([] { log::debug("x"); }), "");
}

TEST_F(LogTest, NothingGoesToStdout) {
  ::testing::internal::CaptureStdout();
  written([] { log::error("x"); });
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
}

TEST_F(LogTest, ValuesThatWouldBeAmbiguousAreQuoted) {
  const auto line = written([] {
    log::warn(
        "x",
        {{"space", "a b"}, {"quote", "a\"b"}, {"equals", "a=b"}, {"empty", ""}, {"plain", "a\\b"}});
  });
  EXPECT_THAT(line,
              EndsWith("x space=\"a b\" quote=\"a\\\"b\" equals=\"a=b\" empty=\"\" plain=a\\b\n"));
}

TEST_F(LogTest, AValueCannotForgeALineOrDriveATerminal) {
  const auto line = written([] { log::warn("x", {{"v", "a\n2026 error fake\x1b[2J\x7f"}}); });
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_THAT(line, HasSubstr("v=\"a\\n2026 error fake\\u001b[2J\\u007f\""));
}

TEST_F(LogTest, JsonLinesAreJson) {
  log::configure(log::Level::kWarn, log::Format::kJson);
  const auto line = written([] { log::warn("net\"x", {{"name", "a\n\"b\\"}, {"count", 3}}); });
  EXPECT_THAT(line, MatchesRegex("\\{\"time\":\".*\",\"level\":\"warn\",.*\\}\n"));
  EXPECT_THAT(line,
              EndsWith("\"event\":\"net\\\"x\",\"name\":\"a\\n\\\"b\\\\\",\"count\":\"3\"}\n"));
}

}  // namespace
}  // namespace fairlead
