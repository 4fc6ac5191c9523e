// Records of pools and leases: their bytes, and what is said of damaged ones.
#include "network/ipam/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json/json.h"

namespace fairlead::network::records {
namespace {

using ::testing::StartsWith;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

PoolRecord pool() {
  return {.subnet = cidr("10.208.0.0/24"),
          .range = cidr("10.208.0.128/25"),
          .gateway = ip("10.208.0.1"),
          .network = "ab12",
          .owner = "shop",
          .revision = 7};
}
LeaseRecord lease() {
  return {.address = ip("10.208.0.2"),
          .owner = "e1",
          .use = AddressUse::kGateway,
          .boot_id = "b1",
          .revision = 7,
          .since = 1'800'000'000};
}

constexpr std::string_view kPool =
    R"({"gateway":"10.208.0.1","network":"ab12","owner":"shop","range":"10.208.0.128/25","subnet":"10.208.0.0/24"})";
constexpr std::string_view kLease =
    R"({"boot":"b1","owner":"e1","since":1800000000,"use":"gateway"})";

state::Record pool_record(std::string_view text) {
  return {pool_key(cidr("10.208.0.0/24")), std::string(text), 7};
}
state::Record lease_record(std::string_view text) {
  return {lease_key(cidr("10.208.0.0/24"), ip("10.208.0.2")), std::string(text), 7};
}

TEST(IpamRecords, AreTheReviewedBytes) {
  EXPECT_EQ(encode(pool()), kPool);
  EXPECT_EQ(encode(lease()), kLease);
  EXPECT_EQ(encode_last("10.208.0.2"), R"({"last":"10.208.0.2"})");
  EXPECT_EQ(encode(PoolRecord{.subnet = cidr("10.208.0.0/24")}), R"({"subnet":"10.208.0.0/24"})");
  EXPECT_EQ(encode(LeaseRecord{.owner = "e1"}), R"({"owner":"e1","use":"endpoint"})");
}

TEST(IpamRecords, ReadBackWhatWasWritten) {
  EXPECT_EQ(decode_pool(pool_record(kPool)).value(), pool());
  EXPECT_EQ(decode_lease(lease_record(kLease)).value(), lease());
  EXPECT_EQ(decode_cursor({"cursor/0ad00000-24", encode_last("10.208.0.2"), 1}).value(),
            ip("10.208.0.2"));
}

TEST(IpamRecords, ThoseWithoutTheNewerFieldsAreRead) {
  EXPECT_EQ(decode_pool(pool_record(R"({"subnet":"10.208.0.0/24","gateway":"","range":null})")),
            (PoolRecord{.subnet = cidr("10.208.0.0/24"), .revision = 7}));
  EXPECT_EQ(decode_lease(lease_record(R"({"owner":"e1","use":"reserved","colour":"blue"})")),
            (LeaseRecord{.address = ip("10.208.0.2"),
                         .owner = "e1",
                         .use = AddressUse::kReserved,
                         .revision = 7}));
}

template <class Decode>
void expect_types_matter(const state::Record& record, Decode decode) {
  const auto document = json::parse(record.value).value();
  for (const auto& [name, member] : document.members()) {
    json::Json wrong = document;
    wrong[name] = json::Json::array({true});
    const auto read = decode({record.key, json::dump(wrong), 1});
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().code, Code::kIo);
    EXPECT_THAT(read.error().text, StartsWith("read the record " + record.key + ": field " + name));
  }
}

TEST(IpamRecords, DamageNamesTheKeyAndTheField) {
  expect_types_matter(pool_record(kPool), decode_pool);
  expect_types_matter(lease_record(kLease), decode_lease);
  expect_types_matter({"cursor/0ad00000-24", encode_last("10.208.0.2"), 1}, decode_cursor);
  EXPECT_THAT(decode_pool(pool_record("{}")).error().text,
              StartsWith("read the record pool/0ad00000-24: field subnet is missing"));
  EXPECT_THAT(
      decode_pool(pool_record(R"({"subnet":"10.208.0.0/24","range":"nowhere"})")).error().text,
      StartsWith("read the record pool/0ad00000-24: field range: "));
  for (const char* damaged : {"", "[]", "{", R"({"owner":"e1"})", R"({"owner":"e1","use":"fun"})",
                              R"({"owner":"e1","use":"endpoint","since":-1})"})
    EXPECT_EQ(decode_lease(lease_record(damaged)).error().code, Code::kIo) << damaged;
}

}  // namespace
}  // namespace fairlead::network::records
