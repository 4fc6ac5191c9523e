// Every record both ways, and its bytes: hosts of several versions read them.
#include "network/cluster/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json/json.h"
#include "network/cluster/keys.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace fairlead::network::cluster {
namespace {

using ::testing::HasSubstr;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

ClusterMeta meta() {
  return {.uuid = "0123456789abcdef0123456789abcdef", .pools = {cidr("10.224.0.0/12")}};
}

HostRecord host() {
  return {.info = {.id = "aa11",
                   .name = "node-1",
                   .vtep = ip("192.0.2.1"),
                   .underlay_mtu = 9000,
                   .version = "0.1.0"},
          .epoch = 3,
          .phase = HostPhase::kRemoved,
          .changed = 1'800'000'000,
          .free_after = 1'800'000'020};
}

NetworkRecord network() {
  Subnet v4{.subnet = cidr("10.224.0.0/20"),
            .gateway = ip("10.224.0.1"),
            .range = cidr("10.224.8.0/21"),
            .aux = {{"printer", ip("10.224.0.9")}},
            .pool_id = "10.224.0.0/20"};
  Subnet v6{.subnet = cidr("fd00:1::/64"), .gateway = ip("fd00:1::1"), .pool_id = "fd00:1::/64"};
  return {{.id = "ab12",
           .name = NetworkName::parse("shop").value(),
           .vni = 4242,
           .subnets = {v4, v6},
           .mtu = 1450,
           .options = {{"icc", "false"}, {"mode", "overlay"}},
           .internal = true,
           .created = 1'800'000'000},
          NetworkPhase::kDeleting};
}

SharedEndpoint endpoint() {
  return {.id = "e1",
          .network_id = "ab12",
          .host_id = "aa11",
          .epoch = 3,
          .addresses = {ip("10.224.8.2"), ip("fd00:1::2")},
          .mac = MacAddress::parse("02:fa:0a:e0:08:02").value(),
          .container = "web-1",
          .names = {"web", "www"},
          .state = EndpointState::kDraining};
}

LocalBlock local_block() {
  return {.block = cidr("10.224.8.0/28"),
          .epoch = 3,
          .phase = ClaimPhase::kReleasing,
          .ranges = {cidr("10.224.8.8/29")},
          .empty_since = 1'800'000'000};
}

LocalAddress local_address() {
  return {.address = ip("10.224.8.2"),
          .endpoint_id = "e1",
          .epoch = 3,
          .phase = ClaimPhase::kHeld,
          .since = 1'800'000'000};
}

// key and value of each kind, one a line: what lies in the store.
std::vector<state::Put> samples() {
  return {
      {std::string(keys::kMeta), encode(meta())},
      {keys::host("aa11"), encode(host())},
      {keys::live("aa11"), encode(LiveRecord{"b1", 3, "0011223344556677"})},
      {keys::network("ab12"), encode(network())},
      {keys::network_name("shop"), encode_id("ab12")},
      {keys::vni(4242), encode(VniRecord{.network_id = "ab12"})},
      {keys::vni(4243), encode(VniRecord{.free_after = 1'800'000'600})},
      {keys::pool(cidr("10.224.0.0/20")), encode(SharedPool{"ab12", "shop"})},
      {std::string(keys::kPoolGuard), encode_last("10.224.0.0/20")},
      {keys::block("ab12", ip("10.224.8.0")), encode(BlockRecord{"aa11", 3, {ip("10.224.8.3")}})},
      {keys::claim_guard("ab12", ip("10.224.8.0")), encode_last("10.224.8.3")},
      {keys::address("ab12", ip("10.224.8.3")), encode(StaticClaimRecord{"e1", "aa11", 3})},
      {keys::endpoint("ab12", "e1"), encode(endpoint())},
      {std::string(keys::kMember), encode(MemberRecord{"c1", 3, "0011", "b1"})},
      {keys::local_block("ab12", ip("10.224.8.0")), encode(local_block())},
      {keys::local_address("ab12", ip("10.224.8.2")), encode(local_address())},
      {std::string(keys::kSeen), encode(SeenRecord{4711, 1'800'000'000})}};
}

TEST(ClusterRecords, AreTheReviewedBytes) {
  std::string text;
  for (const state::Put& put : samples()) text += put.key + " " + put.value + "\n";
  fairlead::testing::expect_golden(
      fairlead::testing::source_path("tests/golden/cluster/records.txt"), text);
}

template <class Value>
void expect_same(const std::string& key, const Value& value) {
  const auto read = decode<Value>({key, encode(value), 1});
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, value) << key;
}

TEST(ClusterRecords, ReadBackWhatWasWritten) {
  expect_same(std::string(keys::kMeta), meta());
  expect_same(keys::host("aa11"), host());
  expect_same(keys::live("aa11"), LiveRecord{"b1", 3, "00112233"});
  expect_same(keys::network("ab12"), network());
  expect_same(keys::vni(4242), VniRecord{.network_id = "ab12"});
  expect_same(keys::vni(4242), VniRecord{.free_after = 7});
  expect_same(keys::pool(cidr("10.224.0.0/20")), SharedPool{"ab12", "shop"});
  expect_same(keys::block("ab12", ip("10.224.8.0")), BlockRecord{"aa11", 3, {ip("10.224.8.3")}});
  expect_same(keys::address("ab12", ip("10.224.8.3")), StaticClaimRecord{"e1", "aa11", 3});
  expect_same(keys::endpoint("ab12", "e1"), endpoint());
  expect_same(std::string(keys::kMember), MemberRecord{"c1", 3, "0011", "b1"});
  expect_same(keys::local_block("ab12", ip("10.224.8.0")), local_block());
  expect_same(keys::local_address("ab12", ip("10.224.8.2")), local_address());
  expect_same(std::string(keys::kSeen), SeenRecord{4711, 0});
  expect_same(std::string(keys::kSeen), SeenRecord{4711, 1'800'000'000});
}

TEST(ClusterRecords, ANewerHostsExtraFieldIsNoObstacle) {
  const auto read = decode<LiveRecord>(
      {"live/aa11", R"({"boot":"b1","epoch":3,"nonce":"n","colour":"blue"})", 1});
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->epoch, 3U);
}

TEST(ClusterRecords, DamageNamesTheKeyAndTheField) {
  const auto no_epoch = decode<HostRecord>({"host/aa11", R"({"name":"x","vtep":"192.0.2.1"})", 1});
  ASSERT_FALSE(no_epoch);
  EXPECT_EQ(no_epoch.error().code, Code::kIo);
  EXPECT_THAT(no_epoch.error().text, HasSubstr("host/aa11"));
  EXPECT_THAT(no_epoch.error().text, HasSubstr("epoch"));
  for (const char* damaged : {"", "[]", "{", R"({"name":"x","vtep":"nowhere","epoch":1})",
                              R"({"name":"x","vtep":"192.0.2.1","epoch":-1,"phase":"member"})",
                              R"({"name":"x","vtep":"192.0.2.1","epoch":1,"phase":"asleep"})"})
    EXPECT_FALSE(decode<HostRecord>({"host/aa11", damaged, 1})) << damaged;
}

// Each field that has a value of another type is refused by its name.
template <class Value>
void expect_types_matter(const std::string& key, const Value& value) {
  const auto document = json::parse(encode(value)).value();
  for (const auto& [name, member] : document.members()) {
    json::Json wrong = document;
    wrong[name] =
        member.is_array() || member.is_object() ? json::Json(7) : json::Json::array({true});
    const auto read = decode<Value>({key, json::dump(wrong), 1});
    ASSERT_FALSE(read) << key << ": " << name;
    EXPECT_EQ(read.error().code, Code::kIo);
    EXPECT_THAT(read.error().text,
                ::testing::StartsWith("read the record " + key + ": field " + name));
  }
}

TEST(ClusterRecords, AFieldOfAnotherTypeIsRefusedByItsName) {
  HostRecord encrypting = host();
  encrypting.info.wireguard = WireguardInfo{"k", 51820, ip("192.0.2.9")};
  expect_same(keys::host("aa11"), encrypting);
  expect_types_matter(std::string(keys::kMeta), meta());
  expect_types_matter(keys::host("aa11"), encrypting);
  expect_types_matter(keys::live("aa11"), LiveRecord{"b1", 3, "00112233"});
  expect_types_matter(keys::network("ab12"), network());
  expect_types_matter(keys::vni(4242), VniRecord{.network_id = "ab12"});
  expect_types_matter(keys::vni(4242), VniRecord{.free_after = 7});
  expect_types_matter(keys::pool(cidr("10.224.0.0/20")), SharedPool{"ab12", "shop"});
  expect_types_matter(keys::block("ab12", ip("10.224.8.0")),
                      BlockRecord{"aa11", 3, {ip("10.224.8.3")}});
  expect_types_matter(keys::address("ab12", ip("10.224.8.3")), StaticClaimRecord{"e1", "aa11", 3});
  expect_types_matter(keys::endpoint("ab12", "e1"), endpoint());
  expect_types_matter(std::string(keys::kMember), MemberRecord{"c1", 3, "0011", "b1"});
  expect_types_matter(keys::local_block("ab12", ip("10.224.8.0")), local_block());
  expect_types_matter(keys::local_address("ab12", ip("10.224.8.2")), local_address());
  expect_types_matter(std::string(keys::kSeen), SeenRecord{4711, 1'800'000'000});
}

template <class Value>
void expect_read(const std::string& key, const std::string& text, const Value& value) {
  const auto read = decode<Value>({key, text, 1});
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, value) << key;
}

TEST(ClusterRecords, ThoseWithoutTheNewerFieldsAreRead) {
  expect_read("meta/cluster", R"({"uuid":"u"})", ClusterMeta{.uuid = "u"});
  expect_read("host/aa11", R"({"name":"x","vtep":"192.0.2.1","epoch":2,"phase":"left"})",
              HostRecord{.info = {.id = "aa11", .name = "x", .vtep = ip("192.0.2.1")},
                         .epoch = 2,
                         .phase = HostPhase::kLeft});
  expect_read("net/ab12", R"({"name":"shop","vni":7,"phase":"ready"})",
              NetworkRecord{{.id = "ab12", .name = NetworkName::parse("shop").value(), .vni = 7}});
  expect_read("vni/7", "{}", VniRecord());
  expect_read("pool/x", R"({"id":"ab12"})", SharedPool{"ab12", ""});
  expect_read("in/ab12/blk/0ae00800", R"({"host":"aa11","epoch":3})", BlockRecord{"aa11", 3, {}});
  expect_read("in/ab12/ep/e1",
              R"({"host":"aa11","epoch":3,"mac":"02:fa:0a:e0:08:02","state":"starting"})",
              SharedEndpoint{.id = "e1",
                             .network_id = "ab12",
                             .host_id = "aa11",
                             .epoch = 3,
                             .mac = MacAddress::parse("02:fa:0a:e0:08:02").value()});
  expect_read("cluster/member", R"({"cluster":"c1","epoch":3})", MemberRecord{"c1", 3, "", ""});
  expect_read("cluster/block/ab12/0ae00800",
              R"({"block":"10.224.8.0/28","epoch":3,"phase":"claiming"})",
              LocalBlock{.block = cidr("10.224.8.0/28"), .epoch = 3});
  expect_read("cluster/address/ab12/0ae00802", R"({"endpoint":"e1","epoch":3,"phase":"claiming"})",
              LocalAddress{.address = ip("10.224.8.2"), .endpoint_id = "e1", .epoch = 3});
  expect_read("cluster/seen", R"({"revision":5})", SeenRecord{5, 0});
}

TEST(ClusterRecords, AnAddressThatTheKeyDoesNotSayIsDamage) {
  const auto read =
      decode<LocalAddress>({"cluster/address/ab12/nowhere", encode(local_address()), 1});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kIo);
  EXPECT_THAT(read.error().text, HasSubstr("cluster/address/ab12/nowhere"));
}

}  // namespace
}  // namespace fairlead::network::cluster
