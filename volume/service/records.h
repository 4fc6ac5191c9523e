// The volumes in the store.
//
//   volume/<id>           the record, see record.h
//   volume-name/<name>    "<id>"
//   volume-trash/<id>     the record of a removed volume whose data is kept for a while
//
// The first two are written and deleted in one transaction, so that a name always leads to its
// record. A volume has a record in volume/ or in volume-trash/, never in both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "volume/service/record.h"

namespace fairlead::volume {

struct Stored {
  Volume volume;
  std::int64_t revision = 0;
  bool void_mounts = false;
  long long counted = 0;  // see record.h
  std::string former;
};

// Thread-safe. Changes are made under the lock of the volume; the revision protects against writers
// that do not hold it.
class Records {
 public:
  Records(state::Store& store, std::string boot) : store_(store), boot_(std::move(boot)) {}

  Result<std::optional<Stored>> by_name(const VolumeName& name);
  Result<std::optional<Stored>> by_id(const std::string& id);

  struct Listing {
    std::vector<Stored> volumes;
    std::vector<std::string> unreadable;  // what is wrong, one line each
  };
  Result<Listing> all();

  // kConflict when the name is taken.
  Result<Stored> add(const Volume& volume);
  Status put(Stored& stored, state::Durability durability);
  // Gives the volume another name. kConflict when that is taken.
  Status rename(Stored& stored, const VolumeName& to);
  // Removes the volume; `trashed`, if given, is stored in its place.
  Status erase(const Volume& volume, const std::optional<TrashedVolume>& trashed = {});

  Result<std::optional<TrashedVolume>> trashed(const std::string& id);
  struct TrashListing {
    std::vector<TrashedVolume> volumes;  // newest first
    std::vector<std::string> unreadable;
  };
  Result<TrashListing> all_trashed();
  // Moves a removed volume from the trash back to the volumes, under the name in `volume`; `former`
  // is its name in the trash. kConflict when the name is taken, or the volume is not in the trash.
  Result<Stored> take_from_trash(const Volume& volume, const VolumeName& former);
  Status put_trashed(const TrashedVolume& trashed);
  Status erase_trashed(const std::string& id);

 private:
  state::Store& store_;
  std::string boot_;
};

}  // namespace fairlead::volume
