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

// What stands before the path and is no part of it: "sftp:", "ftp:" of "ftp:b/x", "nas:" of the
// "nas:/backup" of scp(1); empty for what begins as a path of this host.
std::string_view kind_of(std::string_view text);

// Whether a part of the path is "." or "..".
bool has_dots(std::string_view text);

// Whether the target is `root` or beneath it: on the same host, as the same user, at the same port,
// or of the same remote, and further down by whole parts of the path. Pure. False for what cannot
// be read, and for paths with dots.
bool is_beneath_target(std::string_view target, std::string_view root);

// What answers for the target: "" for this host, else the host or the remote. Those of one server
// get the same text.
std::string server_of(const BackupTarget& target);

}  // namespace fairlead::volume
