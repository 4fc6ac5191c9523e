#include "network/kernel/host/underlay.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace fairlead::kernel {

namespace {

std::optional<IpAddress> address_of(const sockaddr* raw) {
  if (raw == nullptr) return std::nullopt;
  const auto bytes = [](const void* at, std::size_t size) {
    return std::span(static_cast<const std::uint8_t*>(at), size);
  };
  if (raw->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(raw);
    return IpAddress::from_bytes(Family::kV4, bytes(&v4->sin_addr, 4));
  }
  if (raw->sa_family != AF_INET6) return std::nullopt;
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(raw);
  if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) return std::nullopt;
  return IpAddress::from_bytes(Family::kV6, bytes(&v6->sin6_addr, 16));
}

Result<IpAddress> of_interface(std::string_view name) {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return fail_errno(errno, "list the addresses of this host");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(raw, ::freeifaddrs);
  std::optional<IpAddress> v6;
  bool is_there = false;
  for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_name != name) continue;
    is_there = true;
    const auto address = address_of(entry->ifa_addr);
    if (address && address->is_v4()) return *address;
    if (address && !v6) v6 = address;
  }
  if (v6) return *v6;
  if (is_there) return fail(Code::kNotFound, "interface {} has no address", name);
  return fail(Code::kNotFound, "there is no interface {}, and it is no address either", name);
}

// Connecting a UDP socket sends nothing, but chooses its source address. `nobody` is an address
// that no host has (RFC 5737, RFC 3849).
std::optional<IpAddress> of_default_route(int family, const char* nobody) {
  const UniqueFd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return std::nullopt;
  sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(9)};
  sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(9)};
  const bool is_v4 = family == AF_INET;
  ::inet_pton(family, nobody, is_v4 ? static_cast<void*>(&v4.sin_addr) : &v6.sin6_addr);
  auto* to = is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  if (::connect(fd.get(), to, is_v4 ? sizeof v4 : sizeof v6) != 0) return std::nullopt;
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) return std::nullopt;
  return address_of(reinterpret_cast<sockaddr*>(&own));
}

}  // namespace

Result<IpAddress> underlay_address(std::string_view request) {
  if (const auto given = IpAddress::parse(request)) return *given;
  if (!request.empty()) return of_interface(request);
  if (const auto v4 = of_default_route(AF_INET, "192.0.2.1")) return *v4;
  if (const auto v6 = of_default_route(AF_INET6, "2001:db8::1")) return *v6;
  return fail(Code::kNotFound,
              "this host has no default route: say which of its addresses, or of its interfaces, "
              "leads to the other hosts");
}

}  // namespace fairlead::kernel
