#include "volume/api/types.h"

namespace fairlead::volume {

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::kCreating:
      return "creating";
    case Phase::kReady:
      return "ready";
    case Phase::kDeleting:
      return "deleting";
  }
  return "ready";
}

std::string_view to_string(SnapshotOrigin origin) {
  switch (origin) {
    case SnapshotOrigin::kUser:
      return "user";
    case SnapshotOrigin::kSchedule:
      return "schedule";
    case SnapshotOrigin::kRollback:
      return "rollback";
    case SnapshotOrigin::kArchive:
      return "archive";
  }
  return "user";
}

std::string_view to_string(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kSnapshot:
      return "snapshot";
    case ChangeKind::kDropSnapshot:
      return "drop-snapshot";
    case ChangeKind::kRollback:
      return "rollback";
    case ChangeKind::kResize:
      return "resize";
  }
  return "snapshot";
}

void LeftOut::add(const LeftOut& more) {
  count += more.count;
  for (const std::string& note : more.notes)
    if (notes.size() < kMostNotes) notes.push_back(note);
}

std::string_view to_string(Condition condition) {
  switch (condition) {
    case Condition::kOk:
      return "ok";
    case Condition::kWarning:
      return "warning";
    case Condition::kFull:
      return "full";
    case Condition::kDiskFull:
      return "disk-full";
    case Condition::kDamaged:
      return "damaged";
    case Condition::kMissing:
      return "missing";
    case Condition::kOffline:
      return "offline";
    case Condition::kLocked:
      return "locked";
  }
  return "warning";
}

std::string_view to_string(ContentKind kind) {
  switch (kind) {
    case ContentKind::kFile:
      return "file";
    case ContentKind::kFolder:
      return "folder";
    case ContentKind::kSymlink:
      return "link";
    case ContentKind::kFifo:
      return "fifo";
    case ContentKind::kDevice:
      return "device";
    case ContentKind::kSocket:
      return "socket";
  }
  return "file";
}

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::kRunning:
      return "running";
    case JobState::kDone:
      return "done";
    case JobState::kFailed:
      return "failed";
    case JobState::kStopped:
      return "stopped";
    case JobState::kInterrupted:
      return "interrupted";
  }
  return "running";
}

}  // namespace fairlead::volume
