// Backend: how one kind of volume is kept on disk. A backend acts and reports; it never writes the store.
#pragma once

#include <string>

#include "base/rollback.h"
#include "volume/api/types.h"

namespace fairlead::volume {

// Called under the lock of the volume, from any thread.
class Backend {
 public:
  virtual ~Backend() = default;

  // Refuses options that this backend or this host cannot honour, before anything is stored.
  virtual Status validate(const VolumeSpec& spec) const = 0;
  // Builds the data beside, then renames it into place: the rename is the commit. Idempotent.
  virtual Status create(const Volume& volume, Rollback& undo) = 0;
  // Renames the data into the trash; the real removal comes later (empty_trash). Succeeds when it is gone.
  virtual Status remove(const Volume& volume) = 0;
  // Makes the data available and returns the absolute path of its `_data` folder. Idempotent.
  virtual Result<std::string> mount(const Volume& volume) = 0;
  virtual Status unmount(const Volume& volume) = 0;
  // Who, in any mount namespace, has the volume's data mounted: a text for people, empty when nobody.
  virtual Result<std::string> users(const Volume& volume) = 0;
  virtual Result<VolumeStatus> status(const Volume& volume) = 0;
};

}  // namespace fairlead::volume
