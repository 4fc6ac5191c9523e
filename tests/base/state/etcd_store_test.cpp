// What only the etcd store promises: commits that happen once, deadlines, limits, certificates and
// users. One real etcd for all tests of the program.
#include "base/state/etcd_store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "base/process.h"
#include "tests/support/etcd_cluster.h"
#include "tests/support/lossy_proxy.h"

namespace fairlead::state {
namespace {

using fairlead::testing::EtcdCluster;
using fairlead::testing::EtcdFolder;
using fairlead::testing::LossyProxy;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

EtcdCluster& etcd() {
  static EtcdCluster cluster({});
  return cluster;
}

std::unique_ptr<EtcdStore> open(const EtcdConfig& config) {
  auto store = open_etcd_store(config);
  if (!store) throw std::runtime_error(store.error().text);
  return std::move(*store);
}

// ---- answers that get lost

class LostAnswers : public ::testing::Test {
 protected:
  // Asks the proxy first; without `second_way` nobody else.
  std::unique_ptr<EtcdStore> through_proxy(bool second_way = true) {
    EtcdConfig config{.endpoints = {proxy_.url()}, .prefix = prefix_, .deadline = 1500ms};
    if (second_way) config.endpoints.push_back(etcd().endpoint(0));
    auto store = open(config);
    // The lease of the receipts, and a connection, are there before anything is lost.
    EXPECT_TRUE(store->commit({.puts = {{"warm", "1"}}}));
    return store;
  }
  std::string value_of(const std::string& key) {
    const auto found = direct_->get(key);
    return found && *found ? (*found)->value : "<absent>";
  }

  void let_late_ones_arrive(int count) {
    proxy_.set(LossyProxy::Mode::kPass);
    for (int i = 0; i < 1000 && proxy_.late() < count; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(proxy_.late(), count);
  }

  std::string prefix_ = etcd().new_prefix();
  std::unique_ptr<EtcdStore> direct_ = open({.endpoints = {etcd().endpoint(0)}, .prefix = prefix_});
  LossyProxy proxy_{etcd().endpoint(0)};
};

TEST_F(LostAnswers, ACommitThatWasMadeIsFoundToBeSo) {
  const auto store = through_proxy();
  const auto before = *direct_->revision();
  proxy_.set(LossyProxy::Mode::kLoseAnswers);
  const auto done = store->commit({.preconditions = {{"k", kAbsent}}, .puts = {{"k", "1"}}});
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(proxy_.lost(), 1);
  EXPECT_EQ(done->revision, before + 1);
  EXPECT_EQ((**direct_->get("k")).revision, done->revision);
  EXPECT_EQ(*direct_->revision(), before + 1) << "it was made once";
}

TEST_F(LostAnswers, ACommitWithoutPreconditionsIsMadeOnceToo) {
  const auto store = through_proxy();
  const auto before = *direct_->revision();
  proxy_.set(LossyProxy::Mode::kLoseAnswers);
  ASSERT_TRUE(store->commit({.puts = {{"k", "1"}}, .deletes = {"warm"}}));
  EXPECT_EQ(*direct_->revision(), before + 1);
  EXPECT_EQ(value_of("k"), "1");
}

TEST_F(LostAnswers, ACommitThatWasNotMadeIsMade) {
  const auto store = through_proxy();
  proxy_.set(LossyProxy::Mode::kLoseRequests);
  ASSERT_TRUE(store->commit({.preconditions = {{"k", kAbsent}}, .puts = {{"k", "1"}}}));
  EXPECT_EQ(proxy_.lost(), 1);
  EXPECT_EQ(value_of("k"), "1");
}

TEST_F(LostAnswers, AConflictStaysOne) {
  const auto store = through_proxy();
  ASSERT_TRUE(direct_->commit({.puts = {{"k", "theirs"}}}));
  for (const auto mode : {LossyProxy::Mode::kLoseAnswers, LossyProxy::Mode::kLoseRequests}) {
    proxy_.set(mode);
    const auto done = store->commit({.preconditions = {{"k", kAbsent}}, .puts = {{"k", "ours"}}});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kConflict);
    EXPECT_THAT(done.error().text, HasSubstr("k exists already"));
    proxy_.set(LossyProxy::Mode::kPass);
  }
  EXPECT_EQ(value_of("k"), "theirs");
  proxy_.set(LossyProxy::Mode::kPass);
  EXPECT_TRUE(store->commit({.puts = {{"k", "ours"}}})) << "the store goes on";
}

// What a member holds for seconds, or a new leader finds in its log.
TEST_F(LostAnswers, ARequestThatArrivesLateIsNotMadeAgain) {
  const auto store = through_proxy();
  proxy_.set(LossyProxy::Mode::kHoldRequests);
  ASSERT_TRUE(store->commit({.puts = {{"k", "ours"}}}));
  ASSERT_TRUE(direct_->commit({.puts = {{"k", "theirs"}}}));
  let_late_ones_arrive(1);
  EXPECT_EQ(value_of("k"), "theirs");
}

TEST_F(LostAnswers, WhatWasCalledAConflictIsNotMadeLater) {
  const auto store = through_proxy();
  ASSERT_TRUE(direct_->commit({.puts = {{"k", "theirs"}}}));
  proxy_.set(LossyProxy::Mode::kHoldRequests);
  const auto done = store->commit({.preconditions = {{"k", kAbsent}}, .puts = {{"k", "ours"}}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kConflict);
  ASSERT_TRUE(direct_->commit({.deletes = {"k"}}));
  let_late_ones_arrive(1);
  EXPECT_EQ(value_of("k"), "<absent>");
}

TEST_F(LostAnswers, WhatCannotBeDecidedIsSaid) {
  const auto store = through_proxy(/*second_way=*/false);
  proxy_.set(LossyProxy::Mode::kLoseAnswers);
  const auto done = store->commit({.puts = {{"k", "1"}}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_THAT(done.error().text, HasSubstr("it is not known whether the change was made"));
  EXPECT_THAT(done.error().text, HasSubstr(proxy_.url()));
  EXPECT_EQ(value_of("k"), "1");
  proxy_.set(LossyProxy::Mode::kPass);
  EXPECT_TRUE(store->commit({.puts = {{"k", "2"}}}));
  EXPECT_EQ(value_of("k"), "2");
}

TEST_F(LostAnswers, IncrementsAreCountedOnceEach) {
  const auto store = through_proxy();
  constexpr int kTimes = 60;
  std::jthread weather([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      proxy_.set(i % 3 == 0   ? LossyProxy::Mode::kLoseAnswers
                 : i % 3 == 1 ? LossyProxy::Mode::kLoseRequests
                              : LossyProxy::Mode::kPass);
      std::this_thread::sleep_for(7ms);
    }
  });
  for (int i = 0; i < kTimes; ++i) {
    const auto found = store->get("counter");
    ASSERT_TRUE(found) << found.error().text;
    const int count = *found ? std::stoi((*found)->value) : 0;
    const auto done =
        store->commit({.preconditions = {{"counter", *found ? (*found)->revision : kAbsent}},
                       .puts = {{"counter", std::to_string(count + 1)}}});
    ASSERT_TRUE(done) << done.error().text;
  }
  EXPECT_EQ(value_of("counter"), std::to_string(kTimes));
}

TEST_F(LostAnswers, ALeaseIsGrantedAndFoundAgain) {
  const auto store = through_proxy();
  proxy_.set(LossyProxy::Mode::kLoseAnswers);
  const auto lease = store->grant(60s);
  ASSERT_TRUE(lease) << lease.error().text;
  EXPECT_EQ(proxy_.lost(), 1);
  EXPECT_TRUE(*direct_->heartbeat(*lease));
}

TEST_F(LostAnswers, AWatchWhoseStreamBreaksMissesAndRepeatsNothing) {
  const auto store = through_proxy();
  std::mutex mutex;
  std::vector<std::string> seen;
  const auto watch = store->watch("n/", *store->revision(), [&](const std::vector<Event>& events) {
    const std::scoped_lock hold(mutex);
    for (const Event& event : events) seen.push_back(event.record.value);
  });
  ASSERT_TRUE(watch);
  std::vector<std::string> expected;
  for (int i = 0; i < 60; ++i) {
    proxy_.set(i % 10 == 9 ? LossyProxy::Mode::kLoseAnswers : LossyProxy::Mode::kPass);
    expected.push_back(std::to_string(i));
    ASSERT_TRUE(direct_->commit({.puts = {{"n/k", expected.back()}}}));
    std::this_thread::sleep_for(10ms);
  }
  proxy_.set(LossyProxy::Mode::kPass);
  const auto until = steady_clock::now() + 10s;
  const auto all = [&] {
    const std::scoped_lock hold(mutex);
    return seen;
  };
  while (all().size() < expected.size() && steady_clock::now() < until)
    std::this_thread::sleep_for(20ms);
  EXPECT_EQ(all(), expected);
  EXPECT_GT(proxy_.lost(), 0);
}

// ---- nobody answers

TEST(EtcdStore, SaysWhoDoesNotAnswerAndWhy) {
  const auto store = open({.endpoints = {"http://127.0.0.1:1", "http://[::1]:2"},
                           .call_timeout = 200ms,
                           .deadline = 700ms});
  const auto before = steady_clock::now();
  const auto done = store->commit({.puts = {{"k", "1"}}});
  const auto took = steady_clock::now() - before;
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  for (const char* part : {"http://127.0.0.1:1: Connection refused", "http://[::1]:2: ", "700 ms"})
    EXPECT_THAT(done.error().text, HasSubstr(part));
  EXPECT_GT(took, 500ms);
  EXPECT_LT(took, 3s);
  EXPECT_EQ(store->get("k").error().code, Code::kUnavailable);
  EXPECT_EQ(store->watch("", 0, [](const auto&) {}).error().code, Code::kUnavailable);
  EXPECT_EQ(store->grant(10s).error().code, Code::kUnavailable);
  EXPECT_THAT(store->members().front().error, HasSubstr("refused"));
}

TEST(EtcdStore, ANameThatNobodyKnowsIsAnErrorInTime) {
  const auto store = open({.endpoints = {"http://etcd.invalid:2379"}, .deadline = 1000ms});
  const auto found = store->get("k");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kUnavailable);
  EXPECT_THAT(found.error().text, HasSubstr("etcd.invalid"));
}

// ---- limits

TEST(EtcdStore, ATransactionThatEtcdWouldNotTakeIsRefused) {
  const auto store = open({.endpoints = etcd().endpoints(), .prefix = etcd().new_prefix()});
  Txn many;
  for (std::size_t i = 0; i <= kMostEtcdChanges; ++i) many.deletes.push_back(std::to_string(i));
  Txn checks;
  for (std::size_t i = 0; i <= kMostEtcdChanges; ++i)
    checks.preconditions.push_back({std::to_string(i), kAbsent});
  const Txn big{.puts = {{"a", std::string(1'000'000, 'x')}, {"b", std::string(500'000, 'x')}}};
  for (const Txn& txn : {many, checks, big}) {
    const auto done = store->commit(txn);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kInvalid);
    EXPECT_THAT(done.error().text, HasSubstr("divide it"));
  }
}

TEST(EtcdStore, TheLargestTransactionIsTaken) {
  const auto store = open({.endpoints = etcd().endpoints(), .prefix = etcd().new_prefix()});
  Txn txn;
  for (std::size_t i = 0; i < kMostEtcdChanges; ++i) {
    const std::string key = fmt::format("{:0>400}", i);
    txn.preconditions.push_back({key, kAbsent});
    txn.puts.push_back({key, std::string(10'000, 'x')});
  }
  const auto done = store->commit(txn);
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(store->list("")->size(), kMostEtcdChanges);
}

TEST(EtcdStore, AListOfSeveralPagesIsWhole) {
  const auto store = open({.endpoints = etcd().endpoints(), .prefix = etcd().new_prefix()});
  constexpr int kRecords = 4567;  // pages grow
  for (int i = 0; i < kRecords;) {
    Txn txn;
    for (; i < kRecords && txn.puts.size() < kMostEtcdChanges; ++i)
      txn.puts.push_back({fmt::format("k/{:05}", i), "1"});
    ASSERT_TRUE(store->commit(txn));
  }
  const auto all = store->list("k/");
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), static_cast<std::size_t>(kRecords));
  for (int i = 0; i < kRecords; ++i)
    EXPECT_EQ((*all)[static_cast<std::size_t>(i)].key, fmt::format("k/{:05}", i));
  EXPECT_EQ(store->list("k/", "k/00999", 1200)->back().key, "k/02199");
}

TEST(EtcdStore, ClustersBesideEachOtherDoNotSeeEachOther) {
  const std::string prefix = etcd().new_prefix();
  const auto one = open({.endpoints = etcd().endpoints(), .prefix = prefix + "a/"});
  const auto two = open({.endpoints = etcd().endpoints(), .prefix = prefix + "ab/"});
  ASSERT_TRUE(two->commit({.puts = {{"k", "1"}}}));
  EXPECT_FALSE(*one->get("k"));
  EXPECT_EQ(one->list("")->size(), 0U);
  EXPECT_EQ(two->list("")->size(), 1U) << "receipts are not seen";
}

TEST(EtcdStore, AWrongConfigurationIsNamed) {
  const std::vector<std::pair<EtcdConfig, std::string>> wrong{
      {{}, "no endpoint"},
      {{.endpoints = {"127.0.0.1:2379"}}, "http://HOST:PORT"},
      {{.endpoints = {"http://a:1"}, .prefix = "fairlead"}, "prefix"},
      {{.endpoints = {"http://a:1"}, .certificate_file = "/c"}, "certificate"},
      {{.endpoints = {"http://a:1"}, .user = "u"}, "password"},
      {{.endpoints = {"http://a:1"}, .deadline = 10ms}, "deadline"}};
  for (const auto& [config, part] : wrong) {
    const auto store = open_etcd_store(config);
    ASSERT_FALSE(store) << part;
    EXPECT_EQ(store.error().code, Code::kInvalid);
    EXPECT_THAT(store.error().text, HasSubstr(part));
  }
}

TEST(EtcdStore, TellsOfItsMembers) {
  const auto store = open({.endpoints = {etcd().endpoint(0), "http://127.0.0.1:1"}});
  const auto members = store->members();
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].error, "");
  EXPECT_TRUE(members[0].is_leader);
  EXPECT_THAT(members[0].version, ::testing::StartsWith("3."));
  EXPECT_NE(members[1].error, "");
}

// ---- certificates and users

void run(const std::vector<std::string>& words) {
  const auto done = run_process(words, 30s);
  if (!done || done->exit_code != 0)
    throw std::runtime_error(words[0] + ": " + (done ? done->err : done.error().text));
}

void write(const std::string& path, const std::string& text, unsigned mode = 0600) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
}

// A CA and what it signed, in a folder.
class Certificates {
 public:
  Certificates() { make_ca("ca"); }
  void make_ca(const std::string& name) {
    run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=" + name, "-keyout", path(name + ".key"), "-out",
         path(name + ".pem")});
  }
  void sign(const std::string& name, const std::string& subject, const std::string& extensions,
            const std::string& ca = "ca") {
    run({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", subject, "-keyout", path(name + ".key"), "-out", path(name + ".csr")});
    write(path(name + ".ext"), extensions);
    run({"openssl", "x509", "-req", "-in", path(name + ".csr"), "-CA", path(ca + ".pem"), "-CAkey",
         path(ca + ".key"), "-CAcreateserial", "-days", "2", "-extfile", path(name + ".ext"),
         "-out", path(name + ".pem")});
  }
  std::string path(const std::string& name = "") const { return folder_.path(name); }

 private:
  EtcdFolder folder_;
};

// The gateway of etcd dials its own server with the server's certificate, hence clientAuth.
constexpr const char* kServer =
    "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
constexpr const char* kClient = "extendedKeyUsage=clientAuth\n";

class SecureEtcd : public ::testing::Test {
 protected:
  SecureEtcd() {
    certificates_.sign("server", "/CN=etcd", kServer);
    certificates_.sign("client", "/O=fairlead", kClient);
    etcd_ = std::make_unique<EtcdCluster>(EtcdCluster::Options{.certificates = path("")});
  }
  std::string path(const std::string& name) const { return certificates_.path(name); }
  EtcdConfig config() const {
    return {.endpoints = etcd_->endpoints(),
            .ca_file = path("ca.pem"),
            .certificate_file = path("client.pem"),
            .key_file = path("client.key"),
            .deadline = 2s};
  }
  static std::string failure(const EtcdConfig& config) {
    const auto found = open(config)->get("k");
    return found ? "no failure" : found.error().text;
  }
  // Switches authentication on, with a user for the default prefix.
  void add_user(const std::string& name, const std::string& password) {
    const std::string quoted = "\"" + name + "\"";
    for (const std::string& user : {std::string(R"({"name":"root","password":"r"})"),
                                    R"({"name":)" + quoted + R"(,"password":")" + password + "\"}"})
      etcd_->post(0, "/v3/auth/user/add", user);
    etcd_->post(0, "/v3/auth/role/add", R"({"name":"root"})");
    etcd_->post(0, "/v3/auth/role/add", R"({"name":"agent"})");
    // "/fairlead/v1/default/" to "/fairlead/v1/default0"
    etcd_->post(0, "/v3/auth/role/grant",
                R"({"name":"agent","perm":{"permType":"READWRITE",)"
                R"("key":"L2ZhaXJsZWFkL3YxL2RlZmF1bHQv",)"
                R"("range_end":"L2ZhaXJsZWFkL3YxL2RlZmF1bHQw"}})");
    etcd_->post(0, "/v3/auth/user/grant", R"({"user":"root","role":"root"})");
    etcd_->post(0, "/v3/auth/user/grant", R"({"user":)" + quoted + R"(,"role":"agent"})");
    etcd_->post(0, "/v3/auth/enable", "{}");
  }

  Certificates certificates_;
  std::unique_ptr<EtcdCluster> etcd_;
};

TEST_F(SecureEtcd, AnswersAClientWithACertificate) {
  const auto store = open(config());
  const auto done = store->commit({.puts = {{"k", "1"}}});
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ((**store->get("k")).value, "1");
}

TEST_F(SecureEtcd, IsNotTrustedWithAnotherCaOrNameNorTrustsAnotherClient) {
  certificates_.make_ca("other");
  EtcdConfig wrong_ca = config();
  wrong_ca.ca_file = path("other.pem");
  EXPECT_THAT(failure(wrong_ca), HasSubstr("certificate verify failed"));

  EtcdConfig wrong_name = config();
  wrong_name.endpoints[0].replace(wrong_name.endpoints[0].find("127.0.0.1"), 9, "localhost");
  EXPECT_THAT(failure(wrong_name), HasSubstr("certificate verify failed"));

  EtcdConfig no_certificate = config();
  no_certificate.certificate_file = no_certificate.key_file = "";
  EXPECT_THAT(failure(no_certificate), HasSubstr("certificate"));

  certificates_.sign("stranger", "/O=fairlead", kClient, "other");
  EtcdConfig stranger = config();
  stranger.certificate_file = path("stranger.pem");
  stranger.key_file = path("stranger.key");
  EXPECT_THAT(failure(stranger), HasSubstr("etcd did not answer"));

  EtcdConfig no_file = config();
  no_file.ca_file = path("none.pem");
  EXPECT_THAT(failure(no_file), HasSubstr("none.pem cannot be used"));
}

TEST_F(SecureEtcd, RenewedCertificatesAreUsedWithoutARestart) {
  EtcdConfig renewed = config();
  renewed.certificate_file = path("renewed.pem");
  renewed.key_file = path("renewed.key");
  const auto store = open(renewed);
  ASSERT_FALSE(store->get("k"));
  certificates_.sign("renewed", "/O=fairlead", kClient);
  const auto found = store->get("k");
  EXPECT_TRUE(found) << found.error().text;
}

TEST_F(SecureEtcd, KnowsUsersByTheirPassword) {
  add_user("host-1", "secret");
  write(path("password"), "secret\n");
  write(path("wrong"), "guess\n");
  write(path("open"), "secret\n", 0644);
  EtcdConfig with_user = config();
  with_user.user = "host-1";
  with_user.password_file = path("password");
  const auto store = open(with_user);
  const auto done = store->commit({.puts = {{"k", "1"}}});
  ASSERT_TRUE(done) << done.error().text;

  std::atomic<int> seen{0};
  const auto watch = store->watch("", done->revision, [&](const std::vector<Event>&) { ++seen; });
  ASSERT_TRUE(watch) << watch.error().text;
  ASSERT_TRUE(store->commit({.puts = {{"k", "2"}}}));
  for (int i = 0; i < 500 && seen == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(seen, 1);

  with_user.password_file = path("wrong");
  EXPECT_THAT(failure(with_user), HasSubstr("authentication failed"));
  with_user.password_file = path("open");
  EXPECT_THAT(failure(with_user), HasSubstr("chmod 600"));
  with_user.password_file = path("password");
  with_user.prefix = "/fairlead/v1/other/";
  EXPECT_THAT(failure(with_user), HasSubstr("permission denied"));
}

TEST_F(SecureEtcd, AMemberThatForgotTheTokenIsGivenAnother) {
  add_user("host-1", "secret");
  write(path("password"), "secret");
  EtcdConfig with_user = config();
  with_user.user = "host-1";
  with_user.password_file = path("password");
  with_user.deadline = 10s;
  const auto store = open(with_user);
  const auto first = store->commit({.puts = {{"k", "1"}}});
  ASSERT_TRUE(first) << first.error().text;
  std::atomic<int> seen{0};
  const auto watch = store->watch("", first->revision, [&](const std::vector<Event>&) { ++seen; });
  ASSERT_TRUE(watch);
  etcd_->kill(0);
  etcd_->start(0);
  const auto done = store->commit({.puts = {{"k", "2"}}});
  ASSERT_TRUE(done) << done.error().text;
  for (int i = 0; i < 1000 && seen == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(seen, 1) << "the watch has a new token too";
}

}  // namespace
}  // namespace fairlead::state
