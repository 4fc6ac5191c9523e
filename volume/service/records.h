// The volumes in the store.
//
//   volume/<id>           the record, see record.h
//   volume-name/<name>    "<id>"
//   volume-trash/<id>     the record of a removed volume whose data is kept for a while
//   volume-going/<id>     the record of a removed volume whose data is being removed
//   volume-growth/<id>    {"error":"…"}: why a volume with autogrow= could not grow the last time;
//                         absent when it could
//   volume-disk/<name>    how full a disk is that is watched (space_watch.h): {"path":"/var/lib/…",
//                         "level":"filling","percent":87}; <name> is "state", "volumes", "pool-fast"
//
// The first two are written and deleted in one transaction, so that a name always leads to its
// record. A volume has a record in one of volume/, volume-trash/ and volume-going/.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "volume/service/disk_level.h"
#include "volume/service/record.h"

namespace fairlead::volume {

struct Stored {
  Volume volume;
  std::int64_t revision = 0;
  bool void_mounts = false;
  long long counted = 0;  // see record.h
  std::string former;
  bool unflushed = false;
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

  // Of the volumes, of what is in the trash, and of what is on its way there.
  Result<std::set<std::string>> ids();

  Result<std::int64_t> revision() { return store_.revision(); }
  Result<std::optional<DiskState>> disk(const std::string& name);
  Status put_disk(const std::string& name, const DiskState& state);

  // Empty when it grew, or needed not to.
  Result<std::string> growth_failure(const std::string& id);
  Status put_growth_failure(const std::string& id, const std::string& error);  // "": none

  // kConflict when the name is taken.
  Result<Stored> add(const Volume& volume) { return add(Stored{.volume = volume}); }
  Result<Stored> add(Stored stored);
  Status put(Stored& stored, state::Durability durability);
  // All or none of them; kConflict as put().
  Status put_all(const std::vector<Stored*>& all);
  // Gives the volume another name. kConflict when that is taken.
  Status rename(Stored& stored, const VolumeName& to);
  // Removes the volume; `trashed`, if given, is stored in its place.
  Status erase(const Volume& volume, const std::optional<TrashedVolume>& trashed = {});

  // Removes the volume, and keeps a record of it until its data is gone. kConflict as put().
  Status let_go(const Stored& stored);
  struct Going {
    std::vector<Volume> volumes;
    std::vector<std::string> unreadable;
  };
  Result<Going> all_going();
  Status erase_going(const std::string& id);  // not durable: at worst it is done again

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
