#include "base/options/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead {
namespace {

using std::chrono::seconds;

TEST(Bool, HasTheSameWordsEverywhereInAnyCase) {
  for (const char* yes : {"true", "TRUE", "True", "t", "T", "yes", "Yes", "on", "ON", "1"}) {
    ASSERT_TRUE(parse_bool(yes)) << yes;
    EXPECT_TRUE(*parse_bool(yes)) << yes;
  }
  for (const char* no : {"false", "FALSE", "False", "f", "F", "no", "NO", "off", "Off", "0"}) {
    ASSERT_TRUE(parse_bool(no)) << no;
    EXPECT_FALSE(*parse_bool(no)) << no;
  }
}

TEST(Bool, RefusesWhatIsNone) {
  for (const char* text : {"", "2", "01", "y", "n", "truee", "o", "enabled", " true", "true "})
    EXPECT_FALSE(parse_bool(text)) << text;
  EXPECT_EQ(parse_bool("maybe").error().text,
            "\"maybe\" is neither true (yes, on, 1) nor false (no, off, 0)");
}

TEST(Size, ReadsWhatDockerReads) {
  EXPECT_EQ(parse_size("0").value(), 0U);
  EXPECT_EQ(parse_size("4096").value(), 4096U);
  EXPECT_EQ(parse_size("32kb").value(), 32U << 10);
  EXPECT_EQ(parse_size("512m").value(), 512ULL << 20);
  EXPECT_EQ(parse_size("512M").value(), 512ULL << 20);
  EXPECT_EQ(parse_size("10GiB").value(), 10ULL << 30);
  EXPECT_EQ(parse_size("10 g").value(), 10ULL << 30);
  EXPECT_EQ(parse_size("1.5t").value(), 3ULL << 39);
  EXPECT_EQ(parse_size("0.5k").value(), 512U);
}

TEST(Size, RefusesWhatIsNone) {
  for (const char* text : {"", "g", "-1", "1x", "1gg", "1g1", "1.5", ".5g", "1..5g", "10gibb",
                           "1,5g", " 1g", "99999999999999999999", "9000000p", "1.0000000001g"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Size, IsWrittenInTheLargestExactUnit) {
  EXPECT_EQ(format_size(512ULL << 20), "512m");
  EXPECT_EQ(format_size(1536), "1536");
  EXPECT_EQ(format_size(3ULL << 39), "1536g");
  EXPECT_EQ(rough_size(0), "0 B");
  EXPECT_EQ(rough_size(704241664), "671.6 MiB");
  EXPECT_EQ(rough_size((1ULL << 30) - 1), "1 GiB");
  EXPECT_EQ(rough_size(~0ULL), "16 EiB");
  for (const std::uint64_t bytes : {0ULL, 1ULL, 1024ULL, 1025ULL, 1ULL << 60})
    EXPECT_EQ(parse_size(format_size(bytes)).value(), bytes);
}

TEST(Size, ReachesTheLargestOffset) {
  EXPECT_EQ(parse_size("9223372036854775807").value(), INT64_MAX);
  EXPECT_FALSE(parse_size("9223372036854775808"));
  EXPECT_EQ(parse_size("8191p").value(), 8191ULL << 50);
  EXPECT_EQ(parse_size("8192p").error().text, "\"8192p\" is too large for a size");
}

TEST(Rate, HasTheGrammarOfSizesInPowersOfThousand) {
  EXPECT_EQ(parse_rate("0").value(), 0U);
  EXPECT_EQ(parse_rate("1000000").value(), 1'000'000U);
  EXPECT_EQ(parse_rate("64k").value(), 64'000U);
  EXPECT_EQ(parse_rate("64K").value(), 64'000U);
  EXPECT_EQ(parse_rate("100mbit").value(), 100'000'000U);
  EXPECT_EQ(parse_rate("100Mbit").value(), 100'000'000U);
  EXPECT_EQ(parse_rate("9600bit").value(), 9600U);
  EXPECT_EQ(parse_rate("2.5g").value(), 2'500'000'000U);
  EXPECT_EQ(parse_rate("1tbit").value(), 1'000'000'000'000U);
  EXPECT_EQ(parse_rate("1mibit").value(), 1U << 20);
  EXPECT_EQ(parse_rate("18446744073709551615").value(), UINT64_MAX);
}

// "b" would be bytes to some and bits to others.
TEST(Rate, RefusesWhatIsNone) {
  for (const char* text : {"", "m", "-1", "10b", "10mb", "10mbits", "10bps", "18446744073709551616",
                           "18446744073709552k"})
    EXPECT_FALSE(parse_rate(text)) << text;
  EXPECT_THAT(parse_rate("fast").error().text,
              ::testing::HasSubstr("\"fast\" is not a rate in bits per second"));
}

TEST(Duration, ReadsSumsOfUnits) {
  EXPECT_EQ(parse_duration("0").value(), seconds(0));
  EXPECT_EQ(parse_duration("90s").value(), seconds(90));
  EXPECT_EQ(parse_duration("1h30m").value(), seconds(5400));
  EXPECT_EQ(parse_duration("2w").value(), seconds(14 * 86400));
  EXPECT_EQ(parse_duration("100y").value(), seconds(100LL * 365 * 86400));
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "1", "h", "1h30", "-1h", "1.5h", "101y", "100y1s",
                           "99999999999999999999s", "18446744073709551615d"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Duration, IsWrittenInTheLargestExactUnit) {
  EXPECT_EQ(format_duration(seconds(0)), "0");
  EXPECT_EQ(format_duration(seconds(5400)), "90m");
  EXPECT_EQ(format_duration(seconds(86400)), "1d");
}

}  // namespace
}  // namespace fairlead
