// Where backups are kept, as users write it.
//
//   /srv/backup                          a folder of this host
//   sftp:[user@]host[:port]:/path        over ssh(1); "sftp:host:path" begins in the user's folder
//   sftp://[user@]host[:port]/path       the same; the path is absolute
//   rclone:remote:path                   whatever rclone(1) has a remote for
//   s3:bucket/path                       over rclone, with the keys of its environment (AWS_*)
//   s3:https://host[:port]/bucket/path   the same, of a server of one's own
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "volume/service/backup_storage.h"

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

// The program that is run, with its arguments. `ssh`: the value of FAIRLEAD_SSH, a program and
// options in front of ours, separated by spaces; empty for "ssh". `remembers`: seconds that rclone
// may remember what a folder held.
std::vector<std::string> target_command(const BackupTarget& target, std::string_view ssh,
                                        unsigned remembers);

// Connects to far targets: the errors of SftpClient. kUnsupported with the package when the program
// is missing. `stopped` is asked while somebody waits for a server: see SftpSettings.
Result<std::unique_ptr<BackupStorage>> open_backup_target(const BackupTarget& target,
                                                          std::function<bool()> stopped = {});

}  // namespace fairlead::volume
