// Makes volumes, empty or as clones.
#pragma once

#include <functional>

#include "volume/service/changes.h"
#include "volume/service/clone_jobs.h"
#include "volume/service/create_plan.h"
#include "volume/service/recovery.h"
#include "volume/service/removal.h"

namespace fairlead::volume {

class Creation {
 public:
  Creation(LockedVolumes& volumes, Changes& changes, Removal& removal, LostVolumes& lost)
      : volumes_(volumes), changes_(changes), removal_(removal), lost_(lost) {}

  Result<Volume> create(const VolumeSpec& spec, const Progress& progress);

 private:
  using Maker = std::function<Status(Backend& backend, const Volume& volume, Rollback& undo)>;
  Result<Volume> create_new(CreatePlan plan);
  Result<Volume> clone(CreatePlan plan, const Progress& progress);
  Result<Volume> clone_behind(const CreatePlan& plan);
  Status check_backup(const CreatePlan& plan);
  Result<std::optional<Volume>> existing(const CreatePlan& plan);
  Result<Volume> build(const CreatePlan& plan, const Maker& make);
  Result<Volume> build_unflushed(const CreatePlan& plan);
  Status make_sure(const Stored& there);
  void abandon(const Volume& volume);

  LockedVolumes& volumes_;
  Changes& changes_;
  Removal& removal_;
  LostVolumes& lost_;
  CloneJobs clone_jobs_;  // the last member, because its threads use all others
};

}  // namespace fairlead::volume
