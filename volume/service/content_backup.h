// Reads single files and folders of a backup: its index is read once or twice, and of the content
// only the chunks that are needed.
#pragma once

#include <string>

#include "volume/api/service.h"
#include "volume/service/backup_folder.h"
#include "volume/service/content_sinks.h"

namespace fairlead::volume {

// A path within a backup. `folder` is borrowed.
class BackupContent {
 public:
  BackupContent(const BackupFolder& folder, BackupSummary backup, std::string path)
      : folder_(folder), backup_(std::move(backup)), path_(std::move(path)) {}

  // As those of LivePlace (content_live.h).
  Status list(VolumeContent::Reach reach, const VolumeContent::Visit& visit) const;
  Status read(int fd, const Progress& progress) const;
  Status copy(ContentCopy& copy) const;
  Result<TreeEntry> look() const;

 private:
  using OnEntry = std::function<Status(const BackupEntry&)>;
  // Calls `each` for the entry at the path and for all below it. Fails as VolumeContent says when
  // the path leads nowhere.
  Status scan(const OnEntry& each) const;
  Result<BackupEntry> find(const std::string& path) const;
  Result<std::map<std::string, BackupEntry>> linked_from_outside() const;

  const BackupFolder& folder_;
  const BackupSummary backup_;
  const std::string path_;
};

}  // namespace fairlead::volume
