// Creates a volume that gets its content before anybody can see it, for import and restore.
#pragma once

#include <functional>

#include "volume/api/backend.h"
#include "volume/service/create_plan.h"
#include "volume/service/records.h"

namespace fairlead::volume {

// A volume with a new id, in phase kCreating.
Volume volume_of(const CreatePlan& plan, long long now);

// Writes the content into the data of the volume, which is empty and which nobody else can use yet.
// Returns what could not be kept, which the record of the volume then holds.
using Fill = std::function<Result<LeftOut>(const Volume& volume, Backend& backend)>;

// Commits the intent, creates the data, writes the content, and only then makes the volume ready.
// The caller holds the lock of the name, which is free. When anything fails nothing is left. When
// the process dies the volume stays in phase kCreating, which does not exist for users and is
// removed by the next create, remove or reconcile.
Result<Volume> make_filled_volume(Records& records, const CreatePlan& plan, long long now,
                                  const Fill& fill);

}  // namespace fairlead::volume
