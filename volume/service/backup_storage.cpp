#include "volume/service/backup_storage.h"

#include "volume/api/backup_target.h"
#include "volume/service/far_storage.h"
#include "volume/service/local_storage.h"
#include "volume/service/pack_writer.h"

namespace fairlead::volume {

Result<std::unique_ptr<BackupStorage>> open_storage(const std::string& target,
                                                    std::function<bool()> stopped) {
  TRY(const auto parsed, parse_backup_target(target));
  if (parsed.kind == BackupTarget::Kind::kLocal) return make_local_storage(parsed.path);
  return open_far_storage(parsed, std::move(stopped));
}

unsigned reading_threads(const BackupStorage& storage, unsigned far) {
  return storage.is_far() ? far : worker_count();
}

}  // namespace fairlead::volume
