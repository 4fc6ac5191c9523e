#include "network/kernel/firewall/xtables.h"

// The C library's headers have to come first, because linux/in.h defines the same names.
// clang-format off
#include <netinet/in.h>
#include <sys/socket.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
// clang-format on

#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace fairlead::kernel {

namespace {

constexpr std::string_view kTable = "filter";

// FNV-1a.
class Digest {
 public:
  void add(const void* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      value_ = (value_ ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3U;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

// Each entry begins with its conditions on addresses and interfaces, then come counters, matches and
// the target.
template <class Entry, auto kHead>
std::uint64_t digest_of(const char* at, std::size_t left) {
  Digest digest;
  while (left >= sizeof(Entry)) {
    Entry entry{};
    std::memcpy(&entry, at, sizeof(entry));
    if (entry.next_offset < sizeof(Entry) || entry.next_offset > left) break;
    digest.add(at, sizeof(entry.*kHead));
    digest.add(at + sizeof(Entry), entry.next_offset - sizeof(Entry));
    at += entry.next_offset;
    left -= entry.next_offset;
  }
  return digest.value();
}

template <class Info, class Get>
std::optional<std::vector<char>> entries(int family, int level, int info_option, int get_option) {
  const UniqueFd socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!socket) return std::nullopt;
  Info info{};
  kTable.copy(info.name, sizeof(info.name) - 1);
  socklen_t size = sizeof(info);
  if (::getsockopt(socket.get(), level, info_option, &info, &size) != 0) return std::nullopt;
  // The kernel wants the size that it has told; a table that has changed since has another one.
  std::vector<char> bytes(sizeof(Get) + info.size + alignof(Get));
  auto* get = reinterpret_cast<Get*>(bytes.data());
  kTable.copy(get->name, sizeof(get->name) - 1);
  get->size = info.size;
  size = static_cast<socklen_t>(sizeof(Get) + info.size);
  if (::getsockopt(socket.get(), level, get_option, bytes.data(), &size) != 0) return std::nullopt;
  return std::vector<char>(bytes.begin() + sizeof(Get),
                           bytes.begin() + static_cast<std::ptrdiff_t>(sizeof(Get) + info.size));
}

}  // namespace

bool has_xtables_filter(Family family) {
  std::ifstream file(family == Family::kV4 ? "/proc/thread-self/net/ip_tables_names"
                                           : "/proc/thread-self/net/ip6_tables_names");
  for (std::string name; std::getline(file, name);)
    if (name == kTable) return true;
  return false;
}

std::optional<std::uint64_t> xtables_digest(Family family) {
  if (!has_xtables_filter(family)) return std::nullopt;
  const bool v4 = family == Family::kV4;
  const auto bytes = v4 ? entries<ipt_getinfo, ipt_get_entries>(AF_INET, IPPROTO_IP,
                                                                IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES)
                        : entries<ip6t_getinfo, ip6t_get_entries>(
                              AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO, IP6T_SO_GET_ENTRIES);
  if (!bytes) return std::nullopt;
  return v4 ? digest_of<ipt_entry, &ipt_entry::ip>(bytes->data(), bytes->size())
            : digest_of<ip6t_entry, &ip6t_entry::ipv6>(bytes->data(), bytes->size());
}

}  // namespace fairlead::kernel
