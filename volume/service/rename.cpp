// Changes names and labels: only the record changes, data and mounts stay where they are.
#include "base/fault.h"
#include "volume/service/service_impl.h"

namespace fairlead::volume {

// Refused while a counted mount is in use, because the runtime will unmount by the old name.
Result<Volume> Service::rename(const std::string& name, const std::string& to) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto from_name, VolumeName::parse(name));
    TRY(const auto to_name, VolumeName::parse(to));
    if (from_name == to_name) return inspect(name);
    TRY(const auto guards, lock_both(from_name, to_name));
    TRY(auto taken, records_.by_name(to_name));
    TRY(auto stored, ready(from_name));
    if (!stored && taken && taken->volume.phase == Phase::kReady && taken->former == name)
      return with_path(std::move(taken->volume));  // the same call made again after a crash
    if (!stored) return no_such_volume(from_name);
    if (taken && taken->volume.phase == Phase::kReady)
      return fail(Code::kExists, "volume \"{}\" exists already; choose another name",
                  to_name.str());
    if (taken) TRY_STATUS(clear_leftovers(*taken));
    if (!stored->volume.mounts.empty()) {
      TRY(Backend* const backend, backends_.find(stored->volume));
      TRY(const auto users, backend->users(stored->volume));
      if (!users.empty())
        return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
    }
    fault_point("volume.rename.checked");
    TRY_STATUS(records_.rename(*stored, to_name));
    fault_point("volume.rename.done");
    return with_path(std::move(stored->volume));
  };
  return in_context(run(), "rename", name);
}

Result<Volume> Service::set_labels(
    const std::string& name, const std::map<std::string, std::optional<std::string>>& labels) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto parsed, VolumeName::parse(name));
    for (const auto& [key, value] : labels) TRY_STATUS(check_label(key, value.value_or("")));
    TRY(const auto guard, lock(parsed));
    TRY(auto stored, ready(parsed));
    if (!stored) return no_such_volume(parsed);
    auto& there = stored->volume.labels;
    for (const auto& [key, value] : labels) {
      if (value)
        there[key] = *value;
      else
        there.erase(key);
    }
    TRY_STATUS(check_label_count(there.size()));
    TRY_STATUS(records_.put(*stored, state::Durability::kDurable));
    fault_point("volume.label.done");
    return with_path(std::move(stored->volume));
  };
  return in_context(run(), "label", name);
}

}  // namespace fairlead::volume
