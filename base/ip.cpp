#include "base/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/hash.h"

namespace fairlead {

namespace {
constexpr unsigned width(Family family) { return family == Family::kV4 ? 32 : 128; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN + 1> buffer{};
  if (text.size() < buffer.size()) {
    std::ranges::copy(text, buffer.begin());
    IpAddress ip;
    if (std::memchr(buffer.data(), '\0', text.size()) == nullptr) {
      if (inet_pton(AF_INET, buffer.data(), ip.bytes_.data()) == 1) return ip;
      ip.family_ = Family::kV6;
      if (inet_pton(AF_INET6, buffer.data(), ip.bytes_.data()) == 1) return ip;
    }
  }
  return fail(Code::kInvalid, "\"{}\" is not an IP address (like 10.1.0.2 or fd00::2)",
              text.substr(0, 64));
}

IpAddress IpAddress::from_bytes(Family family, std::span<const std::uint8_t> bytes) {
  IpAddress ip;
  ip.family_ = family;
  std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), width(family) / 8),
              ip.bytes_.begin());
  return ip;
}

IpAddress IpAddress::link_local(const MacAddress& mac) {
  const auto from = mac.bytes();
  const std::array<std::uint8_t, 16> bytes{0xfe,    0x80,    0,
                                           0,       0,       0,
                                           0,       0,       static_cast<std::uint8_t>(from[0] ^ 2),
                                           from[1], from[2], 0xff,
                                           0xfe,    from[3], from[4],
                                           from[5]};
  return from_bytes(Family::kV6, bytes);
}

bool IpAddress::is_any() const {
  return std::ranges::all_of(bytes(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; });
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), buffer.data(), buffer.size());
  return buffer.data();
}

std::string IpAddress::to_hex() const {
  std::string hex;
  for (const std::uint8_t byte : bytes()) hex += fmt::format("{:02x}", byte);
  return hex;
}

Result<IpAddress> IpAddress::from_hex(std::string_view hex) {
  if (hex.size() != 8 && hex.size() != 32)
    return fail(Code::kInvalid, "\"{}\" is not an address in hex", hex);
  IpAddress ip;
  ip.family_ = hex.size() == 8 ? Family::kV4 : Family::kV6;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
    if (high < 0 || low < 0) return fail(Code::kInvalid, "\"{}\" is not an address in hex", hex);
    ip.bytes_[i / 2] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return ip;
}

std::optional<IpAddress> IpAddress::plus(std::uint64_t offset) const {
  IpAddress sum = *this;
  std::uint64_t rest = offset;
  unsigned carry = 0;
  for (std::size_t i = bytes().size(); i-- > 0 && (rest != 0 || carry != 0);) {
    carry += sum.bytes_[i] + static_cast<unsigned>(rest & 0xff);
    sum.bytes_[i] = static_cast<std::uint8_t>(carry & 0xff);
    carry >>= 8;
    rest >>= 8;
  }
  if (rest != 0 || carry != 0) return std::nullopt;
  return sum;
}

std::uint64_t IpAddress::distance_to(const IpAddress& other) const {
  if (other.family_ != family_ || other < *this) return 0;
  const std::size_t size = bytes().size();
  std::uint64_t distance = 0;
  bool saturated = false;
  int borrow = 0;
  std::array<int, 16> digits{};
  for (std::size_t i = size; i-- > 0;) {
    const int difference = int{other.bytes_[i]} - int{bytes_[i]} - borrow;
    borrow = difference < 0 ? 1 : 0;
    digits[i] = difference + borrow * 256;
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (size - i > 8)
      saturated = saturated || digits[i] != 0;
    else
      distance = (distance << 8) | static_cast<std::uint64_t>(digits[i]);
  }
  return saturated ? UINT64_MAX : distance;
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos)
    return fail(Code::kInvalid,
                "\"{}\" is not a subnet: the prefix length is missing (like 10.1.0.0/24)",
                text.substr(0, 64));
  TRY(auto address, IpAddress::parse(text.substr(0, slash)));
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.empty() ||
      length > width(address.family()))
    return fail(Code::kInvalid, "\"{}\" is not a subnet: the prefix length must be 0 to {}",
                text.substr(0, 64), width(address.family()));
  return of(address, length);
}

Result<Cidr> Cidr::parse_subnet(std::string_view text) {
  TRY(auto cidr, parse(text));
  if (cidr.network() != cidr)
    return fail(Code::kInvalid, "\"{}\" has host bits set; did you mean {}?", text,
                cidr.network().to_string());
  return cidr;
}

Cidr Cidr::of(const IpAddress& address, unsigned prefix_length) {
  Cidr cidr;
  cidr.address_ = address;
  cidr.prefix_length_ = std::min(prefix_length, width(address.family()));
  return cidr;
}

namespace {
IpAddress with_host_bits(const IpAddress& address, unsigned prefix_length, bool set) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  for (unsigned bit = prefix_length; bit < width(address.family()); ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    if (set)
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | mask);
    else
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~mask);
  }
  return IpAddress::from_bytes(address.family(), bytes);
}
}  // namespace

Cidr Cidr::network() const {
  return of(with_host_bits(address_, prefix_length_, false), prefix_length_);
}
IpAddress Cidr::last() const { return with_host_bits(address_, prefix_length_, true); }

bool Cidr::contains(const IpAddress& address) const {
  return address.family() == family() && first() <= address && address <= last();
}
bool Cidr::contains(const Cidr& other) const {
  return other.prefix_length_ >= prefix_length_ && contains(other.address_);
}
bool Cidr::overlaps(const Cidr& other) const {
  return other.family() == family() && first() <= other.last() && other.first() <= last();
}

std::uint64_t Cidr::size() const {
  const unsigned host_bits = width(family()) - prefix_length_;
  return host_bits >= 64 ? UINT64_MAX : std::uint64_t{1} << host_bits;
}

std::string Cidr::to_string() const {
  return fmt::format("{}/{}", address_.to_string(), prefix_length_);
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
  std::array<std::uint8_t, 6> bytes{};
  bool good = text.size() == 17;
  for (std::size_t i = 0; good && i < 6; ++i) {
    const int high = hex_digit(text[i * 3]), low = hex_digit(text[i * 3 + 1]);
    good = high >= 0 && low >= 0 && (i == 5 || text[i * 3 + 2] == ':' || text[i * 3 + 2] == '-');
    if (good) bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  if (!good)
    return fail(Code::kInvalid, "\"{}\" is not a MAC address (like 02:42:ac:11:00:02)",
                text.substr(0, 64));
  return from_bytes(bytes);
}

Result<MacAddress> MacAddress::from_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != 6)
    return fail(Code::kInvalid, "a MAC address has 6 bytes, not {}", bytes.size());
  MacAddress mac;
  std::ranges::copy(bytes, mac.bytes_.begin());
  if ((mac.bytes_[0] & 1) != 0 || mac == MacAddress())
    return fail(Code::kInvalid,
                "{} cannot be an interface's MAC address: it must be unicast and not zero",
                mac.to_string());
  return mac;
}

MacAddress MacAddress::for_ip(const IpAddress& ip) {
  MacAddress mac;
  if (ip.is_v4()) {
    mac.bytes_ = {0x02, 0xfa, ip.bytes()[0], ip.bytes()[1], ip.bytes()[2], ip.bytes()[3]};
  } else {
    const std::uint64_t h =
        fnv1a(std::string_view(reinterpret_cast<const char*>(ip.bytes().data()), 16));
    mac.bytes_ = {0x06,
                  0xfa,
                  static_cast<std::uint8_t>(h >> 24),
                  static_cast<std::uint8_t>(h >> 16),
                  static_cast<std::uint8_t>(h >> 8),
                  static_cast<std::uint8_t>(h)};
  }
  return mac;
}

MacAddress MacAddress::from_hash(std::string_view text) {
  const std::uint64_t h = fnv1a(text);
  MacAddress mac;
  mac.bytes_ = {0x0a,
                0xfa,
                static_cast<std::uint8_t>(h >> 24),
                static_cast<std::uint8_t>(h >> 16),
                static_cast<std::uint8_t>(h >> 8),
                static_cast<std::uint8_t>(h)};
  return mac;
}

std::string MacAddress::to_string() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes_[0], bytes_[1], bytes_[2],
                     bytes_[3], bytes_[4], bytes_[5]);
}

std::vector<Cidr> prefixes_between(const IpAddress& first, const IpAddress& last) {
  std::vector<Cidr> prefixes;
  std::optional<IpAddress> next = first;
  while (next && *next <= last) {
    unsigned length = first.is_v4() ? 32 : 128;
    const auto fits = [&](unsigned candidate) {
      const Cidr block = Cidr::of(*next, candidate);
      return block.first() == *next && block.last() <= last;
    };
    while (length > 0 && fits(length - 1)) --length;
    prefixes.push_back(Cidr::of(*next, length));
    next = prefixes.back().last().plus(1);
  }
  return prefixes;
}

}  // namespace fairlead
