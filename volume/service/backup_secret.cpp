#include "volume/service/backup_secret.h"

#include <cstdlib>

#include "volume/kernel/secret_file.h"

namespace fairlead::volume {

namespace {

constexpr const char* kVariable = "FAIRLEAD_BACKUP_PASSPHRASE";
constexpr std::size_t kShortestKey = 32, kLongestSecret = 1U << 20;

Result<BackupSecret> passphrase_of(std::string text, const std::string& from) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return fail(Code::kInvalid, "the passphrase in {} is empty", from);
  return BackupSecret{SecretKind::kPassphrase, std::move(text)};
}

Result<BackupSecret> key_in(const std::string& path) {
  TRY(auto bytes, read_secret_file(path, "key file", kLongestSecret));
  if (bytes.size() < kShortestKey)
    return fail(Code::kInvalid,
                "key file {}: it must hold {} random bytes at least, not {}; `head -c 64 "
                "/dev/urandom > {}` makes one",
                path, kShortestKey, bytes.size(), path);
  return BackupSecret{SecretKind::kKeyFile, std::move(bytes)};
}

}  // namespace

Result<std::optional<BackupSecret>> read_secret(const BackupPlace& place) {
  if (!place.key_file.empty() && !place.passphrase_file.empty())
    return fail(Code::kInvalid, "a backup folder has a key file or a passphrase, not both");
  std::optional<BackupSecret> secret;
  if (!place.key_file.empty()) {
    TRY(secret, key_in(place.key_file));
  } else if (!place.passphrase_file.empty()) {
    TRY(auto text, read_secret_file(place.passphrase_file, "passphrase file", kLongestSecret));
    TRY(secret, passphrase_of(std::move(text), place.passphrase_file));
  } else if (const char* text = std::getenv(kVariable); text != nullptr) {
    TRY(secret, passphrase_of(text, kVariable));
  }
  return secret;
}

}  // namespace fairlead::volume
