// What sparse files promise of the disks below them: images of volumes, and files of pools.
//
// What a disk has for them is what is free on it and what they have taken already. The sum of their
// sizes beyond `overcommit` times that is warned of; with `overcommit` 0 a promise that is not covered
// is refused. Limits of folders and subvolumes are no promises: they take what is written.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "volume/api/backend.h"
#include "volume/api/pools.h"
#include "volume/service/records.h"

namespace fairlead::volume {

class Promises {
 public:
  // What is borrowed must outlive it. `catalog` and `disks` may be null. `overcommit` is asked each
  // time.
  Promises(state::Store& store, BackendRegistry& backends, PoolCatalog* catalog, PoolDisks* disks,
           std::function<double()> overcommit);

  // Whether `more` bytes may be promised of that disk: warnings, one line each; kExhausted with
  // `overcommit` 0. Looks at every image of the host, so it is for verbs that make images.
  Result<std::vector<std::string>> admit(const DiskRoom& room, std::uint64_t more);
  // The sum on that disk.
  Result<Promise> sum(const DiskRoom& room);

 private:
  Records records_;
  BackendRegistry& backends_;
  PoolCatalog* catalog_;
  PoolDisks* disks_;
  std::function<double()> overcommit_;
};

}  // namespace fairlead::volume
