// WireGuard's keys: Curve25519 (RFC 7748), 32 bytes. Their text is base64 with 44 characters, as
// `wg` writes it. Pure functions.
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

// The identity of a host towards its peers. Not a secret.
class PublicKey {
 public:
  PublicKey() = default;  // all zero: there is no key
  static Result<PublicKey> parse(std::string_view text);
  // kInvalid for fewer than 32 bytes; further bytes are ignored.
  static Result<PublicKey> from_bytes(std::span<const std::uint8_t> bytes);

  std::span<const std::uint8_t> bytes() const { return bytes_; }
  bool empty() const { return *this == PublicKey(); }
  std::string to_string() const;
  auto operator<=>(const PublicKey&) const = default;

 private:
  KeyBytes bytes_{};
};

// A secret: the class has no to_string, no error contains the key, and the destructor wipes its
// memory. The key is always clamped as the kernel clamps it (curve25519_clamp_secret), so that a
// key that was set compares equal to the one that is read back.
class PrivateKey {
 public:
  PrivateKey() = default;  // all zero: there is no key
  ~PrivateKey();
  PrivateKey(const PrivateKey&) = default;
  PrivateKey& operator=(const PrivateKey&) = default;

  // The error does not contain the text.
  static Result<PrivateKey> parse(std::string_view text);
  static Result<PrivateKey> from_bytes(std::span<const std::uint8_t> bytes);

  std::span<const std::uint8_t> bytes() const { return bytes_; }
  bool empty() const { return bytes_ == KeyBytes{}; }
  // The text that parse() reads. Only for the key file.
  std::string reveal() const;
  bool operator==(const PrivateKey&) const = default;

 private:
  KeyBytes bytes_{};
};

}  // namespace fairlead::kernel
