// What the volume commands do with --group: the same for several volumes at one moment. Each
// returns an exit code.
#pragma once

namespace fairlead::cli {

class Session;

int group_snapshot_create(Session& session);
int group_snapshot_remove(Session& session);
int group_rollback(Session& session);
int group_clone(Session& session);
int group_backup(Session& session);

}  // namespace fairlead::cli
