// The volumes in the store.
//
//   volume/<id>           the record, see record.h
//   volume-name/<name>    "<id>"
//
// Both are written and deleted in one transaction, so that a name leads to its record or to
// nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "volume/api/types.h"

namespace fairlead::volume {

struct Stored {
  Volume volume;
  std::int64_t revision = 0;
  bool void_mounts = false;
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
  Status erase(const Volume& volume);

 private:
  state::Store& store_;
  std::string boot_;
};

}  // namespace fairlead::volume
