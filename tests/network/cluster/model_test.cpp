// Is any address given twice? Random operations of several hosts, which die between any two
// commits, lose the store or its answers, are paused, rebooted, removed and come back, against a
// model that is simple enough to be right: who uses an address.
//
// What is left out on purpose: a machine that was removed, runs (or runs again) and cannot reach
// the store. It cannot know, and both sides may then use an address; the command says so.
#include <random>

#include "tests/network/cluster/cluster_world.h"

namespace fairlead::network::cluster {
namespace {

constexpr std::array<Code, 4> kExpected{Code::kUnavailable, Code::kExhausted, Code::kExists,
                                        Code::kConflict};

class AddressModel : public ClusterTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  static constexpr int kMachines = 6;
  static constexpr int kAllocations = 1'250;  // of each of eight seeds

  struct Use {
    int machine = 0;
    std::string endpoint;
  };
  struct State {
    bool joined = false, paused = false, up = true;
    int remover = -1;       // who has said `host rm`, and goes on with it
    bool removing = false;  // `host rm` has begun, and the machine has not seen it
  };

  void SetUp() override {
    random_.seed(GetParam());
    for (int i = 0; i < kMachines; ++i) machine(name(i));
    for (int i = 0; i < kMachines; ++i) heartbeat(i);
    auto wanted = spec("large", "10.9.0.0/22");
    wanted.ipv6 = true;
    wanted.id = std::string(64, 'a');  // where hosts look for blocks follows from it
    networks_ = {of(0).networks().create_or_join(wanted, {}).value(),
                 make_network(of(0), "small", "10.9.8.0/26")};
  }

  static std::string name(int i) { return fmt::format("m{}", i); }
  Machine& of(int i) { return machine(name(i)); }
  int number(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random_);
  }
  bool runs(int i) const { return states_[index(i)].up && !states_[index(i)].paused; }
  bool reaches(int i) { return of(i).shared->is_open; }
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  void forget_uses(int i) {
    std::erase_if(uses_, [&](const auto& use) { return use.second.machine == i; });
  }

  // A process of the machine does something, and may die on the way.
  template <class Work>
  void as(int i, Work work) {
    if (number(0, 3) == 0)
      of(i).fate = {number(1, 8), number(0, 1) == 0 ? Fate::When::kBefore : Fate::When::kAfter};
    if (number(0, 30) == 0) of(i).shared->lost_answers = 1;
    if (!nested_ && number(0, 3) == 0) of(i).shared->meanwhile = [this, i] { another_acts(i); };
    try {
      work();
    } catch (const Crash&) {
      ++crashes_;
      restart(i);
    }
    of(i).shared->meanwhile = nullptr;
    of(i).fate = {};
    of(i).shared->lost_answers = 0;
  }

  // Between what machine `i` has read and what it writes.
  void another_acts(int i) {
    const int other = number(0, kMachines - 1);
    if (other == i || !runs(other)) return;
    nested_ = true;
    as(other, [&] { number(0, 2) == 0 ? step_release(other) : step_allocate(other); });
    nested_ = false;
  }

  // What the service does at start: leases of endpoints that it has no record of are dropped.
  void restart(int i) {
    of(i).start();
    states_[index(i)].joined = false;
    for (const SharedNetwork& net : networks_)
      for (const Subnet& subnet : net.subnets)
        for (const IpAddress& address : must(of(i).service->leased(net.id, subnet.subnet)))
          if (const auto use = uses_.find(address); use == uses_.end() || use->second.machine != i)
            drop_lease(i, net, address);
    heartbeat(i);
  }
  void drop_lease(int i, const SharedNetwork& net, const IpAddress& address) {
    (void)of(i).release(net, address, "");
  }

  void heartbeat(int i) {
    if (!runs(i) || !reaches(i)) return;
    State& state = states_[index(i)];
    auto answer = state.joined ? of(i).membership().keep_alive() : of(i).membership().join();
    if (!answer) return;  // a life of its own that has not run out, an answer that was lost
    if (*answer == MembershipState::kRemoved) {
      tear_down(i);
      if (!of(i).membership().join_again()) return;
    }
    state.joined = true;
    state.removing = false;
  }
  void tear_down(int i) {
    forget_uses(i);
    states_[index(i)].joined = false;
    for (const SharedNetwork& net : networks_)
      for (const Subnet& subnet : net.subnets)
        for (const IpAddress& address : must(of(i).service->leased(net.id, subnet.subnet)))
          drop_lease(i, net, address);
  }

  void step_allocate(int i) {
    const SharedNetwork& net = networks_[number(0, 3) == 0 ? 1 : 0];
    const bool v6 = net.subnets.size() > 1 && number(0, 3) == 0;
    std::optional<IpAddress> wanted;
    if (!v6 && number(0, 4) == 0) {
      const Cidr& subnet = net.subnets[0].subnet;
      wanted = subnet.first().plus(
          static_cast<std::uint64_t>(number(0, static_cast<int>(subnet.size()) - 1)));
    }
    const std::string endpoint = fmt::format("e{}", ++endpoints_);
    const auto given = of(i).allocate(net, endpoint, v6 ? Family::kV6 : Family::kV4, wanted);
    if (!given) {
      ASSERT_NE(std::ranges::find(kExpected, given.error().code), kExpected.end())
          << to_string(given.error().code) << ": " << given.error().text;
      return;
    }
    ++allocations_;
    const auto [use, fresh] = uses_.try_emplace(*given, Use{i, endpoint});
    ASSERT_TRUE(fresh) << given->to_string() << " was given to " << endpoint << " on machine " << i
                       << " while " << use->second.endpoint << " on machine " << use->second.machine
                       << " has it";
    for (const Subnet& subnet : net.subnets) ASSERT_NE(*given, subnet.gateway);
  }

  void step_release(int i) {
    std::vector<IpAddress> own;
    for (const auto& [address, use] : uses_)
      if (use.machine == i) own.push_back(address);
    if (own.empty()) return;
    const IpAddress address = own[index(number(0, static_cast<int>(own.size()) - 1))];
    const std::string endpoint = uses_[address].endpoint;
    uses_.erase(address);  // the container is gone before its address is
    const bool small = networks_[1].subnets[0].subnet.contains(address);
    (void)of(i).release(networks_[small ? 1 : 0], address, endpoint);
  }

  bool is_fenced_off(int i) {
    const auto host = read<HostRecord>(*world_.store, keys::host(of(i).info.id));
    return host && *host && (*host)->value.phase == HostPhase::kRemoved;
  }

  void step_remove_host(int by) {
    int target = number(0, kMachines - 1);
    for (int i = 0; i < kMachines; ++i)  // what was begun is ended first
      if (states_[index(i)].removing && states_[index(i)].remover == by) target = i;
    State& state = states_[index(target)];
    if (target == by || !reaches(by) || !states_[index(by)].joined) return;
    if (runs(target) && !reaches(target)) return;  // see above
    // From the second call on addresses go, also when the operator's process dies on the way or an
    // answer is lost. Whoever has not seen it by now is paused: its containers do not count any
    // more.
    if (is_fenced_off(target) && !runs(target)) forget_uses(target);
    const bool began_before = state.removing;
    state.remover = by;
    state.removing = true;  // also when the operator's process dies on the way
    const auto removal = of(by).membership().remove_host(name(target));
    if (!removal || !removal->complete) return;
    ++removals_;
    if (began_before) {
      EXPECT_FALSE(runs(target) && states_[index(target)].joined && reaches(target))
          << "it runs, and has not seen it";
    }
    state.removing = began_before && !runs(target);
  }

  // See above: a removed machine that comes back can reach the store.
  void meet_the_store(int i) {
    if (states_[index(i)].removing) of(i).shared->is_open = true;
  }

  void step_fate_of_machine(int i) {
    State& state = states_[index(i)];
    switch (number(0, 6)) {
      case 6:  // somebody sets the clock, or it was wrong at boot
        of(i).wall = number(-86'400, 86'400);
        break;
      case 0:
      case 1:  // the network to the store
        if (!state.removing || reaches(i) == false) of(i).shared->is_open = !reaches(i);
        break;
      case 2:
        state.paused = !state.paused;
        meet_the_store(i);
        break;
      case 3:
        if (!state.up || state.paused) break;
        state.up = false;
        forget_uses(i);
        break;
      case 4:
        if (state.up) break;
        state.up = true;
        meet_the_store(i);
        of(i).reboot();
        restart(i);
        break;
      default:
        if (runs(i)) restart(i);
    }
  }

  // The slowest heartbeats that keep a host alive: in the same time less is done. Not while a
  // removal goes on, which has to be seen although a heartbeat fails.
  static constexpr int kSlowBeat = 14;
  int long_heartbeat() const {
    return std::ranges::any_of(states_, &State::removing) ? 5 : kSlowBeat;
  }
  // Time in steps of a heartbeat: whoever runs and reaches the store sees its removal within one.
  void pass(int steps, int seconds) {
    for (int step = 0; step < steps; ++step) {
      world_.pass(seconds);
      for (int i = 0; i < kMachines; ++i)
        if (runs(i)) as(i, [&] { heartbeat(i); });
    }
  }

  void step() {
    const int i = number(0, kMachines - 1);
    const int kind = number(0, 999);
    if (kind >= 990) return step_fate_of_machine(i);
    if (kind > 985) return pass(number(1, 47), long_heartbeat());
    if (kind >= 950) return pass(number(1, 4), 5);
    if (!runs(i)) return;
    if (kind < 480)
      as(i, [&] { step_allocate(i); });
    else if (kind < 860)
      as(i, [&] { step_release(i); });
    else if (kind < 935)
      as(i, [&] { (void)of(i).maintain(); });
    else
      as(i, [&] { step_remove_host(i); });
  }

  // Everything is well again, every container is stopped: nothing may be left over.
  void end_well() {
    for (int i = 0; i < kMachines; ++i) {
      of(i).shared->is_open = true;
      of(i).wall = 0;
      states_[index(i)].paused = false;
      states_[index(i)].up = true;
      restart(i);
    }
    for (int round = 0; round < 6; ++round) {
      world_.pass(5);
      for (int i = 0; i < kMachines; ++i) heartbeat(i);
    }
    for (int i = 0; i < kMachines; ++i) ASSERT_TRUE(states_[index(i)].joined) << i;
    for (const auto& [address, use] : std::map(uses_))
      ASSERT_TRUE(of(use.machine)
                      .release(networks_[networks_[1].subnets[0].subnet.contains(address) ? 1 : 0],
                               address, use.endpoint));
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < kMachines; ++i) {
        heartbeat(i);
        const auto maintained = of(i).maintain();
        ASSERT_TRUE(maintained) << maintained.error().text;
      }
      for (long long passed = 0; passed <= kEmptyBlockSeconds; passed += kSlowBeat) {
        world_.pass(kSlowBeat);
        for (int i = 0; i < kMachines; ++i) heartbeat(i);
      }
    }
    EXPECT_EQ(count("blk/"), 0U);
    EXPECT_EQ(count("ip/"), 0U);
  }

  std::mt19937 random_;
  std::array<State, kMachines> states_;
  std::vector<SharedNetwork> networks_;
  std::map<IpAddress, Use> uses_;
  bool nested_ = false;
  int endpoints_ = 0, allocations_ = 0, crashes_ = 0, removals_ = 0;
};

TEST_P(AddressModel, NoAddressIsGivenTwice) {
  const auto goes_on = [&] { return allocations_ < kAllocations || removals_ == 0; };
  for (int i = 0; i < 60'000 && goes_on() && !HasFatalFailure(); ++i) step();
  EXPECT_GE(allocations_, kAllocations);
  EXPECT_GT(crashes_, 50);
  EXPECT_GT(removals_, 0);
  RecordProperty("crashes", crashes_);
  RecordProperty("removals", removals_);
  if (!HasFatalFailure()) end_well();
}

INSTANTIATE_TEST_SUITE_P(Seed, AddressModel, ::testing::Range(1U, 9U),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace fairlead::network::cluster
