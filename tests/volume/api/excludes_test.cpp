// What is left out of archives on request: patterns as in .gitignore.
#include "volume/api/excludes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using Patterns = std::vector<std::string>;

bool is_out(const Patterns& patterns, std::string_view path, bool is_folder = false) {
  const Excludes excludes{.patterns = patterns};
  EXPECT_TRUE(check_excludes(excludes));
  return is_excluded(excludes, path, is_folder);
}

TEST(Excludes, ANameFitsAtAnyDepth) {
  EXPECT_TRUE(is_out({"*.tmp"}, "x.tmp"));
  EXPECT_TRUE(is_out({"*.tmp"}, "a/b/x.tmp"));
  EXPECT_TRUE(is_out({"*.tmp"}, "a/.tmp"));
  EXPECT_FALSE(is_out({"*.tmp"}, "a.tmp/x"));  // its folder is, and nobody asks for what is in it
  EXPECT_FALSE(is_out({"*.tmp"}, "x.tmpl"));
}

TEST(Excludes, ASlashTiesThePatternToTheTop) {
  EXPECT_TRUE(is_out({"/cache"}, "cache"));
  EXPECT_FALSE(is_out({"/cache"}, "a/cache"));
  EXPECT_TRUE(is_out({"a/b"}, "a/b"));
  EXPECT_FALSE(is_out({"a/b"}, "x/a/b"));
  EXPECT_FALSE(is_out({"a/*"}, "a/b/c"));
  EXPECT_TRUE(is_out({"a/*"}, "a/b"));
}

TEST(Excludes, ASlashAtTheEndMeansFolders) {
  EXPECT_TRUE(is_out({"logs/"}, "a/logs", true));
  EXPECT_FALSE(is_out({"logs/"}, "a/logs", false));
}

TEST(Excludes, TwoStarsAreAnyFolders) {
  EXPECT_TRUE(is_out({"**/x"}, "x"));
  EXPECT_TRUE(is_out({"**/x"}, "a/b/x"));
  EXPECT_TRUE(is_out({"a/**/x"}, "a/x"));
  EXPECT_TRUE(is_out({"a/**/x"}, "a/b/c/x"));
  EXPECT_TRUE(is_out({"a/**"}, "a/b/c"));
  EXPECT_FALSE(is_out({"a/**"}, "a", true));
  EXPECT_TRUE(is_out({"a/**/b/**/x"}, "a/b/b/c/x"));
  EXPECT_FALSE(is_out({"a/**/b/**/x"}, "a/c/x"));
}

TEST(Excludes, OneOfASet) {
  EXPECT_TRUE(is_out({"[abc]?"}, "b1"));
  EXPECT_FALSE(is_out({"[!a-c]x"}, "bx"));
  EXPECT_TRUE(is_out({"[^a-c]x"}, "dx"));
  EXPECT_TRUE(is_out({"[]]"}, "]"));
  EXPECT_TRUE(is_out({"[a-]"}, "-"));
  EXPECT_FALSE(is_out({"?"}, ""));
}

TEST(Excludes, ABackslashTakesTheMeaningAway) {
  EXPECT_TRUE(is_out({R"(\*.tmp)"}, "*.tmp"));
  EXPECT_FALSE(is_out({R"(\*.tmp)"}, "x.tmp"));
  EXPECT_TRUE(is_out({R"(\!keep)"}, "!keep"));
}

TEST(Excludes, TheLastPatternThatFitsDecides) {
  const Patterns patterns{"*.log", "!keep.log"};
  EXPECT_TRUE(is_out(patterns, "a/x.log"));
  EXPECT_FALSE(is_out(patterns, "a/keep.log"));
  EXPECT_TRUE(is_out({"!keep.log", "*.log"}, "keep.log"));
}

TEST(Excludes, ManyStarsEnd) {
  const std::string many(500, 'a');
  std::string glob;
  for (int k = 0; k < 200; ++k) glob += "a*";
  EXPECT_FALSE(is_out({glob + "b"}, many));
  EXPECT_TRUE(is_out({glob}, many));
}

TEST(Excludes, WhatIsNoPatternIsRefused) {
  for (const char* wrong : {"", "!", "/", "a//b", "../x", "a/./b", "[abc", "x\\"}) {
    const auto checked = check_excludes({.patterns = {wrong}});
    ASSERT_FALSE(checked) << wrong;
    EXPECT_EQ(checked.error().code, Code::kInvalid);
    EXPECT_THAT(checked.error().text, HasSubstr("is not a pattern")) << wrong;
  }
  EXPECT_FALSE(check_excludes({.patterns = {std::string(5000, 'a')}}));
  for (const char* wrong : {"", "a/b", "..", "."})
    EXPECT_FALSE(check_excludes({.if_present = {wrong}})) << wrong;
}

TEST(Excludes, OneTextHoldsThemAll) {
  const Excludes all{.patterns = {"*.tmp", "a,b", "@odd", R"(\*x)", "!keep"},
                     .if_present = {".nobackup", "with,comma"},
                     .caches = true};
  const auto again = parse_excludes(format_excludes(all));
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(*again, all);
  EXPECT_EQ(format_excludes({.patterns = {"*.tmp", "logs/"}, .caches = true}),
            "*.tmp,logs/,@caches");
  EXPECT_EQ(parse_excludes("*.tmp,@if-present:.nobackup,@caches").value(),
            (Excludes{.patterns = {"*.tmp"}, .if_present = {".nobackup"}, .caches = true}));
  EXPECT_THAT(parse_excludes("@cache").error().text, HasSubstr("@caches"));
  EXPECT_FALSE(parse_excludes("a,,b"));
}

}  // namespace
}  // namespace fairlead::volume
