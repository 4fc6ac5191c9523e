// Heals what crashes, reboots and strangers left: every volume, the trash, the trees on the disk.
#pragma once

#include "volume/service/inspection.h"
#include "volume/service/recovery.h"
#include "volume/service/snapshots.h"
#include "volume/service/trash.h"

namespace fairlead::volume {

class Reconciler {
 public:
  // The verbs that it makes use of.
  struct Verbs {
    Changes& changes;
    Removal& removal;
    Inspection& inspection;
    Snapshots& snapshots;
    SnapshotMounts& snapshot_mounts;
    Trash& trash;
    LostVolumes& lost;
  };
  Reconciler(LockedVolumes& volumes, const Verbs& verbs) : volumes_(volumes), verbs_(verbs) {}

  Result<ReconcileReport> reconcile();

 private:
  void heal_all(ReconcileReport& report, const Records::Listing& listing);
  Status heal(const Volume& seen, ReconcileReport& report);
  Status heal_data(Stored& stored, ReconcileReport& report);
  Status heal_change(Stored& stored, ReconcileReport& report);
  Status unmount_if_idle(const Volume& seen);
  Status drop_leftovers_of_archives(const Volume& seen, ReconcileReport& report);
  void look_after(const Volume& volume, ReconcileReport& report);
  void look_for_lost(ReconcileReport& report);
  void empty_due_trash(ReconcileReport& report);
  void finish_removals(ReconcileReport& report);
  Result<bool> mend(const Volume& seen);

  LockedVolumes& volumes_;
  Verbs verbs_;
};

}  // namespace fairlead::volume
