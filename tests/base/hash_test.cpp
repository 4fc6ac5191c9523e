#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>

namespace fairlead {
namespace {

bool is_hex(const std::string& text) {
  return text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

TEST(Hash, IsTheSameInEveryBuild) {
  EXPECT_EQ(hash_hex("shop", 32), hash_hex("shop", 32));
  EXPECT_EQ(fnv1a("shop"), fnv1a("shop"));
  EXPECT_EQ(hash_hex("", 16), "efd01f60ba992926") << "names in stores and kernels depend on it";
  EXPECT_EQ(hash_hex("shop", 32), "bd4ab54586fbfbcbe04eb81e0229aba7");
}

TEST(Hash, ShortSimilarTextsDoNotCollide) {
  std::set<std::string> seen;
  for (int i = 0; i < 20'000; ++i) seen.insert(hash_hex("c" + std::to_string(i), 12));
  EXPECT_EQ(seen.size(), 20'000U);
}

TEST(Hash, HasAsManyDigitsAsAskedFor) {
  for (const unsigned digits : {0U, 1U, 12U, 16U, 17U, 32U}) {
    EXPECT_EQ(hash_hex("x", digits).size(), digits);
    EXPECT_TRUE(is_hex(hash_hex("x", digits)));
  }
}

TEST(Hash, DependsOnTheSeed) { EXPECT_NE(fnv1a("x", 1), fnv1a("x", 2)); }

TEST(RandomHex, HasAsManyDigitsAsAskedForAndDiffers) {
  for (const unsigned digits : {0U, 1U, 15U, 64U}) {
    EXPECT_EQ(random_hex(digits).size(), digits);
    EXPECT_TRUE(is_hex(random_hex(digits)));
  }
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_hex(64));
  EXPECT_EQ(seen.size(), 1000U);
}

}  // namespace
}  // namespace fairlead
