// The storage behind a backup target.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "volume/api/backup_target.h"
#include "volume/service/backup_storage.h"

namespace fairlead::volume {

// The program that is run, with its arguments. `ssh`: the value of FAIRLEAD_SSH, a program and
// options in front of ours, separated by spaces; empty for "ssh". `remembers`: seconds that rclone
// may remember what a folder held.
std::vector<std::string> target_command(const BackupTarget& target, std::string_view ssh,
                                        unsigned remembers);

// Connects to far targets: the errors of SftpClient. kUnsupported with the package when the program
// is missing. `stopped` is asked while somebody waits for a server: see SftpSettings.
Result<std::unique_ptr<BackupStorage>> open_far_storage(const BackupTarget& target,
                                                        std::function<bool()> stopped = {});

}  // namespace fairlead::volume
