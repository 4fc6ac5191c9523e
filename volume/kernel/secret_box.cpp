#include "volume/kernel/secret_box.h"

#include <sodium.h>

#include <new>
#include <stdexcept>

namespace fairlead::volume {

namespace {

constexpr char kContext[] = "FLBACKUP";  // of crypto_kdf: 8 bytes
constexpr std::uint64_t kMostMemory = 1U << 30, kMostPasses = 64;

static_assert(crypto_kdf_KEYBYTES == 32 && crypto_generichash_KEYBYTES == 32 &&
              crypto_aead_xchacha20poly1305_ietf_KEYBYTES == 32 &&
              crypto_pwhash_SALTBYTES == sizeof(Salt));
static_assert(kSealSize == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES +
                               crypto_aead_xchacha20poly1305_ietf_ABYTES);

// Fails only where there is no source of random bytes.
void start_sodium() {
  static const int started = ::sodium_init();
  if (started < 0) throw std::runtime_error("libsodium could not be started");
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

SecretKey::~SecretKey() { ::sodium_memzero(bytes.data(), bytes.size()); }

SecretKey SecretKey::random() {
  start_sodium();
  SecretKey key;
  ::randombytes_buf(key.bytes.data(), key.bytes.size());
  return key;
}

SecretKey SecretKey::derive(std::uint64_t purpose) const {
  SecretKey key;
  ::crypto_kdf_derive_from_key(key.bytes.data(), key.bytes.size(), purpose, kContext, bytes.data());
  return key;
}

Salt random_salt() {
  start_sodium();
  Salt salt{};
  ::randombytes_buf(salt.data(), salt.size());
  return salt;
}

Result<SecretKey> key_of_passphrase(std::string_view passphrase, const Salt& salt,
                                    const PassphraseCost& cost) {
  start_sodium();
  if (cost.memory > kMostMemory || cost.passes > kMostPasses)
    return fail(Code::kInvalid, "the passphrase would take {} passes over {} bytes of memory",
                cost.passes, cost.memory);
  SecretKey key;
  if (::crypto_pwhash(key.bytes.data(), key.bytes.size(), passphrase.data(), passphrase.size(),
                      salt.data(), cost.passes, cost.memory, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return fail(Code::kInvalid, "the passphrase cannot be used with {} passes over {} bytes",
                cost.passes, cost.memory);
  return key;
}

SecretKey key_of_file(std::string_view content, const Salt& salt) {
  start_sodium();
  SecretKey key;
  ::crypto_generichash(key.bytes.data(), key.bytes.size(), bytes_of(content), content.size(),
                       salt.data(), salt.size());
  return key;
}

void SecretBox::seal(std::string_view plain, std::string_view about, std::string& sealed) const {
  start_sodium();
  const std::size_t at = sealed.size();
  sealed.resize(at + plain.size() + kSealSize);
  auto* const nonce = reinterpret_cast<unsigned char*>(sealed.data() + at);
  ::randombytes_buf(nonce, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
  ::crypto_aead_xchacha20poly1305_ietf_encrypt(
      nonce + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, nullptr, bytes_of(plain), plain.size(),
      bytes_of(about), about.size(), nullptr, nonce, key_.bytes.data());
}

Result<std::string> SecretBox::open(std::string_view sealed, std::string_view about) const {
  start_sodium();
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  if (sealed.size() < kSealSize) return fail(Code::kInvalid, "what was encrypted is cut off");
  std::string plain(sealed.size() - kSealSize, '\0');
  if (::crypto_aead_xchacha20poly1305_ietf_decrypt(
          reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr,
          bytes_of(sealed) + kNonce, sealed.size() - kNonce, bytes_of(about), about.size(),
          bytes_of(sealed), key_.bytes.data()) != 0)
    return fail(Code::kInvalid, "what was encrypted was changed, or the key is another one");
  return plain;
}

Digest keyed_digest(const SecretKey& key, std::string_view bytes) {
  start_sodium();
  Digest digest{};
  ::crypto_generichash(digest.data(), digest.size(), bytes_of(bytes), bytes.size(),
                       key.bytes.data(), key.bytes.size());
  return digest;
}

}  // namespace fairlead::volume
