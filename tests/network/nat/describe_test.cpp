// Elements in words, as they are told of a table that somebody has altered.
#include "network/nat/describe.h"

#include <gtest/gtest.h>

#include "network/nat/entries.h"
#include "tests/network/nat/golden_cases.h"

namespace fairlead::nat {
namespace {

// nft has no type for what ICMP carries: see the test below.
bool is_of_icmp(const Entry& entry) {
  return entry.set == "targets_v6" || entry.set == "quoted_v4" || entry.set.starts_with("reported");
}

void expect_words_of(const std::vector<Entry>& entries) {
  for (const Entry& entry : entries)
    if (!is_of_icmp(entry)) EXPECT_EQ(describe(to_element(entry)), to_text(entry));
}

TEST(Describe, IsTheTextOfEveryElement) {
  const auto cases = golden_cases();
  for (const GoldenCase& golden : cases) {
    expect_words_of(entries_of(golden.state, TableFamily::kInet));
    expect_words_of(entries_of(golden.state, TableFamily::kBridge));
  }
}

TEST(Describe, WhatIcmpCarriesIsAnAddress) {
  const Entry entry{.set = "targets_v6",
                    .key = {*IfName::parse("flh1"), RawAddress{*IpAddress::parse("fd00:1::2")}}};
  EXPECT_EQ(to_text(entry), "\"flh1\" . 0xfd000001000000000000000000000002");
  EXPECT_EQ(describe(to_element(entry)), "\"flh1\" . fd00:1::2");
  const Entry quoted{.set = "quoted_v4",
                     .key = {*IfName::parse("flh1"), RawAddress{*IpAddress::parse("10.1.0.2")}}};
  EXPECT_EQ(to_text(quoted), "\"flh1\" . 0x0a010002");
  EXPECT_EQ(describe(to_element(quoted)), "\"flh1\" . 10.1.0.2");
}

kernel::ElementBytes bytes(std::initializer_list<std::uint8_t> list) {
  return kernel::ElementBytes::of(std::vector<std::uint8_t>(list), 1);
}

TEST(Describe, WhatOthersAddIsNamedWhateverItIs) {
  EXPECT_EQ(describe({.set = "masquerade_v4", .key = bytes({10, 0, 0, 1})}), "10.0.0.1");
  EXPECT_EQ(
      describe(
          {.set = "masquerade_v4", .key = bytes({10, 0, 0, 1}), .key_end = bytes({10, 0, 0, 9})}),
      "10.0.0.1-10.0.0.9");
  EXPECT_EQ(describe({.set = "tunnel_ports", .key = bytes({1, 0, 0, 0, 0, 53, 0, 0})}), "1 . 53");
  EXPECT_EQ(describe({.set = "masquerade_v4", .key = bytes({10, 0})}), "0x0a00");
  EXPECT_EQ(describe({.set = "evil", .key = bytes({10, 0})}), "0x0a00");
}

}  // namespace
}  // namespace fairlead::nat
