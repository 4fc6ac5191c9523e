// Files on an SFTP server: lists, readers and what is written.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "volume/kernel/sftp_client.h"
#include "volume/service/backup_storage.h"

namespace fairlead::volume {

using SharedClient = std::shared_ptr<SftpClient>;

// What is in a folder, with sizes and times, in two round trips for each few hundred files; empty
// when there is no such folder. Names that are none ("..", "a/b") are left out.
Result<std::vector<sftp::Entry>> list_remote(SftpClient& client, const std::string& path);

// Makes the folder and its parents; succeeds when it is there.
Status make_remote_folder(SftpClient& client, const std::string& path);

// One file, read with many requests under way. The end of a file, where packs and indexes have
// their lists, is asked for once; whoever reads on where he ended finds it on its way already.
Result<std::unique_ptr<BackupReader>> open_remote(SharedClient client, const std::string& path);

// A new file while it is written.
class RemoteFile {
 public:
  static Result<RemoteFile> create(SharedClient client, std::string path);
  Status append(std::string_view bytes);
  // Sends what is left. finish() waits until the server has all of it on its disk, and closes it.
  Status end();
  Status finish();
  void discard();  // never waits
  const std::string& path() const { return path_; }

 private:
  RemoteFile(SharedClient client, std::string path, SftpClient::Handle handle)
      : client_(std::move(client)), path_(std::move(path)), handle_(std::move(handle)) {}
  Status send(std::string_view bytes);
  Status wait_oldest();
  Error explain(Error error) const;

  SharedClient client_;
  std::string path_;
  SftpClient::Handle handle_;
  std::string unsent_;
  std::uint64_t offset_ = 0;
  std::deque<SftpCall> writes_;
  SftpCall sync_, close_;
};

}  // namespace fairlead::volume
