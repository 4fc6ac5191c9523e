#include "plugin-api/cli/text.h"

#include <gtest/gtest.h>

#include "tests/plugin-api/native/samples.h"

namespace fairlead::cli {
namespace {

using fairlead::testing::ip;
using network::Proto;
using network::PublishedPort;

TEST(Printable, KeepsWordsOfAllLanguages) {
  EXPECT_EQ(printable("shop"), "shop");
  EXPECT_EQ(printable("caf\u00e9 \u5e97 \U0001F40B"), "caf\u00e9 \u5e97 \U0001F40B");
}

TEST(Printable, EscapesWhatWouldSteerATerminal) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("a\r\nb\x7f"), "a\\x0d\\x0ab\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "a C1 control";
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae") << "right-to-left override";
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("a\xff"), "a\\xff");
  EXPECT_EQ(printable("\xc3"), "\\xc3") << "cut off";
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
  EXPECT_EQ(printable("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
}

TEST(Shorten, CutsToColumnsNotBytes) {
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdefg", 6), "abc...");
  EXPECT_EQ(shorten("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", 6), "\u00e9\u00e9\u00e9...");
}

TEST(ShortId, IsForIdsOnly) {
  EXPECT_EQ(short_id(std::string(64, 'a')), "aaaaaaaaaaaa");
  EXPECT_EQ(short_id(std::string(32, '0')), "000000000000");
  EXPECT_EQ(short_id("a-container-with-a-long-name-of-its-own"),
            "a-container-with-a-long-name-of-its-own");
  EXPECT_EQ(short_id(std::string(64, 'x')), std::string(64, 'x'));
}

TEST(Ago, SpeaksAsPeopleDo) {
  constexpr long long kNow = 1'800'000'000;
  const auto after = [](long long seconds) { return ago(kNow - seconds, kNow); };
  EXPECT_EQ(after(0), "0 seconds ago");
  EXPECT_EQ(after(1), "1 second ago");
  EXPECT_EQ(after(59), "59 seconds ago");
  EXPECT_EQ(after(60), "1 minute ago");
  EXPECT_EQ(after(3600), "1 hour ago");
  EXPECT_EQ(after(47 * 3600), "47 hours ago");
  EXPECT_EQ(after(48 * 3600), "2 days ago");
  EXPECT_EQ(after(15 * 86400), "2 weeks ago");
  EXPECT_EQ(after(61 * 86400), "2 months ago");
  EXPECT_EQ(after(800 * 86400), "2 years ago");
  EXPECT_EQ(after(-5), "0 seconds ago") << "a clock that was set back";
  EXPECT_EQ(ago(0, kNow), "-");
}

TEST(Size, UsesTheUnitThatFits) {
  EXPECT_EQ(size_text(std::nullopt), "-");
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1 KiB");
  EXPECT_EQ(size_text(3ULL << 29), "1.5 GiB");
  EXPECT_EQ(size_text(UINT64_MAX), "16 EiB");
}

TEST(Ports, LookAsDockersDo) {
  EXPECT_EQ(ports_text({}), "");
  EXPECT_EQ(ports_text({{Proto::kTcp, ip("0.0.0.0"), 8080, 80}}), "0.0.0.0:8080->80/tcp");
  EXPECT_EQ(ports_text({{Proto::kTcp, std::nullopt, 8080, 80}}),
            "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
  EXPECT_EQ(ports_text({{Proto::kUdp, ip("::1"), 53, 53}}), "[::1]:53->53/udp");
}

TEST(Ports, OnEveryAddressAreShownInTheFamiliesOfTheContainer) {
  const PublishedPort any{Proto::kTcp, std::nullopt, 8080, 80};
  const std::vector<IpAddress> v4{ip("10.0.0.2")}, v6{ip("fd00::2")},
      both{ip("10.0.0.2"), ip("fd00::2")};
  EXPECT_EQ(ports_text({any}, families_of(v4)), "0.0.0.0:8080->80/tcp");
  EXPECT_EQ(ports_text({any}, families_of(v6)), "[::]:8080->80/tcp");
  EXPECT_EQ(ports_text({any}, families_of(both)), "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
  EXPECT_EQ(ports_text({any}, families_of(std::vector<IpAddress>{})), "0.0.0.0:8080->80/tcp");
}

TEST(Ports, JoinNeighbours) {
  const auto any = ip("0.0.0.0");
  EXPECT_EQ(ports_text({{Proto::kTcp, any, 8001, 81},
                        {Proto::kTcp, any, 8000, 80},
                        {Proto::kTcp, any, 8002, 82},
                        {Proto::kTcp, any, 8003, 90}}),
            "0.0.0.0:8000-8002->80-82/tcp, 0.0.0.0:8003->90/tcp");
  EXPECT_EQ(ports_text({{Proto::kTcp, any, 53, 53}, {Proto::kUdp, any, 54, 54}}),
            "0.0.0.0:53->53/tcp, 0.0.0.0:54->54/udp");
}

TEST(Ports, RangesAreShownAsRanges) {
  const auto any = ip("0.0.0.0");
  EXPECT_EQ(ports_text({{Proto::kTcp, any, 7000, 7000, 16999}, {Proto::kTcp, any, 17000, 17000}}),
            "0.0.0.0:7000-17000->7000-17000/tcp");
  EXPECT_EQ(ports_text({{Proto::kTcp, any, 7000, 8000, 7007}, {Proto::kTcp, any, 7008, 9000}}),
            "0.0.0.0:7000-7007->8000-8007/tcp, 0.0.0.0:7008->9000/tcp");
}

}  // namespace
}  // namespace fairlead::cli
