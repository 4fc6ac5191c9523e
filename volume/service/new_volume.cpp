#include "volume/service/new_volume.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"

namespace fairlead::volume {

namespace {

void abandon(Records& records, Backend& backend, const Volume& volume) {
  auto gone = backend.discard(volume);
  if (gone) gone = records.erase(volume);
  if (!gone)
    log::warn("a volume that could not be filled is left to reconcile",
              {{"volume", volume.name.str()}, {"error", gone.error().text}});
}

}  // namespace

Volume volume_of(const CreatePlan& plan, long long now) {
  Volume volume;
  volume.id = random_hex(32);
  volume.name = plan.name;
  volume.backend = plan.choice.name;
  volume.pool = plan.choice.pool;
  volume.options = plan.options;
  volume.labels = plan.labels;
  volume.phase = Phase::kCreating;
  volume.created = now;
  return volume;
}

Result<Volume> make_filled_volume(Records& records, const CreatePlan& plan, long long now,
                                  const Fill& fill) {
  Backend& backend = *plan.choice.backend;
  TRY(auto stored, records.add(volume_of(plan, now)));
  fault_point("volume.fill.intent");
  Rollback undo;
  undo.push([&, volume = stored.volume] { abandon(records, backend, volume); });
  {
    Rollback built;
    TRY_STATUS(backend.create(stored.volume, built));
    built.commit();  // from here on `abandon` removes it
  }
  fault_point("volume.fill.built");
  TRY(stored.volume.left_out, fill(stored.volume, backend));
  fault_point("volume.fill.filled");
  stored.volume.phase = Phase::kReady;
  TRY_STATUS(records.put(stored, state::Durability::kDurable));
  undo.commit();
  fault_point("volume.fill.ready");
  stored.volume.mountpoint = backend.data_path(stored.volume);
  return std::move(stored.volume);
}

}  // namespace fairlead::volume
