#include "volume/api/text.h"

#include <gtest/gtest.h>

namespace fairlead::volume {
namespace {

using std::chrono::seconds;

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
  for (const std::uint64_t bytes : {0ULL, 1ULL, 1024ULL, 1025ULL, 1ULL << 60})
    EXPECT_EQ(parse_size(format_size(bytes)).value(), bytes);
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

TEST(PlainText, IsUtf8WithoutControlCharacters) {
  EXPECT_TRUE(is_plain_text(""));
  EXPECT_TRUE(is_plain_text("größe ☃ 😀"));
  for (const std::string_view text :
       {std::string_view("a\0b", 3), std::string_view("a\nb"), std::string_view("\x7f"),
        std::string_view("\xff"), std::string_view("\xc0\xaf"), std::string_view("\xe0\x80\xaf"),
        std::string_view("\xed\xa0\x80"), std::string_view("\xf4\x90\x80\x80"),
        std::string_view("\xe2\x98")})
    EXPECT_FALSE(is_plain_text(text)) << testing::PrintToString(text);
}

TEST(Shown, MasksAndCuts) {
  EXPECT_EQ(shown("a\x1b[31m"), "a?[31m");
  EXPECT_EQ(shown(std::string(65536, 'x')), std::string(64, 'x') + "... (65536 bytes)");
}

}  // namespace
}  // namespace fairlead::volume
