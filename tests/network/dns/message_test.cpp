// What is said of messages without their records: any bytes in, the right failure out.
#include "network/dns/message.h"

#include <gtest/gtest.h>

#include "network/dns/scan.h"
#include "tests/network/dns/wire.h"

namespace fairlead::dns {
namespace {

using tests::bytes;
using tests::query;
using tests::read;

// One question, and the records that are given as hex digits.
Message with_records(std::string_view counts, std::string_view records) {
  return bytes("1234 0100 0001 " + std::string(counts) + " 03777777 00 0001 0001 " +
               std::string(records));
}

TEST(Scan, ReadsHeaderAndQuestion) {
  const auto said = scan(query("WeB.Shop", {.type = "AAAA", .id = 7}));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->id, 7);
  EXPECT_TRUE(said->is_query());
  EXPECT_EQ(said->opcode(), 0U);
  EXPECT_TRUE(said->whole);
  EXPECT_FALSE(said->edns);
  EXPECT_EQ(said->question, (Question{.name = "\3WeB\4Shop", .type = 28, .klass = 1}));
}

TEST(Scan, ReadsEdnsWhereverItIsAmongTheAdditionalRecords) {
  EXPECT_EQ(scan(query("web", {.udp_size = 4096, .dnssec_ok = true}))->edns,
            (Edns{.udp_size = 4096, .dnssec_ok = true}));
  const Message second = with_records("0000 0000 0002",
                                      "c00c 0001 0001 00000000 0004 0a000001"
                                      "00 0029 0500 01020000 0000");
  EXPECT_EQ(scan(second)->edns, (Edns{.udp_size = 1280, .extended_rcode = 1, .version = 2}));
  EXPECT_TRUE(scan(second)->whole);
}

TEST(Scan, OptElsewhereIsNoEdns) {
  const Message answer = with_records("0001 0000 0000", "00 0029 0500 00000000 0000");
  EXPECT_FALSE(scan(answer)->edns);
}

TEST(Scan, TheRootIsAName) {
  const auto said = scan(query(".", {.type = "NS"}));
  ASSERT_TRUE(said->question);
  EXPECT_EQ(said->question->name, "");
}

TEST(Scan, EveryPrefixIsNotWhole) {
  const Message whole = query("web.shop", {.udp_size = 1232});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto said = scan(std::span(whole).first(size));
    if (size < kHeaderSize)
      EXPECT_FALSE(said) << size;
    else
      EXPECT_FALSE(said->whole) << size;
  }
  EXPECT_TRUE(scan(whole)->whole);
}

TEST(Scan, WhatIsNoNameOfAQuestion) {
  // A pointer to itself, one to before, a label of 64 bytes by its two reserved forms.
  for (const char* name : {"c00c", "03777777 c000", "40 00", "80 00"}) {
    const auto said =
        scan(bytes("1234 0100 0001 0000 0000 0000 " + std::string(name) + " 0001 0001"));
    ASSERT_TRUE(said);
    EXPECT_FALSE(said->question) << name;
    EXPECT_FALSE(said->whole) << name;
  }
}

TEST(Scan, LabelsOfMoreThan63BytesAreNone) {
  std::string label = "40";
  for (int i = 0; i < 64; ++i) label += "61";
  EXPECT_FALSE(scan(bytes("1234 0100 0001 0000 0000 0000" + label + "00 0001 0001"))->whole);
  const std::string record = "00 0001 0001 00000000 0000";
  EXPECT_TRUE(scan(with_records("0001 0000 0000", "0161" + record))->whole);
  EXPECT_FALSE(scan(with_records("0001 0000 0000", label + record))->whole);
}

TEST(Scan, NamesOfAtMost255Bytes) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  EXPECT_TRUE(scan(query(longest))->whole);
  Message longer = query(longest);
  longer[12 + 3 * 64] = 62;  // the last label, with a byte more
  longer.insert(longer.begin() + 12 + 3 * 64 + 1, 'b');
  EXPECT_FALSE(scan(longer)->whole);
}

TEST(Scan, TwoOptAreNotWhole) {
  const std::string opt = "00 0029 0500 00000000 0000 ";
  EXPECT_TRUE(scan(with_records("0000 0000 0001", opt))->whole);
  EXPECT_FALSE(scan(with_records("0000 0000 0002", opt + opt))->whole);
}

TEST(Scan, OptHasTheRootAsItsName) {
  EXPECT_FALSE(scan(with_records("0000 0000 0001", "0161 00 0029 0500 00000000 0000"))->whole);
}

TEST(Scan, BytesBehindTheMessageDoNotMatter) {
  Message longer = query("web");
  longer.insert(longer.end(), 100, 0xff);
  EXPECT_TRUE(scan(longer)->whole);
}

TEST(Failure, RepeatsIdQuestionAndEdns) {
  const auto answer =
      read(failure(query("WeB.shop", {.id = 77, .cd = true, .udp_size = 4096, .dnssec_ok = true}),
                   Failure::kServer));
  EXPECT_TRUE(answer.valid);
  EXPECT_EQ(answer.id, 77);
  EXPECT_EQ(answer.rcode, "SERVFAIL");
  EXPECT_EQ(answer.flags, "qr rd ra cd");
  EXPECT_EQ(answer.question, "WeB.shop. IN A");
  EXPECT_EQ(answer.edns, "version 0 size 1232 do");
}

TEST(Failure, HasNoEdnsWhereTheQueryHasNone) {
  const auto answer = read(failure(query("web", {.rd = false}), Failure::kRefused));
  EXPECT_EQ(answer.rcode, "REFUSED");
  EXPECT_EQ(answer.flags, "qr ra");
  EXPECT_EQ(answer.edns, "");
}

TEST(Failure, OfWhatHasNoQuestion) {
  const auto none = read(failure(bytes("1234 0100 0000 0000 0000 0000"), Failure::kFormat));
  EXPECT_TRUE(none.valid);
  EXPECT_EQ(none.rcode, "FORMERR");
  EXPECT_EQ(none.question, "");
  const auto cut = read(failure(bytes("1234 0100 0001 0000 0000 0000 0377"), Failure::kFormat));
  EXPECT_TRUE(cut.valid);
  EXPECT_EQ(cut.question, "");
}

TEST(Failure, NothingIsSaidToWhatIsNoQuery) {
  EXPECT_TRUE(failure({}, Failure::kFormat).empty());
  EXPECT_TRUE(failure(bytes("1234 0100 0001 0000 0000 00"), Failure::kFormat).empty());
  EXPECT_TRUE(failure(bytes("1234 8100 0000 0000 0000 0000"), Failure::kFormat).empty());
}

TEST(UdpLimit, IsWhatTheAskerTakesWithinReason) {
  EXPECT_EQ(udp_limit(query("web")), 512U);
  EXPECT_EQ(udp_limit(query("web", {.udp_size = 100})), 512U);  // RFC 6891 section 6.2.3
  EXPECT_EQ(udp_limit(query("web", {.udp_size = 800})), 800U);
  EXPECT_EQ(udp_limit(query("web", {.udp_size = 65535})), 1232U);
  EXPECT_EQ(udp_limit({}), 512U);
}

TEST(Shortened, LeavesWhatFits) {
  const Message answer = failure(query("web"), Failure::kServer);
  EXPECT_EQ(shortened(answer, 512), answer);
}

TEST(Shortened, KeepsQuestionAndEdnsAndSaysSo) {
  std::string records;
  for (int i = 0; i < 60; ++i) records += "c00c 0001 0001 00000000 0004 0a000001 ";
  Message answer = with_records("003c 0000 0001", records + "00 0029 0500 00008000 0000");
  answer[2] = 0x85;  // QR, AA, RD
  ASSERT_GT(answer.size(), 512U);
  const Message cut = shortened(answer, 512);
  EXPECT_LE(cut.size(), 512U);
  const auto said = read(cut);
  EXPECT_TRUE(said.valid);
  EXPECT_EQ(said.flags, "qr aa tc rd ra");
  EXPECT_EQ(said.question, "www. IN A");
  EXPECT_TRUE(said.answers.empty());
  EXPECT_EQ(said.edns, "version 0 size 1232 do");
  EXPECT_EQ(said.rcode, "NOERROR");
}

TEST(Shortened, KeepsTheRcodeOfWhatItCannotReadOtherwise) {
  Message answer = with_records("ffff 0000 0000", "");
  answer[2] = 0x81;
  answer[3] = 0x83;
  answer.resize(2000);
  const auto said = read(shortened(answer, 1232));
  EXPECT_EQ(said.rcode, "NXDOMAIN");
  EXPECT_EQ(said.flags, "qr tc rd ra");
}

}  // namespace
}  // namespace fairlead::dns
