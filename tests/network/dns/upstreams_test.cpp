// Which server is asked first, and who gets how much, by a clock of the test.
#include "network/dns/upstreams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/dns/shares.h"

namespace fairlead::dns::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Change = UpstreamHealth::Change;

IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

class Health : public ::testing::Test {
 protected:
  std::string first() { return health_.order({a_, b_}, now_).front().address.to_string(); }

  UpstreamHealth health_;
  UpstreamHealth::Clock::time_point now_ = UpstreamHealth::Clock::now();
  const Upstream a_{.address = ip("192.0.2.1")}, b_{.address = ip("192.0.2.2")};
};

TEST_F(Health, TheOrderGivenHoldsAmongServersThatAreAsGood) {
  EXPECT_EQ(first(), "192.0.2.1");
  health_.answered(a_, milliseconds(40));
  health_.answered(b_, milliseconds(1));
  EXPECT_EQ(first(), "192.0.2.1");
}

TEST_F(Health, AClearlySlowerServerIsAskedLater) {
  health_.answered(a_, milliseconds(300));
  health_.answered(b_, milliseconds(10));
  EXPECT_EQ(first(), "192.0.2.2");
  for (int i = 0; i < 40; ++i) health_.answered(a_, milliseconds(5));
  EXPECT_EQ(first(), "192.0.2.1");
}

TEST_F(Health, AServerThatIsSilentGetsOneQuestionNowAndThen) {
  EXPECT_EQ(health_.missed(a_, now_), Change::kNone);
  EXPECT_EQ(health_.missed(a_, now_), Change::kNone);
  EXPECT_EQ(first(), "192.0.2.1");
  EXPECT_EQ(health_.missed(a_, now_), Change::kSilent);
  // Those that were on their way.
  for (int i = 0; i < 50; ++i) EXPECT_EQ(health_.missed(a_, now_), Change::kNone);
  EXPECT_EQ(first(), "192.0.2.2");
  now_ += seconds(1);
  EXPECT_EQ(first(), "192.0.2.1") << "one question";
  EXPECT_EQ(first(), "192.0.2.2");
  now_ += seconds(2);
  EXPECT_EQ(first(), "192.0.2.1");
  EXPECT_EQ(health_.answered(a_, milliseconds(3)), Change::kBack);
  EXPECT_EQ(first(), "192.0.2.1");
  EXPECT_EQ(first(), "192.0.2.1");
}

TEST_F(Health, SilenceIsAtMostHalfAMinute) {
  for (int i = 0; i < 3; ++i) health_.missed(a_, now_);
  for (int i = 0; i < 20; ++i) {
    now_ += seconds(30);
    EXPECT_EQ(first(), "192.0.2.1") << i;
  }
}

TEST(Shares, OneClientAloneGetsEverything) {
  ClientShares shares;
  auto now = ClientShares::Clock::now();
  for (int turn = 0; turn < 5; ++turn, now += ClientShares::kTurn) {
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(shares.admit(ip("10.0.0.1"), now));
    shares.crowded();
  }
}

TEST(Shares, WhoFloodsLeavesTheOthersTheirPart) {
  ClientShares shares;
  auto now = ClientShares::Clock::now();
  int flood = 0;
  for (int turn = 0; turn < 20; ++turn, now += ClientShares::kTurn) {
    for (int i = 0; i < 5000; ++i) {
      if (shares.admit(ip("10.0.0.1"), now)) ++flood;
      if (i % 500 == 0) {
        ASSERT_TRUE(shares.admit(ip("10.0.0.2"), now)) << turn << " " << i;
        ASSERT_TRUE(shares.admit(ip("10.0.0.3"), now)) << turn << " " << i;
      }
    }
    shares.crowded();
  }
  EXPECT_LT(flood, 20 * 5000 / 2);
  EXPECT_GT(flood, 20 * 16);
}

TEST(Shares, NothingIsRefusedWhereEverybodyIsAnswered) {
  ClientShares shares;
  auto now = ClientShares::Clock::now();
  for (int turn = 0; turn < 5; ++turn, now += ClientShares::kTurn)
    for (int i = 0; i < 1000; ++i)
      for (const char* client : {"10.0.0.1", "10.0.0.2"})
        ASSERT_TRUE(shares.admit(ip(client), now));
}

}  // namespace
}  // namespace fairlead::dns::tests
