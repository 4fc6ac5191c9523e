// What the commands about archives and backups take beyond names.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/cli/invocation.h"

namespace fairlead::cli {

// The folder of the backups, or a target on another host (`what` names it in errors), with
// --key-file and --passphrase-file.
Result<volume::BackupPlace> backup_place(const Invocation& line, const std::string& folder,
                                         std::string_view what);
// Of --exclude, --exclude-caches and --exclude-if-present.
Result<volume::Excludes> excludes_of(const Invocation& line);
// Of --keep; std::nullopt without it.
Result<std::optional<volume::Retention>> retention_of(const Invocation& line);
// "backup=daily:7@/srv" sets an option, "backup-" resets it.
Result<std::map<std::string, std::optional<std::string>>> option_changes(
    const std::vector<std::string>& words);

}  // namespace fairlead::cli
