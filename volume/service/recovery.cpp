#include "volume/service/recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostNamed = 10, kShownId = 8;

bool is_live(const FoundVolume& found) { return found.volume.deleted == 0; }

bool is_wanted(const FoundVolume& found, const std::vector<std::string>& names) {
  return names.empty() || std::ranges::any_of(names, [&](const std::string& name) {
           return name == found.volume.name.str() || name == found.volume.id;
         });
}

// The newest of one name comes first and gets it.
void sort(std::vector<FoundVolume>& found) {
  std::ranges::stable_sort(found, [](const FoundVolume& one, const FoundVolume& other) {
    return std::tuple(one.volume.name, -one.volume.created, one.volume.id) <
           std::tuple(other.volume.name, -other.volume.created, other.volume.id);
  });
}

}  // namespace

// The records are read after the folders: an intent is committed before its folder is made.
Result<std::vector<FoundVolume>> LostVolumes::look() {
  std::optional<Result<std::set<std::string>>> ids;
  std::vector<FoundVolume> found;
  for (const BackendRegistry::Tree& tree : backends_.trees()) {
    ids.reset();
    auto lost = tree.backend->find_lost([&](const std::string& id) -> Result<bool> {
      if (!ids) ids = records_.ids();
      if (!*ids) return fail(ids->error());
      return (*ids)->contains(id);
    });
    if (!lost && lost.error().code == Code::kNotFound) continue;  // no volume was made there yet
    if (!lost) return fail(lost.error());
    for (FoundVolume& one : *lost) {
      one.volume.pool = tree.pool;
      one.volume.options.pool = tree.pool;
      found.push_back(std::move(one));
    }
  }
  sort(found);
  std::set<std::string> names;
  for (const FoundVolume& one : found)
    if (is_live(one) && !one.lost) names.insert(one.volume.name.str());
  const std::scoped_lock hold(guard_);
  names_ = std::move(names);
  return found;
}

Result<std::set<std::string>> LostVolumes::known_names() {
  {
    const std::scoped_lock hold(guard_);
    if (names_) return *names_;
  }
  TRY_STATUS(look());
  const std::scoped_lock hold(guard_);
  return *names_;
}

Status LostVolumes::refuse(const VolumeName& name) {
  const auto known = known_names();
  if (!known) {
    log::warn("whether data lies on the disk without a record is not known",
              {{"error", known.error().text}});
    return {};
  }
  if (!known->contains(name.str())) return {};
  TRY(const auto found, look());  // again: it may have been taken back meanwhile
  for (const FoundVolume& one : found)
    if (is_live(one) && !one.lost && one.volume.name == name)
      return fail(Code::kConflict,
                  "the data of a volume of that name is on the disk ({}) but not in the database; "
                  "take it back (fairlead volume recover {}), or move that folder away",
                  one.path, name.str());
  return {};
}

std::string LostVolumes::text() {
  const std::scoped_lock hold(guard_);
  if (!names_ || names_->empty()) return {};
  std::vector<std::string> some(names_->begin(), names_->end());
  const std::size_t more = some.size() - std::min(some.size(), kMostNamed);
  some.resize(some.size() - more);
  return fmt::format(
      "the data of volume{} {}{} is on the disk but not in the database: fairlead volume recover",
      names_->size() == 1 ? "" : "s", fmt::join(some, ", "),
      more == 0 ? "" : fmt::format(" and {} more", more));
}

Result<VolumeName> Recovery::free_name(const Volume& volume,
                                       const std::set<std::string>& promised) {
  const auto is_taken = [&](const VolumeName& name) -> Result<bool> {
    if (promised.contains(name.str())) return true;
    TRY(const auto there, volumes_.records().by_name(name));
    return there.has_value();
  };
  TRY(const bool taken, is_taken(volume.name));
  if (!taken) return volume.name;
  const std::string ending = "-recovered-" + volume.id.substr(0, kShownId);
  constexpr std::size_t kLongest = 128;
  return VolumeName::parse(volume.name.str().substr(0, kLongest - ending.size()) + ending);
}

// The record is the last thing that is written: killed before, nothing has changed; after it, the
// volume is there, and reconcile writes its new name beside the data.
Result<Recovered> Recovery::take_back(const FoundVolume& found, bool dry_run,
                                      std::set<std::string>& promised) {
  Volume volume = found.volume;
  const std::string was = volume.name.str();
  TRY(volume.name, free_name(found.volume, promised));
  Recovered done{.kind = "volume", .name = volume.name.str(), .id = volume.id, .note = found.doubt};
  if (volume.name != found.volume.name)
    done.note = fmt::format("its name was {}, which another volume has{}{}", was,
                            found.doubt.empty() ? "" : "; ", found.doubt);
  if (dry_run) {
    promised.insert(done.name);
    return done;
  }
  TRY(const auto guard, volumes_.lock(volume.name));
  const auto known = volumes_.records().by_id(volume.id);
  if (known && *known) return done;  // by another process meanwhile
  fault_point("volume.recover.chosen");
  TRY_STATUS(volumes_.records().add(volume));
  fault_point("volume.recover.added");
  volumes_.write_down(volume);
  return done;
}

Result<Recovered> Recovery::take_back_trash(const FoundVolume& found, bool dry_run) {
  const Volume& volume = found.volume;
  Recovered done{.kind = "trash", .name = volume.name.str(), .id = volume.id, .note = found.doubt};
  if (dry_run) return done;
  TRY(const auto guard, volumes_.lock_trash(volume));
  TRY(const auto known, volumes_.records().trashed(volume.id));
  if (known) return done;  // by another process meanwhile
  TRY_STATUS(volumes_.records().put_trashed(
      {.volume = volume, .due = volume.deleted + volume.options.retain.count()}));
  fault_point("volume.recover.trashed");
  return done;
}

Result<RecoverReport> Recovery::recover(const RecoverRequest& request) {
  TRY(auto found, lost_.look());
  std::set<std::string> promised;
  RecoverReport report;
  for (const FoundVolume& one : found) {
    if (!is_wanted(one, request.names)) continue;
    const auto done = one.lost       ? Result<Recovered>(fail(Code::kConflict, "{}", one.doubt))
                      : is_live(one) ? take_back(one, request.dry_run, promised)
                                     : take_back_trash(one, request.dry_run);
    if (done)
      report.recovered.push_back(*done);
    else
      report.failures.push_back(fmt::format("{}: {}", one.path, done.error().text));
  }
  for (const std::string& name : request.names)
    if (std::ranges::none_of(found, [&](const auto& one) { return is_wanted(one, {name}); }))
      report.failures.push_back(fmt::format(
          "there is no data of a volume \"{}\" without a record on the disk", shown(name)));
  if (!request.dry_run) TRY_STATUS(lost_.look());
  return report;
}

}  // namespace fairlead::volume
