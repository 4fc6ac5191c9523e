#include "base/state/lock_folder.h"

#include "base/state/record_fields.h"

namespace fairlead::state {

namespace {

struct LockFolder {
  std::string boot, folder;
};

constexpr auto kFields = json::fields(json::required<&LockFolder::boot>("boot"),
                                      json::required<&LockFolder::folder>("folder"));

}  // namespace

Result<std::string> agree_on_lock_folder(Store& store, const std::string& boot_id,
                                         const std::string& proposed) {
  for (bool told = false;; told = true) {
    TRY(const auto record, store.get(kLockFolder));
    if (record) {
      TRY(const auto agreed, read_record(*record, kFields));
      if (agreed.boot == boot_id) return agreed.folder;
    }
    if (told) return proposed;
    // When another process is quicker, its folder is read.
    const std::string key(kLockFolder);
    if (store.commit(
            {.preconditions = {{key, record ? record->revision : kAbsent}},
             .puts = {{key, json::dump(json::write(LockFolder{boot_id, proposed}, kFields))}}}))
      return proposed;
  }
}

}  // namespace fairlead::state
