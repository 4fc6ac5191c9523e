// The content of a volume or of a snapshot, held still for reading where that is possible.
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
  // "shop", or "shop@monday". See archives.h for where the content of now comes from.
  // Meanwhile the volume is not removed, rolled back or resized, and loses no snapshot.
  static Result<VolumeSource> open(ArchiveParts parts, const std::string& text);
  VolumeSource(VolumeSource&&) = default;
  VolumeSource& operator=(VolumeSource&&) = delete;
  ~VolumeSource();

  const Volume& volume() const { return volume_; }
  int data() const { return data_.get(); }
  const FileTime& taken() const { return taken_; }  // nothing changed later is in it
  // A snapshot that lacks something is not read as if it were whole. What there is now is: folders
  // that came with a roll-back are empty.
  Hollow hollow() const { return named_ ? Hollow::kRefuse : Hollow::kNote; }
  std::uint64_t used() const { return used_; }  // bytes, 0: not known
  // Why it may change while it is read; empty: it cannot, or nobody uses it.
  const std::string& warning() const { return warning_; }

 private:
  VolumeSource(ArchiveParts parts, Volume volume) : parts_(parts), volume_(std::move(volume)) {}
  Status open_now();
  Status open_snapshot(const std::string& name);
  Status open_data(const std::string& snapshot_id);

  ArchiveParts parts_;
  Volume volume_;
  std::optional<NamedLocks::Guard> turn_;  // one at a time makes a snapshot of a volume for itself
  std::unique_ptr<const std::string> own_snapshot_;  // null where it was moved from
  std::optional<NamedLocks::Guard> content_;         // nobody pulls the data from under us
  UniqueFd data_;
  FileTime taken_;
  bool named_ = false;  // a snapshot by its name, and not what there is now
  std::uint64_t used_ = 0;
  std::string warning_;
};

}  // namespace fairlead::volume
