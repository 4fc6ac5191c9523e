// Answers that are kept, by a clock of the test.
#include "network/dns/cache.h"

#include <gtest/gtest.h>

#include "tests/network/dns/answers.h"
#include "tests/network/dns/wire.h"

namespace fairlead::dns::tests {
namespace {

using std::chrono::seconds;

class Cache : public ::testing::Test {
 protected:
  void keep(const std::vector<Record>& records, Rcode rcode = Rcode::kNoError,
            std::uint16_t flags = 0, const std::string& key = "key") {
    cache_.keep(key, answer(asked_, records, rcode, flags), now_);
  }
  std::optional<Message> find(const std::string& key = "key") {
    return cache_.find(key, *pass_on(asked_), now_);
  }
  AnswerCache cache_{{.entries = 3, .bytes = 2000}};
  AnswerCache::Clock::time_point now_ = AnswerCache::Clock::now();
  const Message asked_ = query("WWW.example", {.id = 99});
};

TEST_F(Cache, TtlsGoDownAndTheClientsIdAndCaseAreInPlace) {
  keep({{.ttl = 60}, {.ttl = 100}});
  now_ += seconds(15);
  const Read found = read(*find());
  EXPECT_EQ(found.id, 99);
  EXPECT_EQ(found.question, "WWW.example. IN A");
  EXPECT_EQ(found.answers[0], "WWW.example. 45 IN A 192.0.2.1");
  EXPECT_EQ(found.answers[1], "WWW.example. 85 IN A 192.0.2.1");
  now_ += seconds(44);
  EXPECT_TRUE(find());
  now_ += seconds(1);
  EXPECT_FALSE(find());
  EXPECT_EQ(cache_.size(), 0U);
  EXPECT_EQ(cache_.bytes(), 0U);
}

TEST_F(Cache, AShortTtlIsKeptForFiveSecondsAndZeroNotAtAll) {
  keep({{.ttl = 1}});
  now_ += seconds(4);
  ASSERT_TRUE(find());
  EXPECT_EQ(read(*find()).answers[0], "WWW.example. 0 IN A 192.0.2.1");
  now_ += seconds(1);
  EXPECT_FALSE(find());
  keep({{.ttl = 0}});
  EXPECT_FALSE(find());
}

TEST_F(Cache, NothingIsKeptForMoreThanADay) {
  keep({{.ttl = 1'000'000}});
  now_ += seconds(86'399);
  EXPECT_TRUE(find());
  now_ += seconds(1);
  EXPECT_FALSE(find());
}

TEST_F(Cache, WhatIsDeniedIsKeptForTheSoasTimeAndFiveMinutesAtMost) {
  keep({soa(600, 40)}, Rcode::kNxDomain);
  now_ += seconds(39);
  EXPECT_EQ(read(*find()).rcode, "NXDOMAIN");
  now_ += seconds(1);
  EXPECT_FALSE(find());
  keep({soa(9000, 9000)});
  now_ += seconds(299);
  EXPECT_TRUE(find());
  now_ += seconds(1);
  EXPECT_FALSE(find());
}

TEST_F(Cache, ADenialWithoutSoaIsNotKept) {
  keep({}, Rcode::kNxDomain);
  EXPECT_FALSE(find());
  keep({});
  EXPECT_FALSE(find());
}

TEST_F(Cache, AFailureIsKeptForTwoSecondsAndARefusalNot) {
  keep({}, Rcode::kServFail);
  EXPECT_EQ(read(*find()).rcode, "SERVFAIL");
  now_ += seconds(2);
  EXPECT_FALSE(find());
  keep({{}}, Rcode::kRefused);
  EXPECT_FALSE(find());
}

TEST_F(Cache, WhatIsTruncatedIsNotKept) {
  keep({{}}, Rcode::kNoError, kFlagTc);
  EXPECT_FALSE(find());
}

TEST_F(Cache, WhatWasNotAskedForTheLongestTimeMakesRoom) {
  for (const char* key : {"a", "b", "c"}) keep({{}}, Rcode::kNoError, 0, key);
  EXPECT_TRUE(find("a"));
  keep({{}}, Rcode::kNoError, 0, "d");
  EXPECT_TRUE(find("a"));
  EXPECT_FALSE(find("b"));
  EXPECT_TRUE(find("c"));
  EXPECT_TRUE(find("d"));
}

TEST_F(Cache, BytesAreBounded) {
  for (const char* key : {"a", "b", "c"})
    keep({{.data = Message(900, 1)}}, Rcode::kNoError, 0, key);
  EXPECT_LE(cache_.bytes(), 2000U);
  EXPECT_EQ(cache_.size(), 1U);
  EXPECT_TRUE(find("c"));
  keep({{.data = Message(5000, 1)}}, Rcode::kNoError, 0, "huge");
  EXPECT_FALSE(find("huge"));
  EXPECT_TRUE(find("c")) << "pushed out by what is not kept";
  EXPECT_LE(cache_.bytes(), 2000U);
}

TEST_F(Cache, ANewAnswerIsInThePlaceOfTheOldOne) {
  keep({{.ttl = 60}});
  const std::size_t bytes = cache_.bytes();
  keep({{.ttl = 70}});
  EXPECT_EQ(cache_.bytes(), bytes);
  EXPECT_EQ(read(*find()).answers[0], "WWW.example. 70 IN A 192.0.2.1");
}

}  // namespace
}  // namespace fairlead::dns::tests
