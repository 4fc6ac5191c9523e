#include "base/text.h"

#include <gtest/gtest.h>

namespace fairlead {
namespace {

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
  EXPECT_EQ(shown(std::string(65536, 'x')), std::string(160, 'x') + "... (65536 bytes)");
}

}  // namespace
}  // namespace fairlead
