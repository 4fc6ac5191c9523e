// A cluster of 1,000 hosts with 100 endpoints each, in one process: what it costs one host to keep
// up with the others. The store is in memory and the hosts are only what they write, so that the
// figures are those of Fairlead's own agent: the peers' table, its watches and its batches.
//
//   cluster_simulation [HOSTS [ENDPOINTS]]
//
// Prints a table and asserts nothing.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <random>

#include "base/state/memory_store.h"
#include "network/cluster/cluster.h"
#include "network/cluster/keys.h"
#include "network/cluster/peers.h"

namespace fairlead::network::cluster {
namespace {

using Clock_ = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}\n", result.error().text);
  std::exit(1);
}
void must(Status status) {
  if (status) return;
  fmt::print(stderr, "{}\n", status.error().text);
  std::exit(1);
}

// Resident memory of this process, in bytes.
std::size_t memory() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

double thread_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double percentile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
}

void row(std::string_view what, const std::string& figure) {
  fmt::print("| {:<66} | {:>24} |\n", what, figure);
}

// The end of the line: what a kernel would hold, and when it got it.
class Sink {
 public:
  Status apply(const PeerChanges& changes) {
    const std::scoped_lock hold(guard_);
    const auto now = Clock_::now();
    for (const RemoteEntry& entry : changes.to_set) seen_[entry.ip] = {entry.vtep, now};
    for (const RemoteEntry& entry : changes.to_remove) {
      const auto found = seen_.find(entry.ip);
      if (found != seen_.end() && found->second.vtep == entry.vtep) seen_.erase(found);
    }
    changed_.notify_all();
    return {};
  }
  bool wait_for(std::size_t entries, std::chrono::seconds most) {
    std::unique_lock hold(guard_);
    return changed_.wait_for(hold, most, [&] { return seen_.size() == entries; });
  }
  // When the address was last given to be at this host, or nothing.
  std::optional<Clock_::time_point> when(const IpAddress& ip, const IpAddress& vtep) {
    const std::scoped_lock hold(guard_);
    const auto found = seen_.find(ip);
    if (found == seen_.end() || found->second.vtep != vtep) return std::nullopt;
    return found->second.at;
  }

 private:
  struct Seen {
    IpAddress vtep;
    Clock_::time_point at;
  };
  std::mutex guard_;
  std::condition_variable changed_;
  std::map<IpAddress, Seen> seen_;
};

class Simulation {
 public:
  Simulation(int hosts, int endpoints) : hosts_(hosts), endpoints_(endpoints) {}
  ~Simulation() {
    peers_.reset();  // writes its snapshot
    std::filesystem::remove_all(folder_);
  }

  void run() {
    fmt::print("{} hosts with {} endpoints each, one network\n\n", hosts_, endpoints_);
    row("", "");
    join_hosts();
    fill();
    from_nothing();
    churn(200, std::chrono::milliseconds(5));
    churn(5'000, std::chrono::milliseconds(0));
    restart();
  }

 private:
  static std::string host_id(int host) { return fmt::format("{:032x}", host); }
  static IpAddress vtep(int host) {
    return *IpAddress::parse("172.16.0.0")->plus(static_cast<std::uint64_t>(host));
  }
  IpAddress address(int host, int number) const {
    return *IpAddress::parse("10.0.0.0")
                ->plus(static_cast<std::uint64_t>(host) * 256 + static_cast<std::uint64_t>(number));
  }
  static std::string key(int host, int number) {
    return keys::endpoint(kNetwork, fmt::format("{:026x}{:06x}", host, number));
  }
  SharedEndpoint endpoint(int at, const IpAddress& ip) const {
    return {.host_id = host_id(at),
            .epoch = 1,
            .addresses = {ip},
            .mac = MacAddress::for_ip(ip),
            .container = "shop-web-1",
            .names = {"web"},
            .state = EndpointState::kReady};
  }

  void put_endpoint(state::Txn& txn, std::string of, int at, const IpAddress& ip) const {
    txn.puts.push_back(
        {keys::address(kNetwork, ip),
         encode(StaticClaimRecord{.endpoint_id = "e", .host_id = host_id(at), .epoch = 1})});
    txn.puts.push_back({std::move(of), encode(endpoint(at, ip))});
  }

  // Each host with a control plane of its own. Timed is the one that comes last to a cluster of ten
  // and to one of all, in turn, many times.
  void join_hosts() {
    constexpr int kFew = 10, kRounds = 500;
    const auto few = state::make_memory_store();
    for (int host = 1; host < kFew; ++host) put_host(*few, host);
    for (int host = 1; host < hosts_; ++host) put_host(*store_, host);
    std::vector<double> tenth, last;
    for (int round = 0; round < kRounds; ++round) {
      tenth.push_back(join_once(*few, kFew));
      last.push_back(join_once(*store_, hosts_));
    }
    put_host(*store_, hosts_);
    const double at_ten = percentile(tenth, 0.5), at_all = percentile(last, 0.5);
    row(fmt::format("join of the 10th host, median of {}", kRounds),
        fmt::format("{:.0f} us", at_ten));
    row(fmt::format("join of the {}th host, median of {}", hosts_, kRounds),
        fmt::format("{:.0f} us, {:.2f} times", at_all, at_all / at_ten));
  }
  static HostInfo info(int host) {
    return {.id = host_id(host), .name = fmt::format("node-{}", host), .vtep = vtep(host)};
  }
  static void put_host(state::Store& shared, int host) {
    must(
        shared.commit({.puts = {{keys::host(host_id(host)), encode(HostRecord{info(host)})},
                                {keys::live(host_id(host)), encode(LiveRecord{"boot", 1, "a"})}}}));
  }
  // Leaves no trace.
  static double join_once(state::MemoryStore& shared, int host) {
    const auto own = state::make_memory_store();
    Cluster cluster({shared, *own, shared, info(host), "boot"}, system_clock());
    const auto begin = Clock_::now();
    must(cluster.membership().join());
    const double took = Microseconds(Clock_::now() - begin).count();
    must(cluster.membership().leave());
    must(shared.commit({.deletes = {keys::host(host_id(host))}}));
    return took;
  }

  void fill() {
    for (int host = 1; host <= hosts_; ++host) {
      state::Txn txn;
      for (int number = 1; number <= endpoints_; ++number)
        put_endpoint(txn, key(host, number), host, address(host, number));
      must(store_->commit(txn));
    }
  }

  std::size_t total() const {
    return static_cast<std::size_t>(hosts_) * static_cast<std::size_t>(endpoints_);
  }

  void from_nothing() {
    const auto before = memory();
    const auto begin = Clock_::now();
    start();
    if (!sink_.wait_for(total(), std::chrono::seconds(300))) std::exit(1);
    row(fmt::format("from nothing to {} entries given", total()),
        fmt::format("{:.0f} ms", Microseconds(Clock_::now() - begin).count() / 1000));
    const auto grown = memory() - std::min(before, memory());
    row("memory of the agent and the list it came from",
        fmt::format("{:.1f} MB, {:.0f} B each", static_cast<double>(grown) / 1e6,
                    static_cast<double>(grown) / static_cast<double>(total())));
    row("batches", fmt::format("{}", peers_->status().batches));
  }
  void start() {
    peers_ = make_peers(
        *store_, {.host = info(0), .folder = folder_}, system_clock(),
        [this](const PeerChanges& changes) { return sink_.apply(changes); },
        [](const std::string&, const std::vector<RemoteEntry>&) -> Status { return {}; });
    must(peers_->attach({.id = std::string(kNetwork),
                         .name = "simulated",
                         .subnets = {{.subnet = *Cidr::parse("10.0.0.0/8")}},
                         .macs = {}}));
  }

  // Endpoints move to another host, one commit each.
  void churn(int changes, std::chrono::milliseconds pause) {
    std::vector<std::pair<std::pair<IpAddress, IpAddress>, Clock_::time_point>> moved;
    std::uniform_int_distribution<int> any_host(1, hosts_), any_endpoint(1, endpoints_);
    std::map<IpAddress, std::size_t> last;
    const double cpu = thread_seconds();
    const auto begin = Clock_::now();
    for (int i = 0; i < changes; ++i) {
      const int of = any_host(random_), number = any_endpoint(random_), to = any_host(random_);
      const IpAddress ip = address(of, number);
      last[ip] = moved.size();
      moved.push_back({{ip, vtep(to)}, Clock_::now()});
      state::Txn txn{.deletes = {keys::address(kNetwork, ip)}};
      must(store_->commit(txn));  // given back, then claimed by the other host
      txn = {};
      put_endpoint(txn, key(of, number), to, ip);
      must(store_->commit(txn));
      std::this_thread::sleep_for(pause);
    }
    const double seconds = std::chrono::duration<double>(Clock_::now() - begin).count();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    std::vector<double> delays;
    std::size_t lost = 0;
    for (std::size_t i = 0; i < moved.size(); ++i) {
      if (last[moved[i].first.first] != i) continue;  // moved on before it was looked at
      const auto at = sink_.when(moved[i].first.first, moved[i].first.second);
      if (!at)
        ++lost;
      else if (*at > moved[i].second)  // not one that moved to where it was
        delays.push_back(Microseconds(*at - moved[i].second).count() / 1000);
    }
    const auto name = pause.count() > 0
                          ? fmt::format("{} changes, one in {} ms", changes, pause.count())
                          : fmt::format("{} changes, as fast as they go", changes);
    row(name + ": rate", fmt::format("{:.0f} /s", changes / seconds));
    row(name + ": convergence p50 / p99",
        fmt::format("{:.1f} / {:.1f} ms", percentile(delays, 0.5), percentile(delays, 0.99)));
    row(name + ": processor time, writer included",
        fmt::format("{:.0f} us each", (thread_seconds() - cpu) / changes * 1e6));
    row(name + ": lost", fmt::format("{}", lost));
  }

  void restart() {
    const auto begin = Clock_::now();
    peers_.reset();
    row("stop, with a snapshot of everything",
        fmt::format("{:.0f} ms", Microseconds(Clock_::now() - begin).count() / 1000));
    const auto again = Clock_::now();
    start();
    while (peers_->status().entries != total())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    row("start from the snapshot, everything given again",
        fmt::format("{:.0f} ms", Microseconds(Clock_::now() - again).count() / 1000));
    row("lists of everything it needed for that", fmt::format("{}", peers_->status().full_lists));
    peers_.reset();
  }

  static constexpr std::string_view kNetwork =
      "0000000000000000000000000000000000000000000000000000000000000001";
  const int hosts_, endpoints_;
  std::string folder_ = [] {
    std::string name = "/tmp/fairlead-cluster-XXXXXX";
    return std::string(::mkdtemp(name.data()));
  }();
  std::unique_ptr<state::MemoryStore> store_ = state::make_memory_store();
  Sink sink_;
  std::unique_ptr<Peers> peers_;
  std::minstd_rand random_{42};
};

}  // namespace
}  // namespace fairlead::network::cluster

int main(int argc, char** argv) {
  const int hosts = argc > 1 ? std::atoi(argv[1]) : 1'000;
  const int endpoints = argc > 2 ? std::atoi(argv[2]) : 100;
  if (hosts < 20 || endpoints < 1 || endpoints > 250) {
    fmt::print(stderr, "usage: cluster_simulation [HOSTS (20 or more) [ENDPOINTS (1 to 250)]]\n");
    return 2;
  }
  fairlead::network::cluster::Simulation(hosts, endpoints).run();
  return 0;
}
