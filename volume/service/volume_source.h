// The content of a volume or of a snapshot, kept unchanged while it is read where that is possible.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/lock.h"
#include "base/unique_fd.h"
#include "volume/api/backend.h"
#include "volume/api/service.h"
#include "volume/kernel/tree_entry.h"
#include "volume/kernel/tree_reader.h"
#include "volume/service/records.h"

namespace fairlead::volume {

struct ArchiveParts {
  VolumeService& service;
  Records& records;
  NamedLocks& locks;
  BackendRegistry& backends;
};

class VolumeSource {
 public:
  // `text` is "shop" or "shop@monday". See archives.h for where the present content is read from.
  // While this object lives the volume is not removed, rolled back or resized, and loses no
  // snapshot.
  static Result<VolumeSource> open(ArchiveParts parts, const std::string& text);
  VolumeSource(VolumeSource&&) = default;
  VolumeSource& operator=(VolumeSource&&) = delete;
  ~VolumeSource();

  const Volume& volume() const { return volume_; }
  int data() const { return data_.get(); }
  const FileTime& taken() const { return taken_; }  // nothing that was changed later is in it
  // A named snapshot that lacks the content of subvolumes is refused, because it would be taken for
  // complete. For the present content an empty folder is only noted: it came with a roll-back.
  Hollow hollow() const { return named_ ? Hollow::kRefuse : Hollow::kNote; }
  const std::string& group() const { return group_; }  // of the snapshot that was named
  std::uint64_t used() const { return used_; }         // bytes, 0: not known
  // Why the content may change while it is read; empty when it cannot change, or nobody uses it.
  const std::string& warning() const { return warning_; }

 private:
  VolumeSource(ArchiveParts parts, Volume volume) : parts_(parts), volume_(std::move(volume)) {}
  Status open_now();
  Status open_snapshot(const std::string& name);
  Status open_data(const std::string& snapshot_id);

  ArchiveParts parts_;
  Volume volume_;
  // only one reader at a time makes a snapshot of a volume for itself
  std::optional<NamedLocks::Guard> turn_;
  std::unique_ptr<const std::string> own_snapshot_;  // null once moved from
  // keeps the data from being removed or replaced
  std::optional<NamedLocks::Guard> content_;
  UniqueFd data_;
  FileTime taken_;
  std::string group_;
  bool named_ = false;  // reads a snapshot that was named, not the present content
  std::uint64_t used_ = 0;
  std::string warning_;
};

}  // namespace fairlead::volume
