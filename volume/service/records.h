// The volumes in the store.
//
//   volume/<id>           the record, see record.h
//   volume-name/<name>    "<id>"
//   volume-trash/<id>     the record of a removed volume whose data is kept for a while
//
// The first two are written and deleted in one transaction, so that a name leads to its record or
// to nothing. A volume has a record of one of the two kinds, never of both.
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

// Thread-safe. Changes are made under the lock of the volume; the revision guards against those who
// have none.
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
  // The volume under another name. kConflict when that is taken.
  Status rename(Stored& stored, const VolumeName& to);
  // The volume is gone; `trashed`, if any, takes its place.
  Status erase(const Volume& volume, const std::optional<TrashedVolume>& trashed = {});

  Result<std::optional<TrashedVolume>> trashed(const std::string& id);
  struct TrashListing {
    std::vector<TrashedVolume> volumes;  // newest first
    std::vector<std::string> unreadable;
  };
  Result<TrashListing> all_trashed();
  // A removed volume is a volume again, under the name in `volume`; `former` is that in the trash.
  // kConflict when the name is taken, or the volume is not in the trash.
  Result<Stored> take_from_trash(const Volume& volume, const VolumeName& former);
  Status put_trashed(const TrashedVolume& trashed);
  Status erase_trashed(const std::string& id);

 private:
  state::Store& store_;
  std::string boot_;
};

}  // namespace fairlead::volume
