#include "plugin-api/cli/progress_bar.h"

#include <gtest/gtest.h>

#include <sstream>

#include "plugin-api/cli/text.h"

namespace fairlead::cli {
namespace {

constexpr std::uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

TEST(ProgressLine, SaysPartBytesRateAndTimeLeft) {
  EXPECT_EQ(progress_line("export data", {kGiB, 4 * kGiB, 256.0 * kMiB}, 100),
            "export data    25 % [=======>                      ] 1 GiB of 4 GiB   256 MiB/s   12s "
            "left");
}

TEST(ProgressLine, GivesTheBarAwayFirstWhenThereIsNoRoom) {
  EXPECT_EQ(progress_line("export data", {kGiB, 4 * kGiB, 256.0 * kMiB}, 60),
            "export data    25 % 1 GiB of 4 GiB   256 MiB/s   12s left");
  for (unsigned width = 1; width < 100; ++width)
    EXPECT_LE(display_width(progress_line("export data", {1, 3, 1e9}, width)), std::max(width, 3U));
}

TEST(ProgressLine, WithoutATotalCountsBytes) {
  EXPECT_EQ(progress_line("import data", {kGiB, 0, 2.0 * kMiB}, 80),
            "import data   1 GiB   2 MiB/s");
}

TEST(ProgressLine, OfMoreThanWasExpectedIsAHundredPercent) {
  EXPECT_EQ(progress_line("x", {5, 4, 0}, 30), "x   100 % [=======] 5 B of 4 B");
}

TEST(TimeLeft, IsRoundedToWhatPeopleRead) {
  EXPECT_EQ(time_left(0.2), "1s");
  EXPECT_EQ(time_left(65), "1m 05s");
  EXPECT_EQ(time_left(7800), "2h 10m");
  EXPECT_EQ(time_left(100 * 3600), "4d 4h");
}

class Bar : public ::testing::Test {
 protected:
  std::ostringstream out_;
  double now_ = 0;
  ProgressBar bar_{"copy", out_, 81, [this] { return now_; }};

  std::string drawn() {
    std::string text = out_.str();
    out_.str("");
    return text;
  }
};

TEST_F(Bar, IsDrawnAtMostTenTimesASecond) {
  bar_.show(0, 100);
  EXPECT_NE(drawn(), "");
  now_ = 0.05;
  bar_.show(50, 100);
  EXPECT_EQ(drawn(), "");
}

TEST_F(Bar, TakesItsLineAway) {
  bar_.show(0, 100);
  drawn();
  bar_.clear();
  EXPECT_EQ(drawn(), "\r\x1b[K");
  bar_.clear();
  EXPECT_EQ(drawn(), "");
}

// A verb that goes on where an earlier one stopped begins with much done already.
TEST_F(Bar, CountsNoRateForWhatWasDoneBefore) {
  bar_.show(100 * kMiB, 200 * kMiB);
  EXPECT_EQ(drawn().find("/s"), std::string::npos);
  now_ = 1;
  bar_.show(110 * kMiB, 200 * kMiB);
  EXPECT_NE(drawn().find("10 MiB/s   9s left"), std::string::npos);
}

}  // namespace
}  // namespace fairlead::cli
