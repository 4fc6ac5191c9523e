// Network values: addresses, prefixes and MAC addresses. They are parsed once, where they enter the
// program; a value is always valid.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead {

class MacAddress;

enum class Family : std::uint8_t { kV4 = 4, kV6 = 6 };

// An IPv4 or IPv6 address. It has 16 bytes in network order; IPv4 uses the first 4. Addresses are
// ordered by family, then numerically.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  // Accepts what inet_pton(3) accepts. No zone, no port, no brackets.
  static Result<IpAddress> parse(std::string_view text);
  static IpAddress from_bytes(Family family, std::span<const std::uint8_t> bytes);
  static IpAddress any(Family family) { return from_bytes(family, {}); }
  // The link-local address that an interface with this MAC makes for itself (modified EUI-64, RFC 4291
  // appendix A).
  static IpAddress link_local(const MacAddress& mac);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kV4; }
  std::span<const std::uint8_t> bytes() const { return {bytes_.data(), is_v4() ? 4U : 16U}; }
  bool is_any() const;
  bool is_loopback() const;  // 127.0.0.0/8, ::1
  bool is_multicast() const;
  std::string to_string() const;
  // Fixed-width lower-case hex (8 or 32 digits): the form used in store keys, because it sorts
  // numerically.
  std::string to_hex() const;
  static Result<IpAddress> from_hex(std::string_view hex);

  // The address `offset` after this one; std::nullopt when that is past the last address of the
  // family.
  std::optional<IpAddress> plus(std::uint64_t offset) const;
  // How many addresses after this one `other` lies, at most 2^64-1; 0 when it lies before this one.
  // Both must be of one family.
  std::uint64_t distance_to(const IpAddress& other) const;

  std::strong_ordering operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::kV4;
  std::array<std::uint8_t, 16> bytes_{};
};

// A prefix together with the address it was written with ("10.1.0.5/24"): a subnet when host bits
// are zero, an interface address otherwise.
class Cidr {
 public:
  Cidr() = default;  // 0.0.0.0/0
  static Result<Cidr> parse(std::string_view text);
  // Accepts only a prefix whose host bits are zero; the error says what the subnet would be.
  static Result<Cidr> parse_subnet(std::string_view text);
  static Cidr of(const IpAddress& address, unsigned prefix_length);

  const IpAddress& address() const { return address_; }
  unsigned prefix_length() const { return prefix_length_; }
  Family family() const { return address_.family(); }
  bool is_v4() const { return address_.is_v4(); }
  Cidr network() const;  // host bits cleared
  IpAddress first() const { return network().address_; }
  IpAddress last() const;  // host bits set
  bool contains(const IpAddress& address) const;
  bool contains(const Cidr& other) const;
  bool overlaps(const Cidr& other) const;
  // The number of addresses, at most 2^64-1.
  std::uint64_t size() const;
  std::string to_string() const;

  std::strong_ordering operator<=>(const Cidr&) const = default;

 private:
  IpAddress address_;
  unsigned prefix_length_ = 0;
};

// The fewest prefixes that hold exactly `first` to `last` (first <= last, one family), in order.
std::vector<Cidr> prefixes_between(const IpAddress& first, const IpAddress& last);

// An Ethernet address (EUI-48).
class MacAddress {
 public:
  MacAddress() = default;
  // "02:42:ac:11:00:02", also with '-', any case. Multicast and all-zero addresses are refused.
  static Result<MacAddress> parse(std::string_view text);
  static Result<MacAddress> from_bytes(std::span<const std::uint8_t> bytes);
  // The locally administered unicast address that belongs to `ip` (02:fa + IPv4, or 06:fa + a hash
  // of IPv6): when an address is given to another container, it keeps its MAC, so no neighbour has
  // to learn a new one.
  static MacAddress for_ip(const IpAddress& ip);
  // A locally administered unicast address derived from `text` (used for the fixed MAC of a
  // bridge).
  static MacAddress from_hash(std::string_view text);

  std::span<const std::uint8_t> bytes() const { return bytes_; }
  std::string to_string() const;
  auto operator<=>(const MacAddress&) const = default;

 private:
  std::array<std::uint8_t, 6> bytes_{};
};

}  // namespace fairlead
