#include "base/base64.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace fairlead {
namespace {

TEST(Base64, IsTheStandardOneWithPadding) {
  const std::vector<std::pair<std::string, std::string>> known{{"", ""},
                                                               {"f", "Zg=="},
                                                               {"fo", "Zm8="},
                                                               {"foo", "Zm9v"},
                                                               {"foob", "Zm9vYg=="},
                                                               {"fooba", "Zm9vYmE="},
                                                               {"foobar", "Zm9vYmFy"},
                                                               {"\xfb\xff\xfe", "+//+"}};
  for (const auto& [bytes, text] : known) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text).value(), bytes);
  }
}

TEST(Base64, KeepsEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t cut = 0; cut < 3; ++cut)
    EXPECT_EQ(from_base64(to_base64(all.substr(cut))).value(), all.substr(cut));
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Zg", "Zg=", "Z===", "====", "Zm9v!", "Zm-_", "=Zm9", "Zg==Zm9v", "Zm 9",
                           "Zm9\n", "Zm\xc3\xa9"})
    EXPECT_FALSE(from_base64(text)) << text;
}

TEST(Base64, RefusesWhatEndsInTheMiddleOfAGroup) {
  const std::string text = "Zm9vYmFy";
  for (std::size_t length = 0; length <= text.size(); ++length)
    EXPECT_EQ(from_base64(text.substr(0, length)).has_value(), length % 4 == 0) << length;
}

TEST(Base64, AZeroByteIsNoDigitButMayBeMeant) {
  EXPECT_FALSE(from_base64(std::string_view("Zm9\0", 4)));
  EXPECT_EQ(from_base64("AAAA"), std::string(3, '\0'));
}

TEST(Base64, BitsThatBelongToNoByteDoNotMatter) {
  EXPECT_EQ(from_base64("Zh=="), "f");
  EXPECT_EQ(from_base64("Zm9="), "fo");
}

}  // namespace
}  // namespace fairlead
