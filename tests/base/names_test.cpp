#include "base/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead {
namespace {

using std::string_literals::operator""s;

TEST(NetworkName, AcceptsWhatDockerAccepts) {
  for (const auto& good : {"a"s, "shop"s, "Shop_1.x-y"s, "0"s, std::string(128, 'n')})
    EXPECT_EQ(NetworkName::parse(good).value().str(), good);
}

TEST(NetworkName, RefusesWhatCouldBeAPathAnOptionOrATerminalTrick) {
  for (const auto& bad : {""s, "-x"s, "."s, ".."s, "_x"s, "a/b"s, "a b"s, "a\0b"s, "a\x1b[2J"s,
                          "h\xc3\xa9"s, std::string(129, 'n')})
    EXPECT_FALSE(NetworkName::parse(bad)) << bad;
}

TEST(NetworkName, ABadNameIsShownMaskedAndCut) {
  const auto error = NetworkName::parse("\x1b[2J" + std::string(1000, 'x')).error();
  EXPECT_EQ(error.text.find('\x1b'), std::string::npos);
  EXPECT_LT(error.text.size(), 250U);
  EXPECT_EQ(error.code, Code::kInvalid);
}

TEST(VolumeName, HasAtLeastTwoCharactersAsDockers) {
  EXPECT_FALSE(VolumeName::parse("a"));
  EXPECT_TRUE(VolumeName::parse("ab"));
}

TEST(ContainerId, MayBeLonger) {
  EXPECT_TRUE(ContainerId::parse(std::string(255, 'c')));
  EXPECT_FALSE(ContainerId::parse(std::string(256, 'c')));
  EXPECT_FALSE(ContainerId::parse(""));
}

TEST(IfName, IsWhatTheKernelAndFirewallsTake) {
  for (const auto& good : {"eth0"s, "fl-12ab34cd56ef"s, "a.100"s, "0"s, "..."s, "a@b"s, "_x"s,
                           "ALL"s, "all0"s, "default1"s})
    EXPECT_TRUE(IfName::parse(good)) << good;
  for (const auto& bad :
       {""s, "."s, ".."s, "a/b"s, "a:1"s, "a b"s, "a\tb"s, "a\nb"s, "sixteen-letters-"s, "a\0"s})
    EXPECT_FALSE(IfName::parse(bad)) << bad;
}

// Each would end the name in the text of a rule, widen it to other interfaces, or be another file
// of /proc/sys.
TEST(IfName, IsNotWhatHasAMeaningElsewhere) {
  for (const char c : "\"*+%\\,;{}'`$!#&|<>()[]^?\x7f"s) {
    const std::string inside = fmt::format("up{}0", c), behind = fmt::format("up{}", c);
    EXPECT_FALSE(IfName::parse(inside)) << inside;
    EXPECT_FALSE(IfName::parse(behind)) << behind;
  }
  for (const auto& bad : {"all"s, "default"s, "-i"s, "br\xc3\xa4"s, "br\xff"s, "br\r"s, "br\v"s})
    EXPECT_FALSE(IfName::parse(bad)) << bad;
  EXPECT_THAT(IfName::parse("up+").error().text, testing::HasSubstr("\"up+\""));
}

TEST(Names, OfNothingAreEmptyAndCompareByText) {
  EXPECT_TRUE(NetworkName().empty());
  EXPECT_EQ(NetworkName::parse("a").value(), NetworkName::parse("a").value());
  EXPECT_LT(NetworkName::parse("a").value(), NetworkName::parse("b").value());
}

}  // namespace
}  // namespace fairlead
