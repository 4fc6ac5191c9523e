// Hosts over a real etcd of three members, while members die and are paused and connections break:
// no address is given twice, and once all is well every host knows every endpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "base/state/etcd_store.h"
#include "base/state/memory_store.h"
#include "base/state/sqlite_store.h"
#include "network/cluster/cluster.h"
#include "network/cluster/keys.h"
#include "network/cluster/peers.h"
#include "tests/network/cluster/service_steps.h"
#include "tests/support/etcd_cluster.h"
#include "tests/support/lossy_proxy.h"

namespace fairlead::network::cluster {
namespace {

using fairlead::testing::EtcdCluster;
using fairlead::testing::EtcdFolder;
using fairlead::testing::LossyProxy;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kMembers = 3;

// Who has which address, of all hosts.
class Register {
 public:
  void take(const IpAddress& address, const std::string& who) {
    const std::scoped_lock hold(guard_);
    const auto [found, fresh] = holders_.try_emplace(address, who);
    EXPECT_TRUE(fresh) << address.to_string() << " was given to " << who << " while "
                       << found->second << " has it";
    ++taken_;
  }
  void drop(const IpAddress& address) {
    const std::scoped_lock hold(guard_);
    holders_.erase(address);
  }
  std::size_t taken() {
    const std::scoped_lock hold(guard_);
    return taken_;
  }

 private:
  std::mutex guard_;
  std::map<IpAddress, std::string> holders_;
  std::size_t taken_ = 0;
};

// One host: its stores, its control plane and what its kernel would hold.
class SimulatedHost {
 public:
  // `id`: of which host it says to be, when not of the one with its number.
  SimulatedHost(int number, const state::EtcdConfig& etcd, const EtcdFolder& folder, int id = 0)
      : name(fmt::format("h{}", number)),
        info{.id = fmt::format("{:032x}", id == 0 ? number : id),
             .name = name,
             .vtep = IpAddress::parse(fmt::format("192.0.2.{}", number)).value()},
        shared(std::move(*state::open_etcd_store(etcd))),
        local(number % 2 == 0 ? std::move(*state::open_sqlite_store(folder.path(name + ".db")))
                              : state::make_memory_store()),
        cluster({*shared, *local, *shared, info, "boot"}, system_clock()),
        service(cluster.addresses(), *local, "boot"),
        random_(static_cast<unsigned>(number)) {
    follow();
  }

  void follow() {
    peers = make_peers(
        *shared, {.host = info}, system_clock(),
        [this](const PeerChanges& changes) { return apply(changes); },
        [](const std::string&, const auto&) -> Status { return {}; });
  }
  Status apply(const PeerChanges& changes) {
    const std::scoped_lock hold(kernel_guard_);
    auto& entries = kernel_[changes.network_id];
    for (const RemoteEntry& entry : changes.to_remove) std::erase(entries, entry);
    for (const RemoteEntry& entry : changes.to_set) {
      std::erase_if(entries, [&](const RemoteEntry& one) { return one.ip == entry.ip; });
      entries.push_back(entry);
    }
    return {};
  }
  std::vector<RemoteEntry> kernel(const std::string& network_id) {
    const std::scoped_lock hold(kernel_guard_);
    auto entries = kernel_[network_id];
    std::ranges::sort(entries);
    return entries;
  }

  // Starts or ends a container, after a few that ended before they were published.
  void work(Register& given, const SharedNetwork& network, const SharedNetwork& busy) {
    for (int i = 0; i < 6; ++i) {
      const std::string id = fmt::format("{}-short-{}", name, ++containers_);
      const auto address = service.allocate(busy, id);
      if (!address) break;
      given.take(*address, id);
      given.drop(*address);
      EXPECT_TRUE(service.release(busy, *address, id));
    }
    work(given, network);
  }
  void work(Register& given, const SharedNetwork& network) {
    if (running.size() < 30 || random_() % 2 == 0)
      start_container(given, network);
    else
      end_container(given, network);
  }
  void live() {
    const auto answer = cluster.membership().keep_alive();
    if (answer) {
      EXPECT_NE(*answer, MembershipState::kRemoved) << name;
    }
    (void)cluster.addresses().maintain(service);
  }

  const std::string name;
  const HostInfo info;
  const std::unique_ptr<state::EtcdStore> shared;
  const std::unique_ptr<state::Store> local;
  Cluster cluster;
  ServiceSteps service;
  std::unique_ptr<Peers> peers;
  std::map<std::string, std::pair<SharedNetwork, SharedEndpoint>> running;  // by endpoint

 private:
  void start_container(Register& given, const SharedNetwork& network) {
    const std::string id = fmt::format("{}-{}", name, ++containers_);
    const auto address = service.allocate(network, id);
    if (!address) {
      EXPECT_TRUE(address.error().code == Code::kUnavailable ||
                  address.error().code == Code::kExhausted)
          << address.error().text;
      return;
    }
    given.take(*address, id);
    const SharedEndpoint endpoint{.id = id,
                                  .network_id = network.id,
                                  .addresses = {*address},
                                  .mac = MacAddress::for_ip(*address),
                                  .container = id,
                                  .state = EndpointState::kReady};
    running[id] = {network, endpoint};
    if (random_() % 3 == 0) (void)cluster.endpoints().publish(endpoint);  // or by publish_all
  }
  void end_container(Register& given, const SharedNetwork&) {
    auto found = running.begin();
    std::advance(found, static_cast<long>(random_() % running.size()));
    const auto [network, endpoint] = found->second;
    running.erase(found);
    (void)cluster.endpoints().withdraw(network.id, endpoint.id);
    given.drop(endpoint.addresses[0]);
    const auto released = service.release(network, endpoint.addresses[0], endpoint.id);
    EXPECT_TRUE(released || is_unreachable(released.error())) << released.error().text;
  }

  std::minstd_rand random_;
  int containers_ = 0;
  std::mutex kernel_guard_;
  std::map<std::string, std::vector<RemoteEntry>> kernel_;
};

// Again until it succeeds.
template <class Try>
void insist(Try attempt) {
  const auto until = steady_clock::now() + 20s;
  auto done = attempt();
  while (!done && steady_clock::now() < until) {
    std::this_thread::sleep_for(50ms);
    done = attempt();
  }
  ASSERT_TRUE(done) << done.error().text;
}

class ClusterOverEtcd : public ::testing::Test {
 protected:
  static constexpr int kHosts = 6;
  using Hosts = std::vector<std::unique_ptr<SimulatedHost>>;

  void SetUp() override {
    for (int i = 0; i < kMembers; ++i)
      proxies_.push_back(std::make_unique<LossyProxy>(etcd_.endpoint(i)));
    for (int i = 0; i < kHosts; ++i)
      hosts_.push_back(std::make_unique<SimulatedHost>(i + 1, config(i % kMembers), folder_));
  }
  void TearDown() override { hosts_.clear(); }

  state::EtcdConfig config(int first) const {
    state::EtcdConfig config{
        .prefix = prefix_, .call_timeout = 500ms, .deadline = 3s, .progress_interval = 500ms};
    for (int i = 0; i < kMembers; ++i)
      config.endpoints.push_back(proxies_[static_cast<std::size_t>((first + i) % kMembers)]->url());
    return config;
  }
  // All hosts at once, each on a thread of its own.
  template <class Work>
  void each(Work work) {
    std::latch begin(kHosts);
    std::vector<std::jthread> threads;
    for (const auto& host : hosts_)
      threads.emplace_back([&, one = host.get()] {
        begin.arrive_and_wait();
        work(*one);
      });
  }
  void lose(LossyProxy::Mode mode, milliseconds how_long) {
    for (const auto& proxy : proxies_) proxy->set(mode);
    std::this_thread::sleep_for(how_long);
    for (const auto& proxy : proxies_) proxy->set(LossyProxy::Mode::kPass);
  }
  void everything_goes_wrong() {
    const int leader = etcd_.leader();
    etcd_.kill(leader);
    std::this_thread::sleep_for(1500ms);
    etcd_.start(leader);
    lose(LossyProxy::Mode::kLoseAnswers, 200ms);
    std::this_thread::sleep_for(800ms);
    const int paused = etcd_.leader();
    etcd_.pause(paused);
    std::this_thread::sleep_for(1500ms);
    lose(LossyProxy::Mode::kLoseRequests, 200ms);
    etcd_.resume(paused);
    std::this_thread::sleep_for(800ms);
  }
  std::vector<RemoteEntry> expected_on(const SimulatedHost& host, const std::string& network_id) {
    std::vector<RemoteEntry> entries;
    for (const auto& other : hosts_) {
      if (other->name == host.name) continue;
      for (const auto& [id, one] : other->running)
        if (one.first.id == network_id)
          entries.push_back({one.second.addresses[0], one.second.mac, other->info.vtep});
    }
    std::ranges::sort(entries);
    return entries;
  }

  EtcdCluster etcd_{{.members = kMembers, .heartbeat = "50", .election = "500"}};
  std::string prefix_ = etcd_.new_prefix();
  EtcdFolder folder_;
  std::vector<std::unique_ptr<LossyProxy>> proxies_;
  Hosts hosts_;
};

PeerNetwork view_of(const SharedNetwork& network) {
  return {.id = network.id, .name = network.name.str(), .subnets = network.subnets, .macs = {}};
}

NetworkSpec spec(const std::string& name, std::string_view subnet) {
  NetworkSpec wanted{.name = NetworkName::parse(name).value()};
  wanted.options.mode = "overlay";
  wanted.subnets = {{.subnet = Cidr::parse(subnet).value()}};
  return wanted;
}

TEST_F(ClusterOverEtcd, GivesNoAddressTwiceAndAgreesAgainWhateverFails) {
  std::mutex guard;
  std::map<std::string, std::vector<SharedNetwork>> seen;
  each([&](SimulatedHost& host) {
    insist([&] { return host.cluster.membership().join(); });
    for (const auto& [name, subnet] :
         {std::pair("large", "10.9.0.0/19"), std::pair("small", "10.9.240.0/24")})
      insist([&, &name = name, &subnet = subnet] {
        auto made = host.cluster.networks().create_or_join(spec(name, subnet), {});
        const std::scoped_lock hold(guard);
        if (made) seen[name].push_back(*made);
        return made;
      });
  });
  ASSERT_EQ(hosts_[0]->shared->list(keys::kNetworks)->size(), 2U);
  for (const auto& [name, networks] : seen) {
    ASSERT_EQ(networks.size(), static_cast<std::size_t>(kHosts)) << name;
    for (const SharedNetwork& one : networks) ASSERT_EQ(one, networks[0]);
  }
  const SharedNetwork large = seen["large"][0], small = seen["small"][0];
  for (const auto& host : hosts_)
    for (const SharedNetwork& network : {large, small})
      ASSERT_TRUE(host->peers->attach(view_of(network)));

  Register given;
  {
    std::vector<std::jthread> threads;
    for (const auto& host : hosts_) {
      threads.emplace_back([&, one = host.get()](const std::stop_token& stop) {
        for (unsigned i = 0; !stop.stop_requested(); ++i)
          one->work(given, i % 8 == 0 ? small : large, large);
      });
      threads.emplace_back([one = host.get()](const std::stop_token& stop) {
        for (; !stop.stop_requested(); std::this_thread::sleep_for(250ms)) one->live();
      });
    }
    // Three times, and more often where hosts are slow.
    for (int round = 0; round < 3 || (round < 20 && given.taken() <= 2'000U); ++round)
      everything_goes_wrong();
  }
  etcd_.wait_until_ready();
  const auto healed = steady_clock::now();
  each([&](SimulatedHost& host) {
    std::vector<SharedEndpoint> endpoints;
    for (const auto& [id, one] : host.running) endpoints.push_back(one.second);
    insist([&] { return host.cluster.membership().keep_alive(); });
    insist([&] { return host.cluster.endpoints().publish_all(endpoints); });
  });
  const auto published = steady_clock::now();
  std::size_t entries = 0;
  for (const SharedNetwork& network : {large, small})
    for (const auto& host : hosts_) {
      const auto wanted = expected_on(*host, network.id);
      while (host->kernel(network.id) != wanted && steady_clock::now() < published + 15s)
        std::this_thread::sleep_for(2ms);
      EXPECT_EQ(host->kernel(network.id), wanted) << host->name;
      EXPECT_EQ(host->peers->entries(network.id), wanted) << host->name;
      entries += wanted.size();
    }
  const auto in = [](auto from, auto to) {
    return std::chrono::duration_cast<milliseconds>(to - from).count();
  };
  fmt::print(
      "{} addresses given; published anew within {} ms after the last fault, {} entries on {} "
      "hosts "
      "right {} ms after that\n",
      given.taken(), in(healed, published), entries, kHosts, in(published, steady_clock::now()));
  EXPECT_GT(given.taken(), 2'000U);
}

TEST(ClonesOverEtcd, ARefusedOneChangesNothingAndOneThatTookThePlaceGivesItBack) {
  EtcdCluster etcd({.members = 1});
  const EtcdFolder folder;
  const state::EtcdConfig config{
      .endpoints = etcd.endpoints(), .prefix = etcd.new_prefix(), .progress_interval = 500ms};
  SimulatedHost one(1, config, folder), third(2, config, folder), clone(9, config, folder, 1);
  const auto everything = [&] {
    std::map<std::string, std::int64_t> found;
    const auto records = third.shared->list("");
    EXPECT_TRUE(records) << records.error().text;
    if (records)
      for (const state::Record& record : *records) found[record.key] = record.revision;
    return found;
  };
  for (SimulatedHost* host : {&one, &third})
    insist([&] { return host->cluster.membership().join(); });
  const auto network = one.cluster.networks().create_or_join(spec("shop", "10.9.0.0/20"), {});
  ASSERT_TRUE(network) << network.error().text;
  Register given;
  for (int i = 0; i < 5; ++i) one.work(given, *network);
  for (const auto& [id, running] : one.running)
    insist([&, &endpoint = running.second] { return one.cluster.endpoints().publish(endpoint); });
  ASSERT_TRUE(third.peers->attach(view_of(*network)));
  insist([&]() -> Status {
    if (third.kernel(network->id).size() == one.running.size()) return {};
    return fail(Code::kUnavailable, "{} entries", third.kernel(network->id).size());
  });
  const auto entries = third.kernel(network->id);
  const auto before = everything();

  for (int i = 0; i < 3; ++i) {
    const auto refused = clone.cluster.membership().join();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kConflict);
    EXPECT_EQ(one.cluster.membership().keep_alive().value(), MembershipState::kMember);
  }
  EXPECT_FALSE(clone.cluster.endpoints().publish_all({}));
  EXPECT_TRUE(clone.cluster.membership().leave());
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(third.kernel(network->id), entries);

  ASSERT_TRUE(one.cluster.membership().leave());
  insist([&] { return clone.cluster.membership().join(); });
  const auto taken = everything();
  EXPECT_EQ(one.cluster.membership().join().error().code, Code::kConflict);
  EXPECT_TRUE(one.cluster.membership().leave());
  EXPECT_EQ(everything(), taken);
  ASSERT_TRUE(clone.cluster.membership().leave());
  insist([&] { return one.cluster.membership().join(); });
  const auto host = read<HostRecord>(*third.shared, keys::host(one.info.id));
  ASSERT_TRUE(host && *host);
  EXPECT_EQ((*host)->value.info, one.info);
  EXPECT_EQ((*host)->value.phase, HostPhase::kMember);
}

TEST(ClusterOverRestoredEtcd, EverythingThatWasClaimedSinceTheBackupIsThereAgain) {
  EtcdCluster etcd({.members = 1});
  const EtcdFolder folder;
  const state::EtcdConfig config{
      .endpoints = etcd.endpoints(), .prefix = etcd.new_prefix(), .progress_interval = 500ms};
  SimulatedHost one(1, config, folder), two(2, config, folder);
  Register given;
  ASSERT_TRUE(one.cluster.membership().join());
  const auto large = one.cluster.networks().create_or_join(spec("large", "10.9.0.0/19"), {});
  const auto small = one.cluster.networks().create_or_join(spec("small", "10.9.240.0/24"), {});
  ASSERT_TRUE(large && small);
  for (int i = 0; i < 10; ++i) one.work(given, *large);
  etcd.kill(0);
  etcd.save_data();
  etcd.start(0);
  etcd.wait_until_ready();

  insist([&] { return two.cluster.membership().join(); });
  for (SimulatedHost* host : {&one, &two})
    for (int i = 0; i < 25; ++i) host->work(given, i % 4 == 0 ? *small : *large);
  const auto claims = [&] {
    std::map<std::string, std::string> found;
    const auto records = one.shared->list(keys::kMembers);
    EXPECT_TRUE(records) << records.error().text;
    if (records)
      for (const state::Record& record : *records) found[record.key] = record.value;
    return found;
  };
  for (SimulatedHost* host : {&one, &two})
    insist([&] { return host->cluster.addresses().maintain(host->service); });
  const auto before = claims();
  ASSERT_GT(before.size(), 20U);

  etcd.kill(0);
  etcd.restore_data();
  etcd.start(0);
  etcd.wait_until_ready();
  ASSERT_LT(claims().size(), before.size());
  const auto begin = steady_clock::now();
  for (SimulatedHost* host : {&one, &two}) {
    insist([&] { return host->cluster.membership().keep_alive(); });
    insist([&] { return host->cluster.addresses().maintain(host->service); });
    EXPECT_THAT(host->cluster.membership().problems(),
                ::testing::ElementsAre(::testing::HasSubstr("put back to an earlier state")));
  }
  fmt::print("{} records of two hosts there again after {} ms\n", before.size(),
             std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin).count());
  const auto after = claims();
  for (const auto& [key, value] : before)
    EXPECT_TRUE(after.contains(key) && after.at(key) == value) << key << " " << value;
  for (const auto& [key, value] : after) EXPECT_TRUE(before.contains(key)) << key << " " << value;
  EXPECT_FALSE(two.cluster.addresses().extend(large->id, Family::kV4));
}

}  // namespace
}  // namespace fairlead::network::cluster
