// Several hosts over one store in memory, with a clock that the test turns, leases that run out by
// it, and a door for each host that can be shut or can die.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/state/memory_store.h"
#include "network/cluster/cluster.h"
#include "network/cluster/keys.h"
#include "tests/network/cluster/service_steps.h"

namespace fairlead::network::cluster {

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

// The value itself, so that it can be gone through.
template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  ADD_FAILURE() << result.error().text;
  return T();
}

// What all hosts have in common.
struct World {
  std::atomic<long long> seconds = 1'000;  // of every clock
  std::unique_ptr<state::MemoryStore> store = new_store();

  // `wall`: how far the machine's clock on the wall is off, in seconds.
  Clock clock(const std::atomic<long long>& wall) {
    return {.running = [this] { return std::chrono::milliseconds(seconds * 1000); },
            .unix_time = [this, &wall] { return 1'800'000'000 + seconds + wall; }};
  }
  std::unique_ptr<state::MemoryStore> new_store() {
    return state::make_memory_store(state::kRememberedCommits, [this] {
      return std::chrono::steady_clock::time_point(std::chrono::seconds(seconds));
    });
  }
  struct Backup {
    std::vector<state::Record> records;
    std::int64_t revision = 0;
  };
  Backup back_up() { return {must(store->list("")), must(store->revision())}; }
  // As etcd does: the same revisions, and leases that begin again.
  void put_back(const Backup& backup) {
    std::map<std::int64_t, state::Txn> commits;
    auto fresh = new_store();
    for (const state::Record& record : backup.records) {
      const bool is_live = record.key.starts_with(keys::kLives);
      commits[record.revision].puts.push_back(
          {record.key, record.value, is_live ? must(fresh->grant(kLiveSeconds)) : 0});
    }
    for (std::int64_t revision = 1; revision <= backup.revision; ++revision) {
      const auto found = commits.find(revision);
      EXPECT_TRUE(fresh->commit(found != commits.end() ? found->second
                                                       : state::Txn{.puts = {{"filler", "{}"}}}));
    }
    store = std::move(fresh);
  }
  void pass(long long by) {
    seconds += by;
    EXPECT_TRUE(store->revision());  // leases end when the store is used
  }
};

// Thrown where a process dies.
struct Crash {};

// When a process dies: at its n-th commit from now, before or after it was applied.
struct Fate {
  enum class When { kBefore, kAfter };
  int commits_left = 0;  // 0: it lives on
  When when = When::kBefore;

  bool dies_now(When at) {
    if (commits_left == 0 || when != at) return false;
    return --commits_left == 0;
  }
};

// A store as one process sees it.
class HostStores : public state::Store, public state::Leases {
 public:
  HostStores(std::unique_ptr<state::MemoryStore>& store, Fate& fate) : store_(store), fate_(fate) {}

  bool is_open = true;
  // How many answers of commits are lost from now on: the change is made, the caller sees an error.
  int lost_answers = 0;
  int calls = 0;
  std::size_t records_read = 0;
  // Happens once, between what was read for the next commit and that commit.
  std::function<void()> meanwhile;

  Result<std::optional<state::Record>> get(std::string_view key) override {
    TRY_STATUS(pass());
    ++records_read;
    return store_->get(key);
  }
  Result<std::vector<state::Record>> list(std::string_view prefix, std::string_view start_after,
                                          std::size_t limit) override {
    TRY_STATUS(pass());
    auto found = store_->list(prefix, start_after, limit);
    if (found) records_read += found->size();
    return found;
  }
  Result<state::CommitResult> commit(const state::Txn& txn) override {
    TRY_STATUS(pass());
    if (const auto happens = std::exchange(meanwhile, nullptr)) happens();
    if (fate_.dies_now(Fate::When::kBefore)) throw Crash();
    auto done = store_->commit(txn);
    if (fate_.dies_now(Fate::When::kAfter)) throw Crash();
    if (lost_answers == 0) return done;
    --lost_answers;
    return fail(Code::kUnavailable, "commit: no answer; it is not known whether it was made");
  }
  Result<std::unique_ptr<state::Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<state::Event>&)> on_events) override {
    TRY_STATUS(pass());
    return store_->watch(prefix, after, std::move(on_events));
  }
  Result<std::int64_t> revision() override {
    TRY_STATUS(pass());
    return store_->revision();
  }

  Result<state::LeaseId> grant(std::chrono::seconds time_to_live) override {
    TRY_STATUS(pass());
    return store_->grant(time_to_live);
  }
  Result<bool> heartbeat(state::LeaseId id) override {
    TRY_STATUS(pass());
    return store_->heartbeat(id);
  }
  Status revoke(state::LeaseId id) override {
    TRY_STATUS(pass());
    return store_->revoke(id);
  }

 private:
  Status pass() {
    ++calls;
    if (is_open) return {};
    return fail(Code::kUnavailable, "the store does not answer");
  }

  std::unique_ptr<state::MemoryStore>& store_;  // the one that is there now
  Fate& fate_;
};

// A machine: its disk (the local store) outlives its processes.
class Machine {
 public:
  Machine(World& world, std::string called, std::string id, std::string_view vtep,
          unsigned underlay_mtu = 1500)
      : name(std::move(called)),
        info{.id = std::move(id),
             .name = name,
             .vtep = ip(vtep),
             .underlay_mtu = underlay_mtu,
             .version = "0.1.0"},
        world_(world) {
    start();
  }

  std::atomic<long long> wall = 0;  // seconds that its clock on the wall is off

  // A new process; the one before is gone without a word.
  void start() {
    fate = {};
    service.reset();
    cluster.reset();
    const bool open = !shared || shared->is_open;
    shared = std::make_unique<HostStores>(world_.store, fate);
    shared->is_open = open;
    local = std::make_unique<HostStores>(disk_, fate);
    cluster = std::make_unique<Cluster>(MembershipParts{*shared, *local, *shared, info, boot},
                                        world_.clock(wall));
    service = std::make_unique<ServiceSteps>(addresses(), *local, boot);
  }
  void reboot() {
    boot = fmt::format("boot-{}", ++boots_);
    start();
  }
  // Another machine with a copy of this one's disk.
  void copy_disk_to(Machine& other) const {
    state::Txn txn;
    for (const state::Record& record : must(disk_->list("")))
      txn.puts.push_back({record.key, record.value});
    ASSERT_TRUE(other.disk_->commit(txn));
  }

  Membership& membership() { return cluster->membership(); }
  Networks& networks() { return cluster->networks(); }
  Addresses& addresses() { return cluster->addresses(); }
  Endpoints& endpoints() { return cluster->endpoints(); }

  Result<IpAddress> allocate(const SharedNetwork& network, const std::string& endpoint,
                             Family family = Family::kV4, std::optional<IpAddress> wanted = {}) {
    return service->allocate(network, endpoint, family, wanted);
  }
  Status release(const SharedNetwork& network, const IpAddress& address,
                 const std::string& endpoint) {
    return service->release(network, address, endpoint);
  }
  Status maintain() { return addresses().maintain(*service); }

  const std::string name;
  HostInfo info;  // of the processes that start from now on
  Fate fate;
  std::string boot = "boot-0";
  std::unique_ptr<HostStores> shared, local;
  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<ServiceSteps> service;

 private:
  World& world_;
  std::unique_ptr<state::MemoryStore> disk_ = state::make_memory_store();
  int boots_ = 0;
};

class ClusterTest : public ::testing::Test {
 protected:
  Machine& machine(const std::string& name) {
    auto& found = machines_[name];
    if (!found) {
      const auto number = machines_.size();
      found = std::make_unique<Machine>(world_, name, fmt::format("{:032x}", number),
                                        fmt::format("192.0.2.{}", number));
    }
    return *found;
  }
  Machine& joined(const std::string& name) {
    Machine& one = machine(name);
    const auto answer = one.membership().join();
    EXPECT_TRUE(answer) << answer.error().text;
    return one;
  }
  SharedNetwork make_network(Machine& host, const std::string& name, std::string_view subnet = {}) {
    NetworkSpec wanted = spec(name, subnet);
    // Which blocks the hosts claim first follows from the id: the same ones in each run.
    wanted.id = fmt::format("{:064x}", ++networks_made_);
    const auto made = host.networks().create_or_join(wanted, {});
    EXPECT_TRUE(made) << made.error().text;
    return made ? *made : SharedNetwork{};
  }
  static NetworkSpec spec(const std::string& name, std::string_view subnet = {}) {
    NetworkSpec wanted{.name = NetworkName::parse(name).value()};
    wanted.options.mode = "overlay";
    if (!subnet.empty()) wanted.subnets = {{.subnet = cidr(subnet)}};
    return wanted;
  }
  static SharedEndpoint endpoint(const SharedNetwork& network, const std::string& id,
                                 const IpAddress& address) {
    return {.id = id,
            .network_id = network.id,
            .addresses = {address},
            .mac = MacAddress::for_ip(address),
            .container = "c-" + id,
            .state = EndpointState::kReady};
  }
  // Every record of the shared store as it is, with its revision: equal when nobody wrote anything.
  std::vector<std::string> written() {
    std::vector<std::string> all;
    for (const state::Record& record : must(world_.store->list("")))
      all.push_back(fmt::format("{} {} {}", record.key, record.revision, record.value));
    return all;
  }
  HostRecord record_of(const Machine& host) {
    const auto found = must(read<HostRecord>(*world_.store, keys::host(host.info.id)));
    return found ? found->value : HostRecord{};
  }
  // How many keys begin with `part`, or have it after their network: "net/", "blk/".
  std::size_t count(std::string_view part) {
    const auto all = must(world_.store->list(""));
    return static_cast<std::size_t>(std::ranges::count_if(all, [&](const state::Record& record) {
      return record.key.starts_with(part) ||
             record.key.find(fmt::format("/{}", part)) != std::string::npos;
    }));
  }

  World world_;
  std::map<std::string, std::unique_ptr<Machine>> machines_;
  std::uint64_t networks_made_ = 0;
};

}  // namespace fairlead::network::cluster
