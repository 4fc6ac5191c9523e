#include "volume/service/space_watch.h"

#include <algorithm>
#include <set>

#include "base/fault.h"
#include "base/options/values.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kDiskPeriod = 10s, kListPeriod = 5s, kRetry = 10s;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr unsigned kFillingAt = 85, kFullAt = 95, kFilledTo = 90, kOkBelow = 80;

unsigned percent_of(const DiskRoom& room) {
  const std::uint64_t all = room.used + room.free;
  return all == 0 ? 0 : static_cast<unsigned>(room.used * 100 / all);
}

bool is_short(std::uint64_t free, std::uint64_t all, unsigned percent) {
  return all > 0 && free < all / 100 * percent;
}

std::string key_of(const WatchedDisk& disk) {
  std::string name = disk.name;
  std::ranges::replace(name, ' ', '-');
  return name;
}

}  // namespace

std::string_view to_string(DiskLevel level) {
  switch (level) {
    case DiskLevel::kOk:
      return "ok";
    case DiskLevel::kFilling:
      return "filling";
    case DiskLevel::kFull:
      return "full";
  }
  return "ok";
}

DiskLevel next_level(DiskLevel before, unsigned percent) {
  if (percent >= kFullAt || (before == DiskLevel::kFull && percent >= kFilledTo))
    return DiskLevel::kFull;
  if (percent >= kFillingAt || (before != DiskLevel::kOk && percent >= kOkBelow))
    return DiskLevel::kFilling;
  return DiskLevel::kOk;
}

// --- disks

void SpaceWatch::watch_disks(ReconcileReport& report) {
  if (!volumes_.environment().disks) return;
  for (const WatchedDisk& disk : volumes_.environment().disks()) {
    const std::string key = key_of(disk);
    const auto before = volumes_.records().disk(key);
    const bool is_known = before && *before;
    const DiskLevel was = is_known ? (*before)->level : DiskLevel::kOk;
    const unsigned percent = percent_of(disk.room);
    const DiskLevel now = next_level(was, percent);
    if (is_known && was == now) continue;
    // On a disk that is full there is no room for a new record, so there is one before.
    if (auto put = volumes_.records().put_disk(
            key, {.path = disk.room.path, .level = now, .percent = percent});
        !put)
      report.failures.push_back(
          fmt::format("note how full the disk below {} is: {}", disk.room.path, put.error().text));
    if (now != was)
      report.actions.push_back(
          fmt::format("the disk below {} is {} % full", disk.room.path, percent));
  }
}

void SpaceWatch::add_promises(const DiskRoom& room, std::vector<std::string>& problems) {
  if (!volumes_.environment().admit) return;
  auto warnings = volumes_.environment().admit(room, 0);
  if (!warnings) return problems.push_back(warnings.error().text);
  for (std::string& warning : *warnings) problems.push_back(std::move(warning));
}

std::vector<std::string> SpaceWatch::problems() {
  std::vector<std::string> problems;
  if (!volumes_.environment().disks) return problems;
  std::set<std::uint64_t> told;
  for (const WatchedDisk& disk : volumes_.environment().disks()) {
    const auto before = volumes_.records().disk(key_of(disk));
    const unsigned percent = percent_of(disk.room);
    const bool is_known = before && *before;
    const DiskLevel level = next_level(is_known ? (*before)->level : DiskLevel::kOk, percent);
    if (!told.insert(disk.room.device).second) continue;
    add_promises(disk.room, problems);
    if (level == DiskLevel::kOk) continue;
    problems.push_back(
        fmt::format("the disk below {} ({}) is {} % full: {} of {} are free; free space there "
                    "before writes fail",
                    disk.room.path, disk.name, percent, rough_size(disk.room.free),
                    rough_size(disk.room.size)));
  }
  return problems;
}

// --- volumes that grow

// Reads the records only when something was committed, and then not more often than every 5 s.
Status SpaceWatch::refresh() {
  const auto now = Clock::now();
  if (now < growers_due_) return {};
  TRY(const auto revision, volumes_.records().revision());
  if (revision == revision_) return {};
  TRY(const auto listing, volumes_.records().all());
  std::map<std::string, Grower> growers;
  for (const Stored& stored : listing.volumes) {
    const Volume& volume = stored.volume;
    if (volume.options.autogrow.percent == 0 || volume.phase != Phase::kReady) continue;
    const auto there = growers_.find(volume.id);
    Grower grower = there == growers_.end() ? Grower{} : there->second;
    grower.volume = volume;
    if (there == growers_.end())
      grower.failure = volumes_.records().growth_failure(volume.id).value_or("");
    growers.emplace(volume.id, std::move(grower));
  }
  growers_ = std::move(growers);
  revision_ = revision;
  growers_due_ = now + kListPeriod;
  return {};
}

// 0: it has enough, or cannot have more. Not more than the disk below has room for.
Result<std::uint64_t> SpaceWatch::wanted_size(Grower& grower, Backend& backend,
                                              const Fullness& fill) {
  const AutoGrow& autogrow = grower.volume.options.autogrow;
  const std::uint64_t used = fill.size - std::min(fill.size, fill.free);
  const std::uint64_t written = grower.seen && used > grower.used ? used - grower.used : 0;
  grower.used = used;
  grower.seen = true;
  const std::uint64_t size = std::max(grower.volume.options.size.value_or(0), fill.size);
  if (size >= autogrow.most) return 0;
  const bool needed = is_short(fill.free, fill.size, autogrow.percent) ||
                      is_short(fill.inodes_free, fill.inodes, autogrow.percent) ||
                      fill.free < 2 * written;
  if (!needed) return 0;
  const std::uint64_t step = std::max({size / 100 * autogrow.percent, 2 * written, kMiB});
  const std::uint64_t target = std::min(autogrow.most, (size + step + kMiB - 1) / kMiB * kMiB);
  TRY(const auto room, backend.room());
  if (target - size > room.free)
    return fail(Code::kExhausted,
                "the disk below {} has no room for {} more ({} free); free space there", room.path,
                rough_size(target - size), rough_size(room.free));
  if (const auto promise = backend.promise(grower.volume); promise && *promise)
    TRY_STATUS(volumes_.admit(backend, target - size));
  return target;
}

// A backup that reads the volume meanwhile does not mind: nothing that it reads moves.
Result<std::uint64_t> SpaceWatch::grow(const Volume& seen, std::uint64_t size) {
  TRY(const auto guard, volumes_.lock(seen.name, kReconcileLockDeadline));
  TRY(auto opened, changes_.open(seen.name));
  const Volume& volume = opened.stored.volume;
  if (volume.id != seen.id || volume.options.size.value_or(0) >= size) return 0;
  TRY_STATUS(changes_.make(
      opened,
      {.kind = ChangeKind::kResize, .snapshot = {}, .kept = {}, .size = size, .automatic = true},
      {}));
  return size;
}

// What failed is noted when it changes, for status and events.
void SpaceWatch::note(Grower& grower, const std::string& failure, ReconcileReport& report) {
  if (failure == grower.failure) return;
  const auto noted = volumes_.records().put_growth_failure(grower.volume.id, failure);
  if (noted) grower.failure = failure;
  if (!failure.empty())
    report.failures.push_back(
        fmt::format("volume \"{}\" could not grow: {}", grower.volume.name.str(), failure));
}

void SpaceWatch::look_at(Grower& grower, ReconcileReport& report) {
  if (Clock::now() < grower.not_before) return;
  const auto run = [&]() -> Result<std::uint64_t> {
    TRY(Backend* const backend, volumes_.backends().find(grower.volume));
    TRY(const auto fill, backend->fill(grower.volume));
    if (!fill) return 0;
    TRY(const auto size, wanted_size(grower, *backend, *fill));
    return size == 0 ? Result<std::uint64_t>(0) : grow(grower.volume, size);
  };
  const auto grown = run();
  if (!grown && grown.error().code == Code::kUnavailable) return;  // somebody is working on it
  if (!grown) {
    grower.not_before = Clock::now() + kRetry;
    return note(grower, grown.error().text, report);
  }
  if (*grown == 0) {
    if (!grower.failure.empty()) note(grower, {}, report);
    return;
  }
  grower.volume.options.size = *grown;
  note(grower, {}, report);
  report.actions.push_back(
      fmt::format("volume \"{}\" has grown to {}", grower.volume.name.str(), format_size(*grown)));
}

Result<ReconcileReport> SpaceWatch::round() {
  const std::scoped_lock hold(guard_);
  ReconcileReport report;
  const auto now = Clock::now();
  if (now >= disks_due_) {
    disks_due_ = now + kDiskPeriod;
    watch_disks(report);
  }
  TRY_STATUS(refresh());
  for (auto& [id, grower] : growers_) look_at(grower, report);
  return report;
}

}  // namespace fairlead::volume
