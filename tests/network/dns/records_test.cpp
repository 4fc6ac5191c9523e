// What is passed on of queries, and read of others' answers.
#include "network/dns/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/network/dns/answers.h"
#include "tests/network/dns/wire.h"

namespace fairlead::dns::tests {
namespace {

using std::chrono::seconds;

TEST(PassOn, WhatDoesNotChangeTheAnswerIsLeftOut) {
  const auto passed =
      pass_on(query("WWW.Example.org", {.cd = true, .udp_size = 4096, .dnssec_ok = true}));
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->id, 0x1234);
  EXPECT_TRUE(passed->edns);
  const Read sent = read(passed->message);
  EXPECT_TRUE(sent.valid);
  EXPECT_EQ(sent.id, 0);
  EXPECT_EQ(sent.question, "www.example.org. IN A");
  EXPECT_EQ(sent.edns, "version 0 size 1232 do");
  EXPECT_EQ(sent.flags, "rd cd");
}

TEST(PassOn, WithoutEdnsItIsAskedWithout) {
  const auto passed = pass_on(query("a.example", {.rd = false}));
  ASSERT_TRUE(passed);
  const Read sent = read(passed->message);
  EXPECT_EQ(sent.edns, "");
  EXPECT_EQ(sent.flags, "");
}

TEST(PassOn, TransfersAnswersAndOtherOpcodesAreNot) {
  EXPECT_FALSE(pass_on(query("a.example", {.type = "AXFR"})));
  EXPECT_FALSE(pass_on(query("a.example", {.type = "IXFR"})));
  EXPECT_FALSE(pass_on(query("a.example", {.opcode = 4})));
  const Message asked = query("a.example");
  EXPECT_FALSE(pass_on(answer(asked, {})));
  for (std::size_t size = 0; size < asked.size(); ++size)
    EXPECT_FALSE(pass_on(std::span(asked).first(size))) << size;
}

TEST(Answers, OnlyTheSameIdAndQuestionWithItsCase) {
  const Message asked = query("WwW.example");
  EXPECT_TRUE(answers(asked, answer(asked, {{}})));
  EXPECT_FALSE(answers(asked, asked)) << "a query";
  EXPECT_FALSE(answers(asked, answer(query("www.example"), {{}}))) << "another case";
  EXPECT_FALSE(answers(asked, answer(query("WwW.example", {.id = 0x1235}), {{}})));
  EXPECT_FALSE(answers(asked, answer(query("WwW.example", {.type = "AAAA"}), {{}})));
  EXPECT_FALSE(answers(asked, answer(query("WwW.example", {.opcode = 4}), {{}})));
  Message cut = answer(asked, {});
  cut.resize(20);
  EXPECT_FALSE(answers(asked, cut));
}

TEST(Readdress, GivesTheClientItsOwnIdAndCase) {
  const auto passed = pass_on(query("WWW.example", {.id = 77}));
  Message known = answer(passed->message, {{}});
  readdress(known, *passed);
  EXPECT_EQ(read(known).id, 77);
  EXPECT_EQ(read(known).question, "WWW.example. IN A");
}

TEST(Shape, ThePositiveLivesForItsSmallestTtl) {
  const auto shape = read_shape(answer(query("a.example"), {{.ttl = 300}, {.ttl = 20}}));
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->lifetime, seconds(20));
  EXPECT_FALSE(shape->negative);
  EXPECT_EQ(shape->ttls.size(), 2U);
}

TEST(Shape, TheTtlOfOptIsNone) {
  const auto shape = read_shape(answer(query("a.example", {.udp_size = 1232}), {{}}));
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->ttls.size(), 1U);
}

TEST(Shape, WhatIsDeniedLivesAsLongAsTheSoaSays) {
  const auto none = read_shape(answer(query("a.example"), {soa(600, 30)}, Rcode::kNxDomain));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->negative);
  EXPECT_EQ(none->lifetime, seconds(30));
  EXPECT_EQ(read_shape(answer(query("a.example"), {soa(20, 30)}))->lifetime, seconds(20));
  EXPECT_FALSE(read_shape(answer(query("a.example"), {}))->lifetime) << "no SOA";
}

TEST(Shape, AnAliasWithoutTheTypeIsDenied) {
  const Record alias{.type = 5, .ttl = 10, .data = {1, 'x', 0}};
  const auto shape = read_shape(answer(query("a.example"), {alias, soa(600, 30)}));
  ASSERT_TRUE(shape);
  EXPECT_TRUE(shape->negative);
  EXPECT_EQ(shape->lifetime, seconds(10));
  EXPECT_FALSE(read_shape(answer(query("a.example"), {alias}))->lifetime);
}

TEST(Shape, ATtlWithTheHighestBitCountsAsNone) {
  EXPECT_EQ(read_shape(answer(query("a.example"), {{.ttl = 0x80000001}}))->lifetime, seconds(0));
}

TEST(Shape, EveryCutAnswerIsRefused) {
  const Message whole = answer(query("a.example", {.udp_size = 1232}), {{}, soa(1, 2)});
  ASSERT_TRUE(read(whole).valid);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(read_shape(std::span(whole).first(size))) << size;
  Message more = whole;
  more.push_back(7);
  EXPECT_EQ(read_shape(more)->size, whole.size());
}

}  // namespace
}  // namespace fairlead::dns::tests
