#include "volume/kernel/sha256.h"

#include <openssl/evp.h>

#include <new>

namespace fairlead::volume {

namespace {

int value_of(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

// OpenSSL would look its implementation up for each digest: for small files that takes longer than
// the digest. Kept until the process ends.
const EVP_MD* implementation() {
  static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return found == nullptr ? EVP_sha256() : found;
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

// OpenSSL fails here only for lack of memory.
Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), implementation(), nullptr) != 1)
    throw std::bad_alloc();
}

void Sha256::add(std::string_view bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
}

Digest Sha256::finish() {
  Digest digest{};
  if (EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1 ||
      EVP_DigestInit_ex(context_.get(), nullptr, nullptr) != 1)
    throw std::bad_alloc();
  return digest;
}

Digest sha256(std::string_view bytes) {
  thread_local Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

std::string to_hex(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(digest.size() * 2);
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool parse_hex(std::string_view text, Digest& digest) {
  if (text.size() != digest.size() * 2) return false;
  for (std::size_t k = 0; k < digest.size(); ++k) {
    const int high = value_of(text[2 * k]), low = value_of(text[2 * k + 1]);
    if (high < 0 || low < 0) return false;
    digest[k] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace fairlead::volume
