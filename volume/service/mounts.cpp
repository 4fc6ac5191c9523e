#include "volume/service/mounts.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "volume/service/mount_hints.h"

namespace fairlead::volume {

namespace {

// Seconds. Between its Mount and the start of the container a runtime uses a volume without the
// kernel knowing.
constexpr long long kOnItsWay = 60;

const MountHint* other_hint(const Volume& volume, const std::string& client,
                            const std::string& id) {
  const auto found = std::ranges::find_if(
      volume.mounts, [&](const MountHint& hint) { return hint.client != client || hint.id != id; });
  return found == volume.mounts.end() ? nullptr : &*found;
}

}  // namespace

// With access=single only one (client, id) may use the volume. A count that a runtime never took
// back does not exclude others: the kernel is asked whether anybody uses the volume.
Status Mounts::check_single(const OpenVolume& opened, const std::string& client,
                            const std::string& id) {
  const Volume& volume = opened.stored.volume;
  const MountHint* const other = other_hint(volume, client, id);
  if (volume.options.access != Access::kSingle || other == nullptr) return {};
  TRY(const auto users, opened.backend->users(volume));
  if (users.empty() && volumes_.now() - opened.stored.counted >= kOnItsWay) return {};
  return fail(Code::kInUse,
              "its access is single, and {} uses it as {}{}; stop that first, or create volumes "
              "with access=shared",
              shown(other->client), other->id.empty() ? "its only mount" : shown(other->id),
              users.empty() ? "" : fmt::format(" ({})", users));
}

// Only a rollback that cannot be finished prevents the mount, because nobody may write to content
// that is about to be replaced.
Status Mounts::settle(OpenVolume& opened) {
  if (!opened.stored.volume.change) return {};
  const bool needed = opened.stored.volume.change->kind == ChangeKind::kRollback;
  const auto done = changes_.settle(opened);
  if (done || needed) return done;
  log::warn("a volume is mounted with an unfinished change",
            {{"volume", opened.stored.volume.name.str()}, {"error", done.error().text}});
  return {};
}

Result<Volume> Mounts::mount(const std::string& name, const std::string& client,
                             const std::string& id) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY_STATUS(check_hint(client, id));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto opened, volumes_.open(parsed));
    TRY_STATUS(refuse_unread(opened.stored.volume.options));
    TRY_STATUS(status_of(changes_.settle_data(opened)));
    TRY_STATUS(settle(opened));
    TRY_STATUS(check_single(opened, client, id));
    Stored& stored = opened.stored;
    TRY(auto path, opened.backend->mount(stored.volume));
    fault_point("volume.mount.mounted");
    const bool first = stored.volume.mounts.empty();
    const bool single = stored.volume.options.access == Access::kSingle;
    if (single) drop_others(stored.volume.mounts, client, id);
    count_up(stored.volume.mounts, client, id);
    stored.counted = volumes_.now();
    auto counted = volumes_.records().put(stored, state::Durability::kBoot);
    if (!counted && (single || !may_go_uncounted(stored.volume, counted.error()))) {
      if (first) (void)opened.backend->unmount(stored.volume);
      return fail(counted.error());
    }
    fault_point("volume.mount.counted");
    stored.volume.mountpoint = std::move(path);
    return std::move(stored.volume);
  };
  return in_context(run(), "mount", name);
}

Status Mounts::unmount(const std::string& name, const std::string& client, const std::string& id) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, volumes_.lock(parsed));
    TRY(auto stored, volumes_.ready(parsed));
    if (!stored) return {};
    const bool counted = count_down(stored->volume.mounts, client, id);
    if (stored->volume.mounts.empty()) {
      TRY(Backend* const backend, volumes_.backends().find(stored->volume));
      TRY_STATUS(backend->unmount(stored->volume));
    }
    fault_point("volume.unmount.unmounted");
    if (!counted) return {};
    const auto done = volumes_.records().put(*stored, state::Durability::kBoot);
    if (!done && may_go_uncounted(stored->volume, done.error())) return {};
    return done;
  };
  return in_context(run(), "unmount", name);
}

}  // namespace fairlead::volume
