// The verbs for several volumes at one moment.
#pragma once

#include <memory>

#include "volume/api/groups.h"
#include "volume/service/snapshots.h"

namespace fairlead::volume {

class Groups : public VolumeGroups {
 public:
  Groups(LockedVolumes& volumes, Changes& changes) : volumes_(volumes), changes_(changes) {}

  Result<std::vector<VolumeName>> members(const std::string& group) override;
  Result<std::vector<VolumeSnapshot>> take(const std::string& group, const std::string& snapshot,
                                           const Progress& progress) override;
  Result<std::vector<VolumeSnapshot>> drop(const std::string& group,
                                           const std::string& snapshot) override;
  Result<std::vector<VolumeSnapshot>> roll_back(const std::string& group,
                                                const std::string& snapshot,
                                                const Progress& progress) override;

  // --- for other verbs; `verb` is told to hooks
  struct Request {
    std::string group, snapshot, verb;
    SnapshotOrigin origin = SnapshotOrigin::kUser;
  };
  Result<std::vector<VolumeSnapshot>> take_for(const Request& request, const Progress& progress);

 private:
  struct Locked {
    std::vector<NamedLocks::Guard> guards;
    std::vector<OpenVolume> volumes;
  };
  Result<std::vector<VolumeSnapshot>> take_now(const Request& request, const Progress& progress);
  Result<std::vector<VolumeSnapshot>> drop_now(const std::string& group,
                                               const std::string& snapshot);
  Result<std::vector<VolumeSnapshot>> roll_back_now(const std::string& group,
                                                    const std::string& snapshot,
                                                    const Progress& progress);
  Result<Locked> lock(const std::string& group);
  void take_forth(const std::vector<Changes::Step>& back);

  LockedVolumes& volumes_;
  Changes& changes_;
};

// A VolumeGroups with everything that it stands on; as make_volume_service().
std::unique_ptr<VolumeGroups> make_volume_groups(state::Store& store, NamedLocks& locks,
                                                 BackendRegistry& backends,
                                                 Environment environment = {});

}  // namespace fairlead::volume
