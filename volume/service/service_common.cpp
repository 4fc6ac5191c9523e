#include <algorithm>
#include <ctime>

#include "volume/api/options.h"
#include "volume/service/service_impl.h"

namespace fairlead::volume {

tl::unexpected<Error> no_such_volume(const VolumeName& name) {
  return fail(Code::kNotFound, "volume \"{}\" does not exist", name.str());
}

const Snapshot* find_snapshot(const Volume& volume, std::string_view name) {
  const auto found = std::ranges::find_if(
      volume.snapshots, [&](const Snapshot& snapshot) { return snapshot.name.str() == name; });
  return found == volume.snapshots.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> size_of(const Volume& volume) { return volume.options.size; }

// A verb that holds the lock for long is a job, so that the error can tell how far it is.
Result<NamedLocks::Guard> Service::lock(const VolumeName& name,
                                        std::chrono::milliseconds deadline) {
  auto guard = locks_.lock("volume-" + name.str(), deadline);
  if (guard || guard.error().code != Code::kUnavailable) return guard;
  const auto job = jobs_.running(name.str());
  if (!job) return guard;
  const std::string far = progress_text(job->done, job->total);
  if (job->verb == "clone" && job->volume == name.str())
    return fail(Code::kUnavailable, "still being copied: {}; the same call again waits on", far);
  return fail(Code::kUnavailable,
              "volume \"{}\" is busy with a {}: {}; try again, or stop it (fairlead jobs stop {})",
              name.str(), job->verb, far, job->id);
}

Result<std::array<std::optional<NamedLocks::Guard>, 2>> Service::lock_both(
    const VolumeName& name, const VolumeName& other) {
  std::array<std::optional<Guard>, 2> guards;
  const auto take = [&](std::size_t slot, const VolumeName& which) -> Status {
    TRY(guards[slot], lock(which));
    return {};
  };
  TRY_STATUS(name < other ? take(0, name) : take(1, other));
  TRY_STATUS(name < other ? take(1, other) : take(0, name));
  return guards;
}

// No volume's name begins with a dot, so this cannot be the lock of a volume.
Result<NamedLocks::Guard> Service::lock_content(const Volume& volume,
                                                std::chrono::milliseconds deadline) {
  auto guard = locks_.lock("volume.content-" + volume.id, deadline);
  if (guard || guard.error().code != Code::kUnavailable) return guard;
  const auto job = jobs_.running(volume.name.str());
  return fail(Code::kInUse, "a {} of it is going on{}; try again when it has ended",
              job ? job->verb : "clone",
              job ? fmt::format(" ({})", progress_text(job->done, job->total)) : "");
}

Result<std::optional<Stored>> Service::ready(const VolumeName& name) {
  TRY(auto stored, records_.by_name(name));
  if (!stored || stored->volume.phase != Phase::kReady) return std::nullopt;
  return stored;
}

Result<Service::OpenVolume> Service::open(const VolumeName& name) {
  TRY(auto stored, ready(name));
  if (!stored) return no_such_volume(name);
  TRY(Backend* const backend, backends_.find(stored->volume));
  return OpenVolume{std::move(*stored), backend};
}

Result<Service::OpenVolume> Service::settled(const VolumeName& name) {
  TRY(auto opened, open(name));
  TRY_STATUS(settle(opened));
  return opened;
}

Volume Service::with_path(Volume volume) {
  if (const auto backend = backends_.find(volume))
    volume.mountpoint = (*backend)->data_path(volume);
  return volume;
}

// "2026-01-31T12.00.00": sorts by time, and is a valid name (names may not hold a colon).
std::string Service::time_name(long long time) const {
  const std::time_t moment = time;
  std::tm parts{};
  ::gmtime_r(&moment, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}.{:02}.{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace fairlead::volume
