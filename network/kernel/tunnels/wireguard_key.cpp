#include "network/kernel/tunnels/wireguard_key.h"

#include <strings.h>

#include <algorithm>
#include <optional>

#include "base/base64.h"

namespace fairlead::kernel {

namespace {

constexpr std::size_t kTextSize = 44;  // 43 digits of 6 bits each and one '='
// The last digit has two bits that belong to no byte. They must be 0, so that each key has only
// one text.
constexpr std::string_view kLastDigits = "AEIMQUYcgkosw048";

std::string to_text(const KeyBytes& bytes) {
  return to_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::optional<KeyBytes> from_text(std::string_view text) {
  if (text.size() != kTextSize || kLastDigits.find(text[kTextSize - 2]) == std::string_view::npos)
    return std::nullopt;
  auto bytes = from_base64(text);
  if (!bytes || bytes->size() != kKeySize) return std::nullopt;
  KeyBytes key{};
  std::ranges::copy(*bytes, key.begin());
  ::explicit_bzero(bytes->data(), bytes->size());
  return key;
}

std::optional<KeyBytes> first_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kKeySize) return std::nullopt;
  KeyBytes key{};
  std::copy_n(bytes.begin(), kKeySize, key.begin());
  return key;
}

}  // namespace

// ---- PublicKey

Result<PublicKey> PublicKey::parse(std::string_view text) {
  const auto bytes = from_text(text);
  if (!bytes)
    return fail(Code::kInvalid, "\"{}\" is no public key of WireGuard (44 characters of base64)",
                text);
  return from_bytes(*bytes);
}

Result<PublicKey> PublicKey::from_bytes(std::span<const std::uint8_t> bytes) {
  const auto taken = first_bytes(bytes);
  if (!taken) return fail(Code::kInvalid, "a key of WireGuard has 32 bytes, not {}", bytes.size());
  PublicKey key;
  key.bytes_ = *taken;
  return key;
}

std::string PublicKey::to_string() const { return to_text(bytes_); }

// ---- PrivateKey

PrivateKey::~PrivateKey() { ::explicit_bzero(bytes_.data(), bytes_.size()); }

Result<PrivateKey> PrivateKey::parse(std::string_view text) {
  const auto bytes = from_text(text);
  if (!bytes)
    return fail(Code::kInvalid, "this is no private key of WireGuard (44 characters of base64)");
  return from_bytes(*bytes);
}

Result<PrivateKey> PrivateKey::from_bytes(std::span<const std::uint8_t> bytes) {
  auto taken = first_bytes(bytes);
  if (!taken) return fail(Code::kInvalid, "a key of WireGuard has 32 bytes, not {}", bytes.size());
  PrivateKey key;
  key.bytes_ = *taken;
  ::explicit_bzero(taken->data(), taken->size());
  // An all-zero key means that there is none, as in the kernel; it is not clamped.
  if (key.empty()) return key;
  key.bytes_.front() &= 0xf8;
  key.bytes_.back() = static_cast<std::uint8_t>((key.bytes_.back() & 0x7f) | 0x40);
  return key;
}

std::string PrivateKey::reveal() const { return to_text(bytes_); }

}  // namespace fairlead::kernel
