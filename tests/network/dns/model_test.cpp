// Whatever the order in which networks and containers come, change and go: the tables say what a list says that is looked
// through from its beginning. And writers and readers at the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tests/network/dns/world.h"

namespace fairlead::dns {
namespace {

using tests::ip;
using tests::query;
using tests::World;

// Without any index.
class Model {
 public:
  void put(const Zone& zone) { zones_[zone.network] = zone; }
  void put(const Host& host) {
    const auto before = std::ranges::find_if(
        hosts_, [&](const Host& one) { return is(one, host.network, host.endpoint); });
    for (const IpAddress& address : host.addresses)
      if (before == hosts_.end() || !has(before->addresses, address))
        since_[{host.network, host.endpoint, address}] = ++clock_;
    if (before == hosts_.end())
      hosts_.push_back(host);
    else
      *before = host;
  }
  void remove_host(const std::string& network, const std::string& endpoint) {
    std::erase_if(hosts_, [&](const Host& one) { return is(one, network, endpoint); });
  }
  void remove_zone(const std::string& network) {
    zones_.erase(network);
    std::erase_if(hosts_, [&](const Host& one) { return one.network == network; });
  }

  std::set<std::string> addresses(const std::string& network, const IpAddress& client,
                                  const std::string& name) const {
    for (const std::string& seen : visible(network, client)) {
      if (!zones_.contains(seen)) continue;
      std::set<std::string> found;
      bool any = false;
      for (const Host& host : hosts_) {
        if (host.network != seen || !has(host.names, name)) continue;
        any = true;
        for (const IpAddress& address : host.addresses)
          if (holder(seen, address) == &host) found.insert("A " + address.to_string());
      }
      if (any) return found.empty() ? std::set<std::string>{"NODATA by " + name + "."} : found;
    }
    return {zones_.contains(network) ? "forward" : "SERVFAIL"};
  }

 private:
  template <class List, class Item>
  static bool has(const List& list, const Item& item) {
    return std::ranges::find(list, item) != list.end();
  }
  static bool is(const Host& host, const std::string& network, const std::string& endpoint) {
    return host.network == network && host.endpoint == endpoint;
  }
  const Host* holder(const std::string& network, const IpAddress& address) const {
    const Host* newest = nullptr;
    long since = 0;
    for (const Host& host : hosts_)
      if (host.network == network && has(host.addresses, address))
        if (const long at = since_.at({network, host.endpoint, address}); at > since)
          newest = &host, since = at;
    return newest;
  }
  std::vector<std::string> visible(const std::string& network, const IpAddress& client) const {
    std::vector<std::string> all{network};
    const Host* asker = holder(network, client);
    if (asker == nullptr) return all;
    std::set<std::string> others;
    for (const Host& host : hosts_)
      if (host.owner == asker->owner && host.network != network && zones_.contains(host.network))
        others.insert(host.network);
    all.insert(all.end(), others.begin(), others.end());
    return all;
  }

  std::map<std::string, Zone> zones_;
  std::vector<Host> hosts_;
  std::map<std::tuple<std::string, std::string, IpAddress>, long> since_;
  long clock_ = 0;
};

class Play {
 public:
  explicit Play(unsigned seed) : random_(seed) {
    for (unsigned n = 1; n <= 3; ++n) add_zone(n);
  }

  void step() {
    const unsigned what = pick(20);
    const std::string network = "n" + std::to_string(1 + pick(3));
    const std::string endpoint = "e" + std::to_string(pick(6));
    if (what == 0) {
      world_.names->remove_zone(network);
      model_.remove_zone(network);
    } else if (what < 4) {
      add_zone(static_cast<unsigned>(network[1] - '0'));
    } else if (what < 8) {
      world_.names->remove_host(network, endpoint);
      model_.remove_host(network, endpoint);
    } else {
      const Host host = random_host(network, endpoint);
      world_.put(host);
      model_.put(host);
    }
  }

  void compare() {
    for (unsigned n = 1; n <= 3; ++n)
      for (unsigned client = 2; client < 8; ++client)
        for (const std::string& name : names_) {
          const std::string network = "n" + std::to_string(n);
          const std::string from = fmt::format("10.{}.0.{}", n, client);
          const auto expected = model_.addresses(network, ip(from), name);
          ASSERT_EQ(answers(network, from, name), expected)
              << network << " " << from << " " << name;
        }
  }

 private:
  unsigned pick(unsigned below) {
    return std::uniform_int_distribution<unsigned>(0, below - 1)(random_);
  }
  void add_zone(unsigned n) {
    world_.put(World::zone("n" + std::to_string(n), n));
    model_.put(World::zone("n" + std::to_string(n), n));
  }
  Host random_host(const std::string& network, const std::string& endpoint) {
    std::vector<std::string> names, addresses;
    for (unsigned i = pick(3); i > 0; --i) names.push_back(names_[pick(5)]);
    for (unsigned i = pick(3); i > 0; --i)
      addresses.push_back(fmt::format("10.{}.0.{}", network.substr(1), 2 + pick(6)));
    return World::host(network, endpoint, names, addresses, "o" + std::to_string(pick(4)));
  }
  std::set<std::string> answers(const std::string& network, const std::string& client,
                                const std::string& name) {
    const std::string text = world_.ask(network, client, name);
    std::set<std::string> all;
    for (std::size_t at = 0; at <= text.size();) {
      const auto end = std::min(text.find("; ", at), text.size());
      all.insert(text.substr(at, end - at));
      at = end + 2;
    }
    return all;
  }

  std::mt19937 random_;
  World world_;
  Model model_;
  const std::vector<std::string> names_{"a", "b", "a.b", "c.b", "d"};
};

TEST(DirectoryModel, SaysWhatAListSays) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Play play(seed);
    for (int i = 0; i < 60; ++i) {
      play.step();
      if (i % 3 != 0) continue;
      play.compare();
      if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", step " << i;
    }
  }
}

// The same address is one container's or the other's: a name is answered with the address, or there is no such name, but never with
// an address that is another's.
TEST(DirectoryThreads, ReadersSeeWholeChanges) {
  World world;
  world.put(World::zone("n", 1));
  std::atomic<bool> ends = false;
  std::thread writer([&] {
    for (int i = 0; i < 1500; ++i) {
      const std::string old = i % 2 == 0 ? "b" : "a", now = i % 2 == 0 ? "a" : "b";
      world.put(World::host("n", now, {now, "both"}, {"10.1.0.2"}));
      world.names->remove_host("n", old);
      if (i % 100 == 0)
        world.names->replace({World::zone("n", 1)},
                             {World::host("n", now, {now, "both"}, {"10.1.0.2"})});
    }
    ends = true;
  });
  std::vector<std::thread> readers;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      const std::set<std::string> fine{"A 10.1.0.2", "NODATA by a.", "forward"};
      while (!ends) {
        if (!fine.contains(world.ask("n", "10.1.0.9", "a"))) ++wrong;
        // Each of the two hands over to the other within one change.
        const std::string both = world.ask("n", "10.1.0.9", "both");
        if (both != "A 10.1.0.2" && both != "forward") ++wrong;
      }
    });
  writer.join();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace fairlead::dns
