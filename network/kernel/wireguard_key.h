// Keys of WireGuard: Curve25519 (RFC 7748), 32 bytes, in text as `wg` writes them (base64, 44
// characters). Pure.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::kernel {

inline constexpr std::size_t kKeySize = 32;
using KeyBytes = std::array<std::uint8_t, kKeySize>;

// The identity of a host: what the others know it by. Not a secret.
class PublicKey {
 public:
  PublicKey() = default;  // all zero: none
  static Result<PublicKey> parse(std::string_view text);
  // Shorter input is no key; of longer input the first 32 bytes count.
  static Result<PublicKey> from_bytes(std::span<const std::uint8_t> bytes);

  std::span<const std::uint8_t> bytes() const { return bytes_; }
  bool empty() const { return *this == PublicKey(); }
  std::string to_string() const;
  auto operator<=>(const PublicKey&) const = default;

 private:
  KeyBytes bytes_{};
};

// A secret: it has no to_string, no error mentions it, and its memory is wiped. Always clamped as
// the kernel clamps it (curve25519_clamp_secret), so that what was set compares equal to what is
// read back.
class PrivateKey {
 public:
  PrivateKey() = default;  // all zero: none
  ~PrivateKey();
  PrivateKey(const PrivateKey&) = default;
  PrivateKey& operator=(const PrivateKey&) = default;

  // The error does not hold the text.
  static Result<PrivateKey> parse(std::string_view text);
  static Result<PrivateKey> from_bytes(std::span<const std::uint8_t> bytes);

  std::span<const std::uint8_t> bytes() const { return bytes_; }
  bool empty() const { return bytes_ == KeyBytes{}; }
  // The text that parse() takes, for the file of the key and nothing else.
  std::string reveal() const;
  bool operator==(const PrivateKey&) const = default;

 private:
  KeyBytes bytes_{};
};

}  // namespace fairlead::kernel
