#include "network/kernel/wireguard_key.h"

#include <strings.h>

#include <algorithm>
#include <optional>

namespace fairlead::kernel {

namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kTextSize = 44;  // 43 digits of 6 bits each and one '='
constexpr unsigned kDigitBits = 6, kByteBits = 8;

std::string to_base64(const KeyBytes& bytes) {
  std::string text;
  text.reserve(kTextSize);
  unsigned pending = 0, bits = 0;
  for (const std::uint8_t byte : bytes) {
    pending = (pending << kByteBits | byte) & 0xffffU;
    for (bits += kByteBits; bits >= kDigitBits; bits -= kDigitBits)
      text += kDigits[pending >> (bits - kDigitBits) & 0x3fU];
  }
  text += kDigits[pending << (kDigitBits - bits) & 0x3fU];
  return text += '=';
}

std::optional<KeyBytes> from_base64(std::string_view text) {
  if (text.size() != kTextSize || !text.ends_with('=')) return std::nullopt;
  text.remove_suffix(1);
  KeyBytes bytes{};
  auto* out = bytes.begin();
  unsigned pending = 0, bits = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    pending = (pending << kDigitBits | static_cast<unsigned>(digit)) & 0xffffU;
    bits += kDigitBits;
    if (bits < kByteBits) continue;
    bits -= kByteBits;
    *out++ = static_cast<std::uint8_t>(pending >> bits & 0xffU);
  }
  // The last digit has two bits that belong to no byte. They must be 0, so that each key has only
  // one text.
  if ((pending & 0x3U) != 0) return std::nullopt;
  return bytes;
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
  const auto bytes = from_base64(text);
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

std::string PublicKey::to_string() const { return to_base64(bytes_); }

// ---- PrivateKey

PrivateKey::~PrivateKey() { ::explicit_bzero(bytes_.data(), bytes_.size()); }

Result<PrivateKey> PrivateKey::parse(std::string_view text) {
  const auto bytes = from_base64(text);
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

std::string PrivateKey::reveal() const { return to_base64(bytes_); }

}  // namespace fairlead::kernel
