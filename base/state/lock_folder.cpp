#include "base/state/lock_folder.h"

#include <optional>

#include "base/state/record_fields.h"

namespace fairlead::state {

namespace {

struct LockFolder {
  std::string boot, folder;
};

constexpr auto kFields = json::fields(json::required<&LockFolder::boot>("boot"),
                                      json::required<&LockFolder::folder>("folder"));

// std::nullopt: nothing is agreed on in this boot.
std::optional<std::string> agreed_folder(const std::optional<Record>& record,
                                         const std::string& boot_id) {
  if (!record) return std::nullopt;
  const auto agreed = read_record(*record, kFields);
  if (!agreed || agreed->boot != boot_id) return std::nullopt;
  return agreed->folder;
}

}  // namespace

Result<std::string> agree_on_lock_folder(Store& store, const std::string& boot_id,
                                         const std::string& proposed) {
  const std::string key(kLockFolder);
  TRY(auto record, store.get(key));
  if (auto folder = agreed_folder(record, boot_id)) return *folder;
  const auto written = store.commit(
      {.preconditions = {{key, record ? record->revision : kAbsent}},
       .puts = {{key, json::dump(json::write(LockFolder{boot_id, proposed}, kFields))}}});
  if (written) return proposed;
  // Another process was quicker, or nothing can be written.
  TRY(record, store.get(key));
  return agreed_folder(record, boot_id).value_or(proposed);
}

}  // namespace fairlead::state
