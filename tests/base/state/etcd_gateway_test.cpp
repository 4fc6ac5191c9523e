// The codec of etcd's JSON gateway. The gateway ignores what it does not know, so the exact bytes
// of every request are held here; the answers are those of etcd 3.4.23, word for word.
#include "base/state/etcd_gateway.h"

#include <gmock/gmock.h>

#include <set>

#include "base/json/json.h"

namespace fairlead::state::etcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;

// ---- requests

TEST(Requests, Range) {
  EXPECT_EQ(encode(RangeRequest{.key = "/a"}), R"({"key":"L2E="})");
  EXPECT_EQ(encode(RangeRequest{.key = "/a",
                                .range_end = "/b",
                                .limit = 10,
                                .revision = 9'007'199'254'740'993,
                                .keys_only = true}),
            R"({"key":"L2E=","keys_only":true,"limit":"10","range_end":"L2I=",)"
            R"("revision":"9007199254740993"})");
}

TEST(Requests, Txn) {
  const TxnRequest request{
      .compare = {{"/a", 0}, {"/b", 41}},
      .success = {PutRequest{"/a", "1", 77}, PutRequest{"/e", ""}, DeleteRequest{"/b"}},
      .failure = {RangeRequest{.key = "/a", .keys_only = true}}};
  EXPECT_EQ(encode(request),
            R"({"compare":[{"key":"L2E=","result":"EQUAL","target":"MOD"},)"
            R"({"key":"L2I=","mod_revision":"41","result":"EQUAL","target":"MOD"}],)"
            R"("failure":[{"request_range":{"key":"L2E=","keys_only":true}}],)"
            R"("success":[{"request_put":{"key":"L2E=","lease":"77","value":"MQ=="}},)"
            R"({"request_put":{"key":"L2U="}},{"request_delete_range":{"key":"L2I="}}]})");
  EXPECT_EQ(encode(TxnRequest{}), "{}");
}

TEST(Requests, Watch) {
  EXPECT_EQ(
      encode(WatchRequest{"/a/", "/a0", 8}),
      R"({"create_request":{"key":"L2Ev","prev_kv":true,"progress_notify":true,"range_end":"L2Ew",)"
      R"("start_revision":"8"}})");
}

TEST(Requests, Leases) {
  EXPECT_EQ(encode(LeaseGrantRequest{15, 77}), R"({"ID":"77","TTL":"15"})");
  EXPECT_EQ(encode(LeaseRevokeRequest{77}), R"({"ID":"77"})");
  EXPECT_EQ(encode(LeaseKeepAliveRequest{77}), R"({"ID":"77"})");
}

TEST(Requests, AuthenticateAndStatus) {
  EXPECT_EQ(encode(AuthenticateRequest{"host-1", "a\"b"}),
            R"({"name":"host-1","password":"a\"b"})");
  EXPECT_EQ(encode_status_request(), "{}");
}

void collect_names(const json::Json& value, std::set<std::string>& names) {
  for (const auto& [name, member] : value.members()) {
    names.insert(name);
    collect_names(member, names);
  }
  if (value.is_array())
    for (const auto& element : value) collect_names(element, names);
}

// rpc.proto of etcd 3.4: KV, Watch, Lease, Auth. A name that is not there would be ignored.
TEST(Requests, HaveNoNameThatEtcdDoesNotKnow) {
  const std::vector<std::string> known{"key",
                                       "range_end",
                                       "limit",
                                       "revision",
                                       "keys_only",
                                       "compare",
                                       "success",
                                       "failure",
                                       "result",
                                       "target",
                                       "mod_revision",
                                       "request_range",
                                       "request_put",
                                       "request_delete_range",
                                       "value",
                                       "lease",
                                       "create_request",
                                       "start_revision",
                                       "prev_kv",
                                       "progress_notify",
                                       "TTL",
                                       "ID",
                                       "name",
                                       "password"};
  const RangeRequest range{"k", "l", 1, 1, true};
  std::set<std::string> names;
  for (const std::string& text :
       {encode(range),
        encode(
            TxnRequest{{{"k", 1}}, {PutRequest{"k", "v", 1}, DeleteRequest{"d"}, range}, {range}}),
        encode(WatchRequest{"k", "l", 1}), encode(LeaseGrantRequest{1, 1}),
        encode(LeaseRevokeRequest{1}), encode(LeaseKeepAliveRequest{1}),
        encode(AuthenticateRequest{"n", "p"}), encode_status_request()})
    collect_names(json::parse(text).value(), names);
  EXPECT_THAT(names, IsSubsetOf(known));
  EXPECT_EQ(names.size(), known.size()) << "a field is not sent any more";
}

// ---- answers

TEST(Answers, Range) {
  const auto answer = parse_range(
      R"({"header":{"cluster_id":"324952591200643719","member_id":"3319814642761637952",)"
      R"("revision":"5","raft_term":"2"},"kvs":[{"key":"YQ==","create_revision":"2",)"
      R"("mod_revision":"5","version":"4","lease":"77"},{"key":"Yg==","create_revision":"3",)"
      R"("mod_revision":"3","version":"1","value":"MQ=="}],"more":true,"count":"3"})");
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->revision, 5);
  EXPECT_TRUE(answer->more);
  EXPECT_THAT(answer->found, ElementsAre(KeyValue{"a", "", 5}, KeyValue{"b", "1", 3}));
}

TEST(Answers, RangeThatFoundNothingHasNoFields) {
  const auto answer = parse_range(R"({"header":{"revision":"5"}})");
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->found, IsEmpty());
  EXPECT_FALSE(answer->more);
}

TEST(Answers, TxnThatSucceeded) {
  const auto answer = parse_txn(
      R"({"header":{"revision":"2"},"succeeded":true,"responses":[{"response_put":{"header":)"
      R"({"revision":"2"}}},{"response_delete_range":{"header":{"revision":"2"},"deleted":"1"}}]})");
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->succeeded);
  EXPECT_EQ(answer->revision, 2);
  EXPECT_EQ(answer->found.size(), 2U);
}

TEST(Answers, TxnThatFailedSaysSoByLeavingAFieldOut) {
  const auto answer = parse_txn(
      R"({"header":{"revision":"7"},"responses":[{"response_range":{"header":{"revision":"7"},)"
      R"("kvs":[{"key":"YQ==","mod_revision":"6"}],"count":"1"}},{"response_range":{"header":)"
      R"({"revision":"7"}}}]})");
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->succeeded);
  ASSERT_EQ(answer->found.size(), 2U);
  EXPECT_THAT(answer->found[0], ElementsAre(KeyValue{"a", "", 6}));
  EXPECT_THAT(answer->found[1], IsEmpty());
}

TEST(Answers, NamesMayBeCamelCaseAndNumbersPlain) {
  const auto answer =
      parse_txn(R"({"header":{"clusterId":1,"revision":7},"responses":[{"responseRange":{"kvs":)"
                R"([{"key":"YQ==","modRevision":6}]}}]})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->revision, 7);
  EXPECT_THAT(answer->found.at(0), ElementsAre(KeyValue{"a", "", 6}));
}

WatchAnswer watch_answer(std::string_view line) {
  const auto parsed = parse_watch_line(line);
  EXPECT_TRUE(parsed) << parsed.error().text;
  if (!parsed || !std::holds_alternative<WatchAnswer>(*parsed)) return {};
  return std::get<WatchAnswer>(*parsed);
}

TEST(WatchLines, Created) {
  const auto answer = watch_answer(
      R"({"result":{"header":{"cluster_id":"324952591200643719","member_id":"33198146427",)"
      R"("revision":"5","raft_term":"2"},"created":true}})");
  EXPECT_TRUE(answer.created);
  EXPECT_EQ(answer.cluster_id, "324952591200643719");
  EXPECT_THAT(answer.events, IsEmpty());
}

TEST(WatchLines, Events) {
  const auto answer = watch_answer(
      R"({"result":{"header":{"revision":"9"},"events":[{"kv":{"key":"YQ==","create_revision":"8",)"
      R"("mod_revision":"8","version":"1","value":"MQ=="}},{"type":"DELETE","kv":{"key":"YQ==",)"
      R"("mod_revision":"9"},"prev_kv":{"key":"YQ==","mod_revision":"8","value":"MQ=="}}]}})");
  EXPECT_EQ(answer.revision, 9);
  EXPECT_THAT(answer.events, ElementsAre(WatchEvent{WatchEvent::Type::kPut, {"a", "1", 8}},
                                         WatchEvent{WatchEvent::Type::kDelete, {"a", "", 9}, "1"}));
}

TEST(WatchLines, ProgressHeartbeat) {
  const auto answer = watch_answer(R"({"result":{"header":{"revision":"9","raft_term":"2"}}})");
  EXPECT_FALSE(answer.created || answer.canceled);
  EXPECT_EQ(answer.revision, 9);
}

TEST(WatchLines, Compacted) {
  const auto answer = watch_answer(
      R"({"result":{"header":{"cluster_id":"324952591200643719","raft_term":"2"},"canceled":true,)"
      R"("compact_revision":"4"}})");
  EXPECT_TRUE(answer.canceled);
  EXPECT_EQ(answer.compact_revision, 4);
}

TEST(WatchLines, Refused) {
  const auto parsed = parse_watch_line(
      R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader",)"
      R"("http_status":"Service Unavailable"}})");
  ASSERT_TRUE(parsed);
  const auto& refusal = std::get<Refusal>(*parsed);
  EXPECT_EQ(refusal.code, 14);
  EXPECT_EQ(refusal.text, "etcdserver: no leader");
}

TEST(WatchLines, AnEventOfAKindThatIsNotKnownIsAnError) {
  EXPECT_FALSE(parse_watch_line(R"({"result":{"events":[{"type":"MERGE","kv":{"key":"YQ=="}}]}})"));
}

TEST(Leases, AreBeatenFor) {
  const auto heartbeat =
      parse_lease_keep_alive(R"({"result":{"header":{"revision":"1"},"ID":"77","TTL":"60"}})"
                             "\n");
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(std::get<LeaseAnswer>(*heartbeat).ttl, 60);
}

TEST(Leases, OneThatIsGoneHasNoTime) {
  const auto heartbeat =
      parse_lease_keep_alive(R"({"result":{"header":{"revision":"1"},"ID":"78"}})");
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(std::get<LeaseAnswer>(*heartbeat).ttl, 0);
}

TEST(Answers, Status) {
  const auto leader = parse_status(
      R"({"header":{"member_id":"3319814642761637952","revision":"5"},"version":"3.4.23",)"
      R"("leader":"3319814642761637952","raftTerm":"2"})");
  ASSERT_TRUE(leader);
  EXPECT_EQ(leader->leader_id, leader->member_id);
  EXPECT_EQ(leader->version, "3.4.23");
  EXPECT_EQ(parse_status(R"({"header":{"member_id":"12345678901234567890"}})")->leader_id, "");
}

TEST(Answers, Authenticate) {
  EXPECT_EQ(parse_authenticate(R"({"header":{},"token":"abc.7"})").value(), "abc.7");
  EXPECT_FALSE(parse_authenticate(R"({"header":{}})"));
}

TEST(Answers, WhatIsWrongIsNamed) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {R"({"kvs":[{"key":"YQ=="},{"key":"Y"}]})", "kvs[1].key"},
      {R"({"kvs":[{"key":"YQ==","mod_revision":"x"}]})", "kvs[0].mod_revision"},
      {R"({"kvs":[{"key":"YQ==","mod_revision":18446744073709551615}]})", "mod_revision"},
      {R"({"kvs":{}})", "kvs"},
      {R"({"more":"yes"})", "more"},
      {R"([])", "object"},
      {R"({"header":)", "not valid JSON"}};
  for (const auto& [text, part] : wrong) {
    const auto answer = parse_range(text);
    ASSERT_FALSE(answer) << text;
    EXPECT_EQ(answer.error().code, Code::kInvalid);
    EXPECT_THAT(answer.error().text, HasSubstr(part));
  }
}

TEST(Refusals, AreFoundInAnyShape) {
  const std::vector<std::tuple<std::string, int, std::string>> shapes{
      {R"({"error":"etcdserver: requested lease not found","message":"etcdserver: requested )"
       R"(lease not found","code":5})",
       5, "etcdserver: requested lease not found"},
      {R"({"code":14,"message":"etcdserver: no leader","details":[]})", 14,
       "etcdserver: no leader"},
      {R"({"error":{"grpc_code":16,"message":"bad token"}})", 16, "bad token"},
      {"upstream connect error\n", -1, "upstream connect error "},
      {"[1]", -1, "[1]"},
      {"", -1, ""}};
  for (const auto& [text, code, message] : shapes) {
    const Refusal refusal = parse_refusal(text);
    EXPECT_EQ(refusal.code, code) << text;
    EXPECT_EQ(refusal.text, message) << text;
  }
}

TEST(Refusals, ShowNoMoreThanALineOfWhatIsNotUnderstood) {
  EXPECT_EQ(parse_refusal(std::string(5000, '\x01')).text, std::string(200, ' '));
}

}  // namespace
}  // namespace fairlead::state::etcd
