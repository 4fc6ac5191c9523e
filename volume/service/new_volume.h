// A volume that gets its content before anybody can see it: import and restore.
#pragma once

#include <functional>

#include "volume/api/backend.h"
#include "volume/service/create_plan.h"
#include "volume/service/records.h"

namespace fairlead::volume {

// Puts the content into the data of the volume, which is empty and belongs to nobody else yet.
using Fill = std::function<Status(const Volume& volume, Backend& backend)>;

// Intent, data, content, and only then ready. The caller holds the lock of the name, which is free.
// When anything fails nothing is left; when the process dies the volume is in phase kCreating,
// which does not exist for users and is dropped by the next create, remove or reconcile.
Result<Volume> make_filled_volume(Records& records, const CreatePlan& plan, long long now,
                                  const Fill& fill);

}  // namespace fairlead::volume
