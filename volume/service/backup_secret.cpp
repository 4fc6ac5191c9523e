#include "volume/service/backup_secret.h"

#include <cstdlib>

#include "volume/kernel/secret_file.h"

namespace fairlead::volume {

namespace {

constexpr const char* kVariable = "FAIRLEAD_BACKUP_PASSPHRASE";
constexpr std::size_t kShortestKey = 32, kLongestSecret = 1U << 20;

Result<std::string> passphrase_of(std::string text, const std::string& from) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return fail(Code::kInvalid, "the passphrase in {} is empty", from);
  return text;
}

Result<std::string> key_in(const std::string& path) {
  TRY(auto bytes, read_secret_file(path, "key file", kLongestSecret));
  if (bytes.size() < kShortestKey)
    return fail(Code::kInvalid,
                "key file {}: it must hold {} random bytes at least, not {}; `head -c 64 "
                "/dev/urandom > {}` makes one",
                path, kShortestKey, bytes.size(), path);
  return bytes;
}

}  // namespace

Result<std::optional<BackupSecret>> read_secret(const BackupPlace& place) {
  if (!place.key_file.empty() && !place.passphrase_file.empty())
    return fail(Code::kInvalid, "a backup folder has a key file or a passphrase, not both");
  if (!place.key_file.empty()) {
    TRY(auto key, key_in(place.key_file));
    return BackupSecret{SecretKind::kKeyFile, std::move(key)};
  }
  std::string given;
  if (!place.passphrase_file.empty()) {
    TRY(given, read_secret_file(place.passphrase_file, "passphrase file", kLongestSecret));
  } else if (const char* text = std::getenv(kVariable); text != nullptr) {
    given = text;
  } else {
    return std::nullopt;
  }
  TRY(auto passphrase,
      passphrase_of(std::move(given),
                    place.passphrase_file.empty() ? kVariable : place.passphrase_file));
  return BackupSecret{SecretKind::kPassphrase, std::move(passphrase)};
}

}  // namespace fairlead::volume
