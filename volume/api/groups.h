// VolumeGroups: verbs for several volumes at one moment.
//
// A group is written as names of volumes and labels, with commas: "db,files", "shop". A label is
// the value of the label "group" of volumes (-o label.group=shop) and stands for all that have it.
// A word that is both a volume's name and a label is kConflict: "volume:shop" and "label:shop" tell
// them apart.
#pragma once

#include <string>
#include <vector>

#include "volume/api/types.h"

namespace fairlead::volume {

inline constexpr const char* kGroupLabel = "group";
inline constexpr std::size_t kMostInGroup = 64;  // all records of a group are one commit

// A snapshot and its volume.
struct VolumeSnapshot {
  VolumeName volume;
  Snapshot snapshot;
  bool operator==(const VolumeSnapshot&) const = default;
};

// Thread-safe. Results are sorted by the names of the volumes. Each verb is done for all volumes or
// for none, also after a crash; what it says otherwise.
class VolumeGroups {
 public:
  virtual ~VolumeGroups() = default;

  // The names of the volumes, sorted. kNotFound for a word that is neither volume nor label.
  virtual Result<std::vector<VolumeName>> members(const std::string& group) = 0;
  // Takes a snapshot of that name of each volume, all of one moment: what one volume holds was
  // never written after something that another one lacks. An empty name is replaced by the time.
  // kExists when one of them has it already; kUnsupported for volumes in use that cannot be stopped
  // at one moment.
  virtual Result<std::vector<VolumeSnapshot>> take(const std::string& group,
                                                   const std::string& snapshot,
                                                   const Progress& progress) = 0;
  // Removes what take() made. Where a volume has none of that name: kNotFound when none has;
  // otherwise it is left out. kConflict when they are not of one moment. What cannot be removed
  // keeps those after it from being removed.
  virtual Result<std::vector<VolumeSnapshot>> drop(const std::string& group,
                                                   const std::string& snapshot) = 0;
  // Takes all volumes back to the snapshot that take() made. Returns what keeps the replaced
  // content. kInUse, before anything is touched, while somebody has one of them mounted. When one
  // fails, those that are back are taken forth again; after a crash all of them go back.
  virtual Result<std::vector<VolumeSnapshot>> roll_back(const std::string& group,
                                                        const std::string& snapshot,
                                                        const Progress& progress) = 0;
};

}  // namespace fairlead::volume
