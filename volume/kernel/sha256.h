// SHA-256 (FIPS 180-4) by OpenSSL, for digests of archives and of the chunks of a backup.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace fairlead::volume {

using Digest = std::array<std::uint8_t, 32>;

// Computes the digest of bytes that come in several calls. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) = default;
  Sha256& operator=(Sha256&&) = default;

  void add(std::string_view bytes);
  Digest finish();  // the next add() begins a new digest

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

Digest sha256(std::string_view bytes);

std::string to_hex(const Digest& digest);               // 64 lower case digits
bool parse_hex(std::string_view text, Digest& digest);  // false: the text is not 64 such digits

}  // namespace fairlead::volume
