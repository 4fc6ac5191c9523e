// Where backups are kept, as users write it.
//
//   /srv/backup                          a folder of this host
//   sftp:[user@]host[:port]:/path        over ssh(1); "sftp:host:path" begins in the user's folder
//   sftp://[user@]host[:port]/path       the same; the path is absolute
//   rclone:remote:path                   whatever rclone(1) has a remote for
//   s3:bucket/path                       over rclone, with the keys of its environment (AWS_*)
//   s3:https://host[:port]/bucket/path   the same, of a server of one's own
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::volume {

struct BackupTarget {
  enum class Kind { kLocal, kSsh, kRclone };
  Kind kind = Kind::kLocal;
  std::string name;              // as it was written
  std::string user, host, port;  // kSsh; user and port may be empty
  std::string remote;            // kRclone: rclone's own argument, "remote:path"
  std::string path;              // kLocal and kSsh; on the server for kRclone ("")
  bool operator==(const BackupTarget&) const = default;
};

// Pure. kInvalid for what is none of these, with what would be; also for passwords and secrets,
// which would be seen in `ps` and kept in records.
Result<BackupTarget> parse_backup_target(std::string_view text);

// Whether this is no folder of this host, by how it begins.
bool is_far_target(std::string_view text);

}  // namespace fairlead::volume
