#include "volume/service/backup_choice.h"

#include <fmt/format.h>

#include "base/text.h"

namespace fairlead::volume {

Result<BackupSummary> choose_backup(const BackupFolder& folder, const std::string& id,
                                    const std::string& volume) {
  TRY(const auto listing, folder.list());
  for (auto summary = listing.backups.rbegin(); summary != listing.backups.rend(); ++summary)
    if ((id.empty() || summary->info.id == id) &&
        (volume.empty() || summary->info.volume == volume))
      return *summary;
  return fail(Code::kNotFound, "there is no backup{}{} in {}{}",
              id.empty() ? "" : fmt::format(" \"{}\"", shown(id)),
              volume.empty() ? "" : fmt::format(" of volume \"{}\"", shown(volume)), folder.path(),
              listing.damaged.empty() ? "" : "; " + listing.damaged.front());
}

}  // namespace fairlead::volume
