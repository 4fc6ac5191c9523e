#include "volume/service/properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/fault.h"
#include "base/text.h"
#include "volume/service/backup_plans.h"
#include "volume/service/create_plan.h"
#include "volume/service/snapshot_mounts.h"

namespace fairlead::volume {

namespace {
bool is_counted(const Volume& volume) {
  return !volume.mounts.empty() || std::ranges::any_of(volume.snapshots, [](const Snapshot& one) {
    return !one.mounts.empty();
  });
}

// What is read again each time it is needed, and so may change at any time.
constexpr auto kChangeable = std::to_array<std::string_view>(
    {"backup", "backup_exclude", "backup_keyfile", "backup_passphrasefile", "retain", "snapshots"});

Status check_changeable(const std::string& option) {
  if (std::ranges::find(kChangeable, option) != kChangeable.end()) return {};
  if (option == "size")
    return fail(Code::kUnsupported, "the size is changed by: fairlead volume resize");
  return fail(Code::kUnsupported,
              "option \"{}\" is for new volumes; of one that is there {} can be changed",
              shown(option), fmt::join(kChangeable, ", "));
}

// Without backups nothing is left of how they are made.
std::map<std::string, std::string> changed(
    std::map<std::string, std::string> texts,
    const std::map<std::string, std::optional<std::string>>& options) {
  if (const auto backup = options.find("backup"); backup != options.end() && !backup->second)
    for (const char* option : {"backup_exclude", "backup_keyfile", "backup_passphrasefile"})
      texts.erase(option);
  for (const auto& [option, value] : options) {
    texts.erase(option);
    if (value) texts[option] = *value;
  }
  return texts;
}

}  // namespace

// Only the record changes; data and mounts stay where they are. Refused while a counted mount is in
// use, because the runtime will unmount by the old name.
Result<Volume> Properties::rename(const std::string& name, const std::string& to) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto from_name, VolumeName::parse(name));
    TRY(const auto to_name, VolumeName::parse(to));
    if (from_name == to_name) {
      TRY(auto there, volumes_.ready(from_name));
      if (!there) return no_such_volume(from_name);
      return volumes_.with_path(std::move(there->volume));
    }
    TRY(const auto guards, volumes_.lock_both(from_name, to_name));
    TRY(auto taken, volumes_.records().by_name(to_name));
    TRY(auto stored, volumes_.ready(from_name));
    if (!stored && taken && taken->volume.phase == Phase::kReady && taken->former == name)
      return volumes_.with_path(
          std::move(taken->volume));  // the same call made again after a crash
    if (!stored) return no_such_volume(from_name);
    if (taken && taken->volume.phase == Phase::kReady)
      return fail(Code::kExists, "volume \"{}\" exists already; choose another name",
                  to_name.str());
    if (taken) TRY_STATUS(removal_.clear_leftovers(*taken));
    if (is_counted(stored->volume)) {
      TRY(Backend* const backend, volumes_.backends().find(stored->volume));
      TRY_STATUS(refuse_mounted_snapshots(*backend, stored->volume));
      TRY(const auto users, backend->users(stored->volume));
      if (!users.empty())
        return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
    }
    fault_point("volume.rename.checked");
    TRY_STATUS(volumes_.records().rename(*stored, to_name));
    fault_point("volume.rename.done");
    volumes_.write_down(stored->volume);
    return volumes_.with_path(std::move(stored->volume));
  };
  return in_context(run(), "rename", name);
}

Result<Volume> Properties::set_labels(
    const std::string& name, const std::map<std::string, std::optional<std::string>>& labels) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto parsed, VolumeName::parse(name));
    for (const auto& [key, value] : labels) TRY_STATUS(check_label(key, value.value_or("")));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto stored, volumes_.ready(parsed));
    if (!stored) return no_such_volume(parsed);
    auto& there = stored->volume.labels;
    for (const auto& [key, value] : labels) {
      if (value)
        there[key] = *value;
      else
        there.erase(key);
    }
    TRY_STATUS(check_label_count(there.size()));
    TRY_STATUS(volumes_.records().put(*stored, state::Durability::kDurable));
    fault_point("volume.label.done");
    volumes_.write_down(stored->volume);
    return volumes_.with_path(std::move(stored->volume));
  };
  return in_context(run(), "label", name);
}

// A growth is one more promise, where the size is one.
Result<std::vector<std::string>> Properties::admit_growth(const OpenVolume& opened,
                                                          std::uint64_t size) {
  TRY(const auto promise, opened.backend->promise(opened.stored.volume));
  if (!promise || size <= promise->size) return std::vector<std::string>();
  return volumes_.admit(*opened.backend, size - promise->size);
}

Result<Volume> Properties::set_options(
    const std::string& name, const std::map<std::string, std::optional<std::string>>& options) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto parsed, VolumeName::parse(name));
    for (const auto& [option, value] : options) TRY_STATUS(check_changeable(option));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto opened, changes_.open(parsed));
    Volume& volume = opened.stored.volume;
    TRY(auto wanted, parse_options(changed(to_map(volume.options), options)));
    if (place_of(wanted) != place_of(volume.options)) {
      TRY_STATUS(check_backup_plan(wanted, volumes_.backup_roots()));
      const bool is_elsewhere = wanted.backup.folder != volume.options.backup.folder;
      volume.backup = {.done = is_elsewhere ? 0 : volume.backup.done};
    }
    TRY_STATUS(opened.backend->validate(wanted));
    volume.options = std::move(wanted);
    TRY_STATUS(volumes_.records().put(opened.stored, state::Durability::kDurable));
    fault_point("volume.set.done");
    return volumes_.with_path(std::move(volume));
  };
  return in_context(run(), "set options of", name);
}

Result<Volume> Properties::resize(const std::string& name, std::uint64_t size) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto parsed, VolumeName::parse(name));
    if (size == 0 || size > INT64_MAX)
      return fail(Code::kInvalid, "{} bytes is not a size for a volume", size);
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto opened, changes_.open(parsed));
    if (opened.stored.volume.options.size == size)
      return volumes_.with_path(std::move(opened.stored.volume));
    TRY(const auto content, volumes_.lock_content(opened.stored.volume, kReconcileLockDeadline));
    TRY(auto warnings, admit_growth(opened, size));
    TRY_STATUS(changes_.make(
        opened, {.kind = ChangeKind::kResize, .snapshot = {}, .kept = {}, .size = size}, {}));
    Volume resized = volumes_.with_path(std::move(opened.stored.volume));
    resized.warnings = std::move(warnings);
    return resized;
  };
  return in_context(run(), "resize", name);
}

}  // namespace fairlead::volume
