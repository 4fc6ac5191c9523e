#include "network/dns/resolv_conf.h"

#include <algorithm>
#include <array>
#include <optional>

namespace fairlead::dns {

namespace {

constexpr std::string_view kKeyword = "nameserver", kBlanks = " \t\r", kEnds = " \t\r;#";
constexpr std::size_t kMostZone = 15;  // IFNAMSIZ without its end

std::optional<HostServer> server_of(std::string_view text) {
  const std::size_t percent = text.find('%');
  const auto address = IpAddress::parse(text.substr(0, percent));
  if (!address || address->is_any() || address->is_multicast()) return std::nullopt;
  if (percent == std::string_view::npos) return HostServer{.address = *address};
  const std::string_view zone = text.substr(percent + 1);
  if (address->is_v4() || zone.empty() || zone.size() > kMostZone ||
      zone.find_first_of("/\\%") != std::string_view::npos ||
      zone.find('\0') != std::string_view::npos)
    return std::nullopt;
  return HostServer{.address = *address, .zone = std::string(zone)};
}

// The keyword begins the line, and the address ends at a blank or a comment, as glibc reads it (resolv/res_init.c).
std::optional<HostServer> read_line(std::string_view line) {
  if (!line.starts_with(kKeyword)) return std::nullopt;
  line.remove_prefix(kKeyword.size());
  const std::size_t begin = line.find_first_not_of(kBlanks);
  if (begin == 0 || begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin);
  return server_of(line.substr(0, line.find_first_of(kEnds)));
}

void add(std::vector<HostServer>& servers, const HostServer& server) {
  if (servers.size() < kMostHostServers && std::ranges::find(servers, server) == servers.end())
    servers.push_back(server);
}

bool is_resolved(const HostServer& server) {
  const auto bytes = server.address.bytes();
  return server.address.is_v4() && bytes[0] == 127 && bytes[1] == 0 && bytes[2] == 0 &&
         (bytes[3] == 53 || bytes[3] == 54);
}

}  // namespace

std::vector<HostServer> parse_resolv_conf(std::string_view text) {
  text = text.substr(0, kMostResolvConf);
  std::vector<HostServer> servers;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (const auto server = read_line(text.substr(0, end))) add(servers, *server);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return servers;
}

std::vector<HostServer> choose_servers(const std::vector<HostServer>& resolv,
                                       const std::vector<HostServer>& resolved) {
  std::vector<HostServer> servers;
  for (const HostServer& server : resolv) {
    if (!is_resolved(server) || resolved.empty()) {
      add(servers, server);
      continue;
    }
    for (const HostServer& behind : resolved) add(servers, behind);
  }
  if (servers.empty())
    servers.push_back(
        {.address = IpAddress::from_bytes(Family::kV4, std::array<std::uint8_t, 4>{127, 0, 0, 1})});
  return servers;
}

}  // namespace fairlead::dns
