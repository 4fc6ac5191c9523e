// How an encrypted backup folder hides what is in it.
//
// A random master key, made with the folder, is wrapped in the marker (backup_marker.h) by a key
// from a passphrase (Argon2id) or from a key file. Two keys are derived from it: one seals chunks,
// lists of packs, indexes and summaries (XChaCha20-Poly1305), one makes the names of chunks
// (BLAKE2b with a key), so that a name does not tell which content it has.
//
// To see without the key: how many backups and packs there are, when each was made, and their
// sizes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "volume/kernel/secret_box.h"

namespace fairlead::volume {

// Thread-safe.
class BackupCipher {
 public:
  explicit BackupCipher(const SecretKey& master)
      : box_(master.derive(kSeal)), names_(master.derive(kNames)) {}

  Digest digest(std::string_view chunk) const { return keyed_digest(names_, chunk); }
  // See SecretBox.
  void seal(std::string_view plain, std::string_view about, std::string& sealed) const {
    box_.seal(plain, about, sealed);
  }
  Result<std::string> open(std::string_view sealed, std::string_view about) const {
    return box_.open(sealed, about);
  }

 private:
  static constexpr std::uint64_t kSeal = 1, kNames = 2;
  SecretBox box_;
  SecretKey names_;
};

}  // namespace fairlead::volume
