#include "volume/kernel/sftp_messages.h"

#include <gmock/gmock.h>

namespace fairlead::volume::sftp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Bytes as the draft writes them, in hex with spaces.
std::string bytes(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); ++i) {
    if (hex[i] == ' ') continue;
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    ++i;
  }
  return out;
}

TEST(SftpMessages, RequestsAreWhatTheDraftSays) {
  EXPECT_EQ(greeting(), bytes("00000005 01 00000003"));
  EXPECT_EQ(open_file(7, "/a", Open::kRead, 0600),
            bytes("00000013 03 00000007 00000002 2f61 00000001 00000000"));
  EXPECT_EQ(open_file(7, "/a", Open::kNew, 0600),
            bytes("00000017 03 00000007 00000002 2f61 0000002a 00000004 00000180"));
  EXPECT_EQ(close(1, "h"), bytes("0000000a 04 00000001 00000001 68"));
  EXPECT_EQ(read(258, "h", 0x0102030405060708, 4096),
            bytes("00000016 05 00000102 00000001 68 0102030405060708 00001000"));
  EXPECT_EQ(write_head(1, "h", 5, 3),
            bytes("00000019 06 00000001 00000001 68 0000000000000005 00000003"));
  EXPECT_EQ(rename(1, "a", "b"), bytes("0000000f 12 00000001 00000001 61 00000001 62"));
  EXPECT_EQ(make_folder(1, "a", 0700), bytes("00000012 0e 00000001 00000001 61 00000004 000001c0"));
  EXPECT_THAT(posix_rename(1, "a", "b"), HasSubstr("posix-rename@openssh.com"));
  EXPECT_THAT(sync(1, "h"), HasSubstr("fsync@openssh.com"));
}

TEST(SftpMessages, TheGreetingTellsTheExtensions) {
  const auto got = parse_greeting(
      bytes("02 00000003 00000012 6c696d697473406f70656e7373682e636f6d 00000001 31"));
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_THAT(got->extensions, ElementsAre("limits@openssh.com"));
  EXPECT_TRUE(got->has("limits@openssh.com"));
  EXPECT_FALSE(got->has("fsync@openssh.com"));
  EXPECT_EQ(parse_greeting(bytes("02 00000002")).error().code, Code::kUnsupported);
  EXPECT_EQ(parse_greeting(bytes("65 00000003")).error().code, Code::kInvalid);
  EXPECT_EQ(parse_greeting(bytes("02 00000003 00000012 6c69")).error().code, Code::kInvalid);
}

TEST(SftpMessages, RepliesOfEachKind) {
  const auto status = parse_reply(bytes("65 00000001 00000002 00000002 6e6f 00000000"));
  ASSERT_TRUE(status) << status.error().text;
  EXPECT_EQ(status->status, StatusCode::kNoSuchFile);
  EXPECT_EQ(status->text, "no");
  EXPECT_EQ(parse_reply(bytes("65 00000001 00000004"))->status, StatusCode::kFailure);  // no words

  const std::string message = bytes("67 00000009 00000003 616263");  // the reply borrows from it
  const auto data = parse_reply(message);
  EXPECT_EQ(data->id, 9U);
  EXPECT_EQ(data->bytes, "abc");

  // Size, owner, mode, times, and one attribute that nobody knows.
  const auto attributes =
      parse_reply(bytes("69 00000001 8000000f 0000000000000005 00000000 00000000 "
                        "000081a4 00000001 00000002 00000001 00000001 61 00000000"));
  ASSERT_TRUE(attributes) << attributes.error().text;
  EXPECT_EQ(attributes->attributes, (Attributes{.size = 5, .mode = 0100644, .modified = 2}));

  const auto names = parse_reply(
      bytes("68 00000001 00000001 00000001 61 00000002 6c73 00000001 0000000000000007"));
  ASSERT_TRUE(names) << names.error().text;
  EXPECT_THAT(names->entries, ElementsAre(Entry{"a", {.size = 7, .mode = {}, .modified = {}}}));
}

TEST(SftpMessages, WhatIsCutOffIsRefusedAndCountsAreNotBelieved) {
  const std::string whole =
      bytes("68 00000001 00000001 00000001 61 00000002 6c73 00000001 0000000000000007");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_reply(std::string_view(whole).substr(0, size))) << size;
  EXPECT_FALSE(parse_reply(bytes("68 00000001 ffffffff")));
  EXPECT_FALSE(parse_reply(bytes("69 00000001 80000000 ffffffff")));
  EXPECT_FALSE(parse_reply(bytes("67 00000001 ffffffff 61")));
  EXPECT_FALSE(parse_reply(bytes("66 00000001 00000101 " + std::string(2 * 0x101, '6'))));
}

TEST(SftpMessages, LimitsAndFreeSpace) {
  EXPECT_EQ(
      parse_limits(bytes("0000000000040000 000000000003fc00 000000000003fc00 0000000000000100"))
          ->read,
      261120U);
  EXPECT_FALSE(parse_limits("short"));
  EXPECT_EQ(parse_free_bytes(bytes("0000000000001000 0000000000000800 0000000000000009 "
                                   "0000000000000005 0000000000000003"))
                .value(),
            3U * 2048);
  EXPECT_EQ(parse_free_bytes(bytes("0000000000000000 ffffffffffffffff 0000000000000009 "
                                   "0000000000000005 ffffffffffffffff"))
                .value(),
            UINT64_MAX);
}

}  // namespace
}  // namespace fairlead::volume::sftp
