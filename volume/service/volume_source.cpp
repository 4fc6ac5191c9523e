#include "volume/service/volume_source.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"
#include "volume/service/archive_snapshots.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kLockDeadline = 4s;

FileTime time_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {.seconds = now.tv_sec, .nanos = static_cast<std::uint32_t>(now.tv_nsec)};
}

tl::unexpected<Error> no_such_snapshot(const Volume& volume, const std::string& name) {
  std::vector<std::string_view> names;
  for (const Snapshot& snapshot : volume.snapshots) names.push_back(snapshot.name.str());
  const std::string close = closest_word(name, names.data(), names.size());
  return fail(Code::kNotFound, "volume \"{}\" has no snapshot \"{}\"{}", volume.name.str(),
              shown(name), close.empty() ? "" : fmt::format("; did you mean \"{}\"?", close));
}

}  // namespace

Result<VolumeSource> VolumeSource::open(ArchiveParts parts, const std::string& text) {
  const auto at = text.find('@');
  TRY(auto volume, parts.service.inspect(text.substr(0, at)));
  VolumeSource source(parts, std::move(volume));
  TRY_STATUS(at == std::string::npos ? source.open_now()
                                     : source.open_snapshot(text.substr(at + 1)));
  if (const auto status = parts.service.status(source.volume_); status && status->used)
    source.used_ = *status->used;
  return source;
}

VolumeSource::~VolumeSource() {
  if (!own_snapshot_) return;
  data_.reset();
  content_.reset();
  const auto dropped = parts_.service.drop_snapshot(volume_.name.str(), *own_snapshot_);
  if (!dropped && dropped.error().code != Code::kNotFound)
    log::warn("a snapshot for an archive is left to reconcile", {{"volume", volume_.name.str()},
                                                                 {"snapshot", *own_snapshot_},
                                                                 {"error", dropped.error().text}});
}

Status VolumeSource::open_now() {
  TRY(auto turn, parts_.locks.lock(archive_lock_of(volume_), 500ms));
  turn_ = std::move(turn);
  TRY_STATUS(drop_archive_leftovers(volume_,
                                    [this](const std::string& volume, const std::string& snapshot) {
                                      return parts_.service.drop_snapshot(volume, snapshot);
                                    }));
  taken_ = time_now();
  // A snapshot of a folder is always a copy.
  std::string reason = "a plain folder has no snapshots that share its blocks";
  if (volume_.backend != "dir") {
    const auto snapshot = parts_.service.take_archive_snapshot(volume_.name.str());
    fault_point("archive.source.snapshot");
    if (snapshot) {
      own_snapshot_ = std::make_unique<const std::string>(snapshot->name.str());
      return open_data(snapshot->id);
    }
    reason = snapshot.error().text;
  }
  TRY_STATUS(open_data({}));
  TRY(Backend* const backend, parts_.backends.find(volume_));
  const auto users = backend->users(volume_);
  if (!users || !users->empty())
    warning_ = fmt::format("it is read while it is in use, and may change meanwhile: {}", reason);
  return {};
}

Status VolumeSource::open_snapshot(const std::string& name) {
  const auto found = std::ranges::find_if(
      volume_.snapshots, [&](const Snapshot& snapshot) { return snapshot.name.str() == name; });
  if (found == volume_.snapshots.end()) return no_such_snapshot(volume_, name);
  taken_ = {.seconds = found->created, .nanos = 0};
  named_ = true;
  group_ = found->group;
  return open_data(found->id);
}

// While reading only the lock of the content is held and not that of the volume, so that it can be
// mounted.
Status VolumeSource::open_data(const std::string& snapshot_id) {
  TRY(const auto guard, parts_.locks.lock("volume-" + volume_.name.str(), kLockDeadline));
  TRY(const auto stored, parts_.records.by_id(volume_.id));
  if (!stored || stored->volume.phase != Phase::kReady)
    return fail(Code::kNotFound, "volume \"{}\" was removed meanwhile", volume_.name.str());
  TRY(auto content, parts_.locks.lock("volume.content-" + volume_.id, 500ms));
  content_ = std::move(content);
  TRY(Backend* const backend, parts_.backends.find(stored->volume));
  TRY(data_, backend->open_data(stored->volume, snapshot_id));
  return {};
}

}  // namespace fairlead::volume
