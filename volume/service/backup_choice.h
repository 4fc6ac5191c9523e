// Which backup of a folder is meant.
#pragma once

#include <string>

#include "volume/service/backup_folder.h"

namespace fairlead::volume {

// The newest that has this id and is of the volume of this name; either may be empty, for any.
// kNotFound when there is none.
Result<BackupSummary> choose_backup(const BackupFolder& folder, const std::string& id,
                                    const std::string& volume);

}  // namespace fairlead::volume
