// Authenticated encryption, keyed digests and keys from passphrases, by libsodium.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "volume/kernel/sha256.h"

namespace fairlead::volume {

// 32 secret bytes, wiped when destroyed.
struct SecretKey {
  std::array<std::uint8_t, 32> bytes{};

  SecretKey() = default;
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  static SecretKey random();
  // Another key for each purpose (BLAKE2b, crypto_kdf); who has one of them knows nothing of the
  // others.
  SecretKey derive(std::uint64_t purpose) const;
};

// Argon2id. The cost makes each guess slow: `passes` over `memory` bytes.
struct PassphraseCost {
  std::uint64_t passes = 3, memory = 64U << 20;
  bool operator==(const PassphraseCost&) const = default;
};
using Salt = std::array<std::uint8_t, 16>;
Salt random_salt();
// kInvalid for a cost that libsodium refuses or that takes more than 1 GiB.
Result<SecretKey> key_of_passphrase(std::string_view passphrase, const Salt& salt,
                                    const PassphraseCost& cost);
// Of a file with as many secret bytes as somebody likes.
SecretKey key_of_file(std::string_view content, const Salt& salt);

// What seal() adds: a random nonce of 24 bytes before and a tag of 16 bytes behind.
inline constexpr std::size_t kSealSize = 40;

// XChaCha20-Poly1305 (IETF). `about` is not stored: opening needs the same text, so that what was
// sealed for one place is refused in another. Thread-safe.
class SecretBox {
 public:
  explicit SecretBox(const SecretKey& key) : key_(key) {}

  // Appends the sealed bytes to `sealed`.
  void seal(std::string_view plain, std::string_view about, std::string& sealed) const;
  // kInvalid when the key is another one, or a byte was changed.
  Result<std::string> open(std::string_view sealed, std::string_view about) const;

 private:
  SecretKey key_;
};

// BLAKE2b with a key: without it nobody can tell which bytes have this digest.
Digest keyed_digest(const SecretKey& key, std::string_view bytes);

}  // namespace fairlead::volume
