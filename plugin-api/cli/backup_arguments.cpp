#include "plugin-api/cli/backup_arguments.h"

#include "base/text.h"
#include "plugin-api/cli/volume_arguments.h"
#include "volume/api/backup_target.h"

namespace fairlead::cli {

namespace {

// A folder is taken from where the command was given, and never where another host was meant.
Result<std::string> target_of(std::string_view word, std::string_view what) {
  if (volume::kind_of(word).empty()) return absolute_path(word, what);
  TRY(const auto target, volume::parse_backup_target(word));
  return target.name;
}

}  // namespace

Result<volume::BackupPlace> backup_place(const Invocation& line, const std::string& folder,
                                         std::string_view what) {
  volume::BackupPlace place;
  TRY(place.folder, target_of(folder, what));
  if (!line.key_file.empty()) {
    TRY(place.key_file, absolute_path(line.key_file, "--key-file FILE"));
  }
  if (!line.passphrase_file.empty()) {
    TRY(place.passphrase_file, absolute_path(line.passphrase_file, "--passphrase-file FILE"));
  }
  return place;
}

Result<volume::Excludes> excludes_of(const Invocation& line) {
  volume::Excludes excludes{.patterns = line.excludes,
                            .if_present = line.exclude_if_present,
                            .caches = line.exclude_caches};
  TRY_STATUS(volume::check_excludes(excludes));
  return excludes;
}

Result<std::optional<volume::Retention>> retention_of(const Invocation& line) {
  if (line.keep.empty()) return std::nullopt;
  auto keep = volume::parse_retention(line.keep);
  if (!keep) return fail(with_context(keep.error(), "--keep"));
  return std::optional(*keep);
}

Result<std::map<std::string, std::optional<std::string>>> option_changes(
    const std::vector<std::string>& words) {
  std::map<std::string, std::optional<std::string>> changes;
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    const bool resets = equals == std::string::npos && word.size() > 1 && word.ends_with('-');
    if (!resets && (equals == std::string::npos || equals == 0))
      return fail(Code::kInvalid, "option \"{}\" must be OPTION=VALUE, or OPTION- to reset it",
                  shown(word));
    const std::string name = word.substr(0, resets ? word.size() - 1 : equals);
    auto value = resets ? std::nullopt : std::optional(word.substr(equals + 1));
    if (!changes.emplace(name, std::move(value)).second)
      return fail(Code::kInvalid, "option {} is given twice", shown(name));
  }
  return changes;
}

}  // namespace fairlead::cli
