// What the entries of remote containers cost: from nothing, without a difference, with 1 % of them
// different, and away again, for several sizes; and the kernel's memory for them. Prints medians of
// some rounds; asserts nothing. Works in a network namespace of its own and needs root.
//
//   overlay_entries [ENTRIES ...]      default: 1000 10000 100000
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <vector>

#include "network/kernel/host/netns.h"
#include "network/kernel/links/links.h"
#include "network/kernel/tunnels/vxlan.h"

namespace fairlead {
namespace {

using kernel::RemoteEntry;

constexpr int kRounds = 5;

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().text);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

IfName name(const char* text) { return must(IfName::parse(text)); }
IpAddress ip(const char* text) { return must(IpAddress::parse(text)); }

double milliseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// The n-th container; a hundred on each host.
RemoteEntry entry(std::size_t n) {
  const IpAddress address = *ip("10.64.0.0").plus(n);
  return {.ip = address,
          .mac = MacAddress::for_ip(address),
          .vtep = *ip("172.16.0.0").plus(1 + n / 100)};
}

// Bytes of the kernel's slabs (/proc/meminfo).
double slab_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with("Slab:")) return std::strtod(line.c_str() + 5, nullptr) * 1024;
  return 0;
}

struct Figures {
  std::vector<double> set, read, unchanged, changed, removed, remove_device;
};

void measure(std::size_t count) {
  const auto tunnels = must(kernel::open_netlink_tunnels());
  const auto links = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
  const auto bridge = must(links->ensure_bridge(
      {.name = name("fl-bench"), .mac = MacAddress::from_hash("bridge")}, false));
  const kernel::VxlanSpec spec{.name = name("flx00002a"),
                               .vni = 42,
                               .local = ip("172.31.0.1"),
                               .master = bridge.index,
                               .mac = MacAddress::from_hash("tunnel")};
  std::vector<RemoteEntry> wanted;
  for (std::size_t n = 0; n < count; ++n) wanted.push_back(entry(n));
  std::ranges::shuffle(wanted, std::mt19937(1));  // in no order, as records come
  std::vector<RemoteEntry> other = wanted;
  for (std::size_t n = 0; n < count; n += 100) other[n].vtep = ip("172.30.0.1");

  Figures figures;
  double bytes = 0;
  for (int round = 0; round < kRounds; ++round) {
    must(tunnels->ensure(spec));
    const double before = slab_bytes();
    figures.set.push_back(milliseconds([&] { must(tunnels->apply(spec.name, wanted, {})); }));
    bytes = std::max(bytes, slab_bytes() - before);
    figures.read.push_back(milliseconds([&] { must(tunnels->dump(spec.name)); }));
    figures.unchanged.push_back(milliseconds([&] { must(tunnels->sync(spec.name, wanted)); }));
    figures.changed.push_back(milliseconds([&] { must(tunnels->sync(spec.name, other)); }));
    figures.removed.push_back(milliseconds([&] { must(tunnels->apply(spec.name, {}, other)); }));
    must(tunnels->apply(spec.name, wanted, {}));
    figures.remove_device.push_back(milliseconds([&] { must(tunnels->remove(spec.name)); }));
  }
  fmt::print("{:8} {:10.1f} {:10.1f} {:10.1f} {:10.1f} {:10.1f} {:10.1f} {:12.0f}\n", count,
             median(figures.set), median(figures.read), median(figures.unchanged),
             median(figures.changed), median(figures.removed), median(figures.remove_device),
             bytes / static_cast<double>(count));
  must(links->remove(name("fl-bench")));
  links->finish_removals();
}

int run(int argc, char** argv) {
  const UniqueFd own = must(kernel::new_netns());
  if (::setns(own.get(), CLONE_NEWNET) != 0) return 1;
  std::vector<std::size_t> counts;
  for (int i = 1; i < argc; ++i) counts.push_back(std::strtoul(argv[i], nullptr, 10));
  if (counts.empty()) counts = {1'000, 10'000, 100'000};
  fmt::print("milliseconds, medians of {} rounds; an entry is a neighbour and a forwarding entry\n",
             kRounds);
  fmt::print("{:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12}\n", "entries", "set all",
             "dump", "sync same", "sync 1 %", "remove", "device", "bytes each");
  for (const std::size_t count : counts) measure(count);
  return 0;
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) { return fairlead::run(argc, argv); }
