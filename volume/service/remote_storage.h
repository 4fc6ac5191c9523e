// A backup folder on a server that speaks SFTP.
//
//   lock.*   who uses it: remote_lock.h
//   tmp/     files that have no name yet; a writer empties it first
//
// Files are written under a name in tmp/ and renamed when the server has all of them on its disk.
// publish() does not wait for that, so that packs follow each other without a pause: what becomes of
// the file is told by one of the next calls, at the latest by sync().
#pragma once

#include "volume/service/remote_lock.h"

namespace fairlead::volume {

struct RemotePlace {
  std::string name;  // for people: "sftp:nas:/backup"
  std::string path;  // on the server, without '/' at its end; "" is the server's top
  SharedClient data;
  // Another connection where one remembers what folders held (rclone); else the same one.
  SharedClient locks;
  std::function<Result<std::unique_ptr<SftpClient>>()> reconnect;
  LockTimes times;
};

std::unique_ptr<BackupStorage> make_remote_storage(RemotePlace place);

}  // namespace fairlead::volume
