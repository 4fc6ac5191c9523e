// The lock of a backup folder on an SFTP server: a file for each who uses it, at the top.
//
//   lock.<16 hex digits>.<r or w>.<n>
//
//   {"host":"web1","verb":"backup","since":1767225600,"boot":"...","pid_namespace":"pid:[...]",
//    "pid":12,"started":3456}
//
// Who wants it writes his file, then looks at those of others: of two at the same time at least
// one sees the other and gives up. Each renews his own by one with the next n. Ages are told by the
// server's clock alone: by comparing with the time of one's own file. A lock is void when nobody has
// renewed it for a while, or when it is of a dead process of this host.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "volume/service/backup_storage.h"
#include "volume/service/remote_files.h"

namespace fairlead::volume {

struct LockTimes {
  std::chrono::milliseconds renew = std::chrono::minutes(1);
  std::chrono::milliseconds doubt = std::chrono::minutes(10);  // check() fails without a renewal
  std::chrono::seconds stale = std::chrono::minutes(15);       // others take it over
};

struct LockPlace {
  std::string name;  // of the folder, for messages
  std::string path;  // of the folder, on the server
  SharedClient client;
  // For giving it back after the connection was lost. May be empty.
  std::function<Result<std::unique_ptr<SftpClient>>()> reconnect;
  LockTimes times;
};

// kUnavailable with who has it. A reader of a folder where he may not write has no file, as on a
// medium that nobody can write to.
Result<std::shared_ptr<BackupStorage::Lock>> take_remote_lock(LockPlace place,
                                                              BackupStorage::Use use,
                                                              const std::string& verb);

// Whether this is the name of a lock's file.
bool is_lock_name(std::string_view name);

}  // namespace fairlead::volume
