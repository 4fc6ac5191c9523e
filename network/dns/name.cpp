#include "network/dns/name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace fairlead::dns {

namespace {

constexpr std::size_t kMaxLabel = 63, kMaxKey = 254;  // a key has no byte for the root

char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// A number as only one text says it: without leading zeros.
std::optional<std::uint8_t> number_of(std::string_view label, int base) {
  std::uint8_t number = 0;
  const auto [end, error] =
      std::from_chars(label.data(), label.data() + label.size(), number, base);
  if (error != std::errc() || end != label.data() + label.size()) return std::nullopt;
  if (label.size() > 1 && label.front() == '0') return std::nullopt;
  return number;
}

std::optional<IpAddress> reverse_v4(std::string_view rest) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = bytes.size(); i-- > 0; rest = without_first_label(rest)) {
    if (rest.empty()) return std::nullopt;
    const auto number = number_of(first_label(rest), 10);
    if (!number) return std::nullopt;
    bytes[i] = *number;
  }
  if (!rest.empty()) return std::nullopt;
  return IpAddress::from_bytes(Family::kV4, bytes);
}

std::optional<IpAddress> reverse_v6(std::string_view rest) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 2 * bytes.size(); i-- > 0; rest = without_first_label(rest)) {
    if (rest.empty() || first_label(rest).size() != 1) return std::nullopt;
    const auto digit = number_of(first_label(rest), 16);
    if (!digit) return std::nullopt;
    bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] | (i % 2 == 0 ? *digit << 4 : *digit));
  }
  if (!rest.empty()) return std::nullopt;
  return IpAddress::from_bytes(Family::kV6, bytes);
}

}  // namespace

std::optional<std::string> key_of(std::string_view text) {
  std::string key;
  key.reserve(text.size() + 1);
  while (true) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    if (dot == 0 || dot > kMaxLabel) return std::nullopt;
    key.push_back(static_cast<char>(dot));
    for (const char c : text.substr(0, dot)) key.push_back(lowered(c));
    if (key.size() > kMaxKey) return std::nullopt;
    if (dot == text.size()) return key;
    text.remove_prefix(dot + 1);
  }
}

std::string lowered(std::string name) {
  for (char& c : name) c = lowered(c);  // a length is at most 63, which is no letter
  return name;
}

std::string_view first_label(std::string_view key) {
  return key.substr(1, static_cast<unsigned char>(key.front()));
}

std::string_view without_first_label(std::string_view key) {
  return key.substr(1 + static_cast<unsigned char>(key.front()));
}

std::optional<std::string_view> before(std::string_view key, std::string_view suffix) {
  if (key.size() <= suffix.size() || !key.ends_with(suffix)) return std::nullopt;
  const std::size_t size = key.size() - suffix.size();
  // The same bytes may also be the end of a longer label.
  std::string_view rest = key;
  while (rest.size() > suffix.size()) rest = without_first_label(rest);
  if (rest.size() != suffix.size()) return std::nullopt;
  return key.substr(0, size);
}

bool is_at_or_below(std::string_view key, std::string_view suffix) {
  return key == suffix || before(key, suffix);
}

std::optional<IpAddress> reverse_address(std::string_view key) {
  static const std::string v4 = *key_of("in-addr.arpa"), v6 = *key_of("ip6.arpa");
  if (const auto rest = before(key, v4)) return reverse_v4(*rest);
  if (const auto rest = before(key, v6)) return reverse_v6(*rest);
  return std::nullopt;
}

}  // namespace fairlead::dns
