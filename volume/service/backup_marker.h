// fairlead-backup.json, which makes a folder a backup folder:
//
//   {"format":1}
//   {"format":2,"encryption":{"from":"passphrase","salt":"<32 hex digits>","passes":3,
//                             "memory":67108864,"master":"<hex>"}}
//   {"format":2,"encryption":{"from":"key-file","salt":"…","master":"…"}}
//
// `master` is the master key (backup_cipher.h), sealed about "master" by the key from the
// passphrase or the key file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "volume/api/types.h"
#include "volume/kernel/secret_box.h"
#include "volume/service/backup_cipher.h"
#include "volume/service/backup_secret.h"

namespace fairlead::volume {

struct WrappedKey {
  using From = SecretKind;
  From from = From::kPassphrase;
  Salt salt{};
  PassphraseCost cost;
  std::string master;
  bool operator==(const WrappedKey&) const = default;
};

struct BackupMarker {
  std::optional<WrappedKey> encryption;
};

std::string to_text(const BackupMarker& marker);
// Pure and fuzzed. kUnsupported for a format of a later version.
Result<BackupMarker> parse_marker(std::string_view text);

// A new master key, wrapped by the secret.
Result<WrappedKey> wrap_new_key(const BackupSecret& secret, SecretKey& master);

// The cipher of a folder; nullptr for one that is not encrypted. kInvalid where the secret is
// missing, of the other kind, or wrong. A folder that is not encrypted is refused with a key file
// or passphrase file named (what is stored there would be plain), but not because of the
// environment.
Result<std::shared_ptr<const BackupCipher>> open_cipher(const BackupMarker& marker,
                                                        const BackupPlace& place);

}  // namespace fairlead::volume
