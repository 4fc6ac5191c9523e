// What encrypts a backup folder, as its user keeps it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "volume/api/types.h"

namespace fairlead::volume {

enum class SecretKind { kPassphrase, kKeyFile };

struct BackupSecret {
  SecretKind from = SecretKind::kPassphrase;
  std::string bytes;
};

// Reads the secret that the place names: the key file, the passphrase file (without the line end),
// or the environment's FAIRLEAD_BACKUP_PASSPHRASE. std::nullopt when there is none. kInvalid for a
// file that others than root can read, for less than 32 bytes of key, and for an empty passphrase.
Result<std::optional<BackupSecret>> read_secret(const BackupPlace& place);

}  // namespace fairlead::volume
