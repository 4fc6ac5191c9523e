// The file that names the servers of a host.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "network/dns/resolv_conf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::dns;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto first = parse_resolv_conf(text.substr(0, size / 2));
  const auto second = parse_resolv_conf(text.substr(size / 2));
  if (first.size() > kMostHostServers) std::abort();
  for (const HostServer& server : first)
    if (server.address.is_any() || server.zone.find('/') != std::string::npos) std::abort();
  if (choose_servers(first, second).empty()) std::abort();
  return 0;
}
