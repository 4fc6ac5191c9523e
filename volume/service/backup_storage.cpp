#include "volume/service/backup_storage.h"

#include "base/text.h"
#include "volume/service/local_storage.h"

namespace fairlead::volume {

Result<std::unique_ptr<BackupStorage>> open_storage(const std::string& target) {
  if (!target.starts_with('/'))
    return fail(Code::kInvalid, "the backup folder \"{}\" must be an absolute path", shown(target));
  return make_local_storage(target);
}

}  // namespace fairlead::volume
