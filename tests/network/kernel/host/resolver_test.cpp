// Answers of name servers, as they come over the wire.
#include "network/kernel/host/resolver.h"

#include <gtest/gtest.h>

namespace fairlead::kernel {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kA = 1, kCname = 5, kAaaa = 28;

Bytes name(const std::string& dotted) {
  Bytes bytes;
  for (std::size_t at = 0; at < dotted.size();) {
    const std::size_t end = std::min(dotted.find('.', at), dotted.size());
    bytes.push_back(static_cast<std::uint8_t>(end - at));
    bytes.insert(bytes.end(), dotted.begin() + static_cast<std::ptrdiff_t>(at),
                 dotted.begin() + static_cast<std::ptrdiff_t>(end));
    at = end + 1;
  }
  bytes.push_back(0);
  return bytes;
}

void append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

Bytes record(const std::string& owner, std::uint8_t type, std::uint8_t ttl, const Bytes& data,
             std::uint8_t klass = 1) {
  Bytes bytes = name(owner);
  append(bytes, {0, type, 0, klass, 0, 0, 0, ttl, 0, static_cast<std::uint8_t>(data.size())});
  append(bytes, data);
  return bytes;
}

Bytes answer(const std::string& question, const std::vector<Bytes>& records) {
  Bytes bytes{0, 7, 0x81, 0x80, 0, 1, 0, static_cast<std::uint8_t>(records.size()), 0, 0, 0, 0};
  append(bytes, name(question));
  append(bytes, {0, kA, 0, 1});
  for (const Bytes& each : records) append(bytes, each);
  return bytes;
}

ResolvedName read(const Bytes& message) {
  ResolvedName resolved{.addresses = {}, .ttl = std::chrono::seconds(9999)};
  EXPECT_TRUE(read_answer(message, resolved));
  return resolved;
}

TEST(Resolver, AnAnswerHasTheAddressesBehindEveryAliasAndTheSmallestTtl) {
  const Bytes v6{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const auto resolved = read(
      answer("www.example.org", {record("www.example.org", kCname, 20, name("cdn.example.net")),
                                 record("cdn.example.net", kA, 60, {192, 0, 2, 1}),
                                 record("cdn.example.net", kA, 90, {192, 0, 2, 2}),
                                 record("cdn.example.net", kAaaa, 99, v6)}));
  ASSERT_EQ(resolved.addresses.size(), 3U);
  EXPECT_EQ(resolved.addresses[0].to_string(), "192.0.2.1");
  EXPECT_EQ(resolved.addresses[2].to_string(), "2001:db8::1");
  EXPECT_EQ(resolved.ttl, std::chrono::seconds(20));
}

TEST(Resolver, RecordsOfOtherClassesAndSizesAreNoAddresses) {
  const auto resolved = read(answer("a.example", {record("a.example", kA, 60, {192, 0, 2, 1}, 3),
                                                  record("a.example", kA, 60, {1, 2, 3}),
                                                  record("a.example", kAaaa, 60, {1, 2, 3, 4})}));
  EXPECT_TRUE(resolved.addresses.empty());
}

TEST(Resolver, EveryCutAnswerIsRefusedOrRead) {
  const Bytes whole = answer("a.example", {record("a.example", kA, 60, {192, 0, 2, 1}),
                                           record("a.example", kA, 60, {192, 0, 2, 2})});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ResolvedName resolved;
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(read_answer(cut, resolved)) << size;
  }
}

}  // namespace
}  // namespace fairlead::kernel
