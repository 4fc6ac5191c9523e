#include "plugin-api/doctor/reading.h"

#include <net/if.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timex.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/unique_fd.h"

namespace fairlead::doctor {

namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), {}};
}

template <class Visit>
void each_line(std::string_view text, const Visit& visit) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) visit(words_of(line));
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

std::string setting(const std::string& path) {
  std::string text = text_of_file("/proc/sys/" + path);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::optional<bool> switch_of(const std::string& path) {
  const std::string text = setting(path);
  if (text.empty()) return std::nullopt;
  return text != "0";
}

std::optional<Fill> flows() {
  const auto used = number_of(setting("net/netfilter/nf_conntrack_count"));
  const auto most = number_of(setting("net/netfilter/nf_conntrack_max"));
  if (!used || !most) return std::nullopt;
  return Fill{*used, *most};
}

// "1184  0  9223372036854775807": taken, free and the limit (Documentation/admin-guide/sysctl/fs.rst).
std::optional<Fill> machine_files() {
  const auto words = words_of(setting("fs/file-nr"));
  if (words.size() < 3) return std::nullopt;
  const auto taken = number_of(words[0]), unused = number_of(words[1]), most = number_of(words[2]);
  // Nobody reaches the usual limit of today, and percents of it would not fit.
  constexpr std::uint64_t kEndless = std::uint64_t{1} << 56;
  if (!taken || !unused || !most || *most > kEndless) return std::nullopt;
  return Fill{*taken - std::min(*taken, *unused), *most};
}

unsigned mtu_of(const std::string& name) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!socket || ::ioctl(socket.get(), SIOCGIFMTU, &request) != 0) return 0;
  return static_cast<unsigned>(request.ifr_mtu);
}

int rp_filter_of(const std::string& name) {
  const auto value = [](const std::string& of) {
    return static_cast<int>(number_of(setting("net/ipv4/conf/" + of + "/rp_filter")).value_or(0));
  };
  return std::max(value("all"), value(name));
}

std::vector<Uplink> uplinks() {
  auto names = default_interfaces_v4(text_of_file("/proc/thread-self/net/route"));
  names.merge(default_interfaces_v6(text_of_file("/proc/thread-self/net/ipv6_route")));
  std::vector<Uplink> found;
  for (const std::string& name : names) found.push_back({name, mtu_of(name), rp_filter_of(name)});
  return found;
}

bool clock_is_synchronised() {
  timex question{};
  return ::adjtimex(&question) != TIME_ERROR;
}

bool inotify_is_left() {
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC));
  return watch || errno != EMFILE;
}

}  // namespace

std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// "eth0 00000000 0100000A 0003 0 0 0 00000000 0 0 0": interface, destination, ..., mask is the eighth.
std::set<std::string> default_interfaces_v4(std::string_view route) {
  std::set<std::string> names;
  each_line(route, [&](const std::vector<std::string>& words) {
    if (words.size() >= 8 && words[1] == "00000000" && words[7] == "00000000")
      names.insert(words[0]);
  });
  return names;
}

// 32 digits of the destination, the length of its prefix in hexadecimal, ..., flags, interface. The kernel's own
// entry that refuses everything is of "lo".
std::set<std::string> default_interfaces_v6(std::string_view ipv6_route) {
  std::set<std::string> names;
  each_line(ipv6_route, [&](const std::vector<std::string>& words) {
    if (words.size() >= 10 && words[0] == std::string(32, '0') && words[1] == "00" &&
        words[9] != "lo")
      names.insert(words[9]);
  });
  return names;
}

// "Max open files            1024                 524288               files": soft, hard.
std::optional<std::uint64_t> open_files_limit(std::string_view limits) {
  std::optional<std::uint64_t> limit;
  each_line(limits, [&](const std::vector<std::string>& words) {
    if (words.size() >= 5 && words[0] == "Max" && words[1] == "open" && words[2] == "files")
      limit = number_of(words[3]);
  });
  return limit;
}

void read_kernel(Facts& facts) {
  KernelFacts& kernel = facts.kernel;
  kernel.forwards_v4 = switch_of("net/ipv4/ip_forward");
  kernel.forwards_v6 = switch_of("net/ipv6/conf/all/forwarding");
  kernel.iptables_sees_bridges = switch_of("net/bridge/bridge-nf-call-iptables").value_or(false);
  kernel.flows = flows();
  kernel.files = machine_files();
  kernel.inotify_left = inotify_is_left();
  kernel.clock_synchronised = clock_is_synchronised();
  kernel.uplinks = uplinks();
}

}  // namespace fairlead::doctor
