#include "base/rate_limit.h"

#include <gtest/gtest.h>

namespace fairlead {
namespace {

using std::chrono::seconds;

TEST(RateLimit, AdmitsABurstAndThenOneInEachPeriod) {
  RateLimit limit(3, seconds(10));
  const RateLimit::Clock::time_point start{seconds(1000)};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.admit(start), 0U);
  EXPECT_FALSE(limit.admit(start));
  EXPECT_FALSE(limit.admit(start + seconds(9)));
  EXPECT_EQ(limit.admit(start + seconds(10)), 2U);
  EXPECT_FALSE(limit.admit(start + seconds(19)));
  EXPECT_EQ(limit.admit(start + seconds(20)), 1U);
}

TEST(RateLimit, AQuietTimeBringsTheWholeBurstBackAndNoMore) {
  RateLimit limit(3, seconds(10));
  const RateLimit::Clock::time_point start{seconds(1000)}, later{seconds(5000)};
  for (int i = 0; i < 5; ++i) (void)limit.admit(start);
  EXPECT_EQ(limit.admit(later), 2U);
  EXPECT_EQ(limit.admit(later), 0U);
  EXPECT_EQ(limit.admit(later), 0U);
  EXPECT_FALSE(limit.admit(later));
}

}  // namespace
}  // namespace fairlead
