#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

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

TEST_F(LogTest, AnEventCannotForgeALineEither) {
  const auto line = written([] { log::warn("attached a\n2026 error fake\x1b[2J"); });
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_THAT(line, HasSubstr("attached a\\u000a2026 error fake\\u001b[2J"));
}

class FoldedLog : public LogTest {
 protected:
  FoldedLog() { log::fold_repeated(std::chrono::hours(1)); }
  ~FoldedLog() override {
    log::tell_repeated(log::Repeated::kAll);
    log::fold_repeated(std::chrono::milliseconds(0));
  }
};

TEST_F(FoldedLog, WhatRepeatsIsCounted) {
  const auto text = written([] {
    for (int i = 0; i < 313; ++i) {
      log::warn("x", {{"a", 1}});
      log::warn("y");  // what comes in turns as well
    }
    log::warn("x", {{"a", 2}});
    log::tell_repeated();  // nothing is over yet
    log::tell_repeated(log::Repeated::kAll);
  });
  EXPECT_EQ(std::ranges::count(text, '\n'), 5) << text;
  EXPECT_THAT(text, HasSubstr("warn  x (repeated 312 times) a=1\n"));
  EXPECT_THAT(text, HasSubstr("warn  y (repeated 312 times)\n"));
}

TEST_F(FoldedLog, TheCountComesInJsonToo) {
  log::configure(log::Level::kWarn, log::Format::kJson);
  const auto text = written([] {
    log::warn("x", {{"a", 1}});
    log::warn("x", {{"a", 1}});
    log::tell_repeated(log::Repeated::kAll);
  });
  EXPECT_THAT(text, HasSubstr(R"-("event":"x (repeated 1 time)","a":"1"})-"));
}

TEST_F(FoldedLog, NoCountIsLostWhenManyLinesComeBetween) {
  const auto text = written([] {
    log::warn("x");
    log::warn("x");
    for (int i = 0; i < 100; ++i) log::warn("other", {{"i", i}});
    log::warn("x");
  });
  EXPECT_EQ(std::ranges::count(text, '\n'), 103) << text;
  EXPECT_THAT(text, HasSubstr("x (repeated 1 time)"));
}

TEST_F(FoldedLog, AfterTheWindowALineIsWrittenAgain) {
  log::fold_repeated(std::chrono::milliseconds(1));
  const auto text = written([] {
    log::warn("x");
    log::warn("x");
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
    while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
    log::warn("x");
  });
  EXPECT_GE(std::ranges::count(text, '\n'), 2) << text;
}

TEST_F(LogTest, NothingIsFoldedUnlessAskedFor) {
  const auto text = written([] {
    log::warn("x");
    log::warn("x");
  });
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
}

}  // namespace
}  // namespace fairlead
