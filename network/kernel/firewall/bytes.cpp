#include "network/kernel/firewall/bytes.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace fairlead::kernel {

namespace {

constexpr std::size_t kIfNameSize = 16;  // IFNAMSIZ
constexpr std::uint8_t kNfprotoV4 = 2, kNfprotoV6 = 10;

std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }

}  // namespace

// The fields of a concatenation fill whole registers; one alone has its own length.
ElementBytes& ElementBytes::append(std::span<const std::uint8_t> field) {
  if (fields_ > 0) bytes_.resize(padded(bytes_.size()));
  bytes_.insert(bytes_.end(), field.begin(), field.end());
  if (++fields_ > 1) bytes_.resize(padded(bytes_.size()));
  return *this;
}

ElementBytes& ElementBytes::family(Family family) {
  const std::array number{family == Family::kV4 ? kNfprotoV4 : kNfprotoV6};
  return append(number);
}

ElementBytes& ElementBytes::proto(std::uint8_t number) {
  const std::array field{number};
  return append(field);
}

ElementBytes& ElementBytes::port(std::uint16_t number) {
  const std::array field{static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
  return append(field);
}

ElementBytes& ElementBytes::vni(std::uint32_t number) {
  const std::array field{static_cast<std::uint8_t>(number >> 16),
                         static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
  return append(field);
}

ElementBytes& ElementBytes::address(const IpAddress& address) { return append(address.bytes()); }

ElementBytes& ElementBytes::ifname(const IfName& name) {
  std::array<std::uint8_t, kIfNameSize> field{};
  std::copy(name.str().begin(), name.str().end(), field.begin());
  return append(field);
}

ElementBytes& ElementBytes::last_ifname(const IfName& beginning) {
  std::array<std::uint8_t, kIfNameSize> field{};
  field.fill(0xff);
  std::copy(beginning.str().begin(), beginning.str().end(), field.begin());
  return append(field);
}

ElementBytes& ElementBytes::mac(const MacAddress& address) { return append(address.bytes()); }

ElementBytes& ElementBytes::mark(std::uint32_t number) {
  std::array<std::uint8_t, sizeof(number)> field{};
  std::memcpy(field.data(), &number, sizeof(number));
  return append(field);
}

ElementBytes ElementBytes::until(const ElementBytes& last) const {
  ElementBytes both = *this;
  both.bytes_.insert(both.bytes_.end(), last.bytes_.begin(), last.bytes_.end());
  return both;
}

ElementBytes ElementBytes::of(std::span<const std::uint8_t> bytes, unsigned fields) {
  ElementBytes element;
  element.bytes_.assign(bytes.begin(), bytes.end());
  element.fields_ = fields;
  return element;
}

std::optional<ElementBytes> next_key(const ElementBytes& key) {
  std::vector<std::uint8_t> bytes(key.bytes().begin(), key.bytes().end());
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
    if (++*byte != 0) return ElementBytes::of(bytes, key.fields());
  return std::nullopt;
}

std::optional<ElementBytes> previous_key(const ElementBytes& key) {
  std::vector<std::uint8_t> bytes(key.bytes().begin(), key.bytes().end());
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
    if ((*byte)-- != 0) return ElementBytes::of(bytes, key.fields());
  return std::nullopt;
}

}  // namespace fairlead::kernel
