#include "volume/service/exclude_filter.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "volume/kernel/folder.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kTag = "CACHEDIR.TAG",
                           kSignature = "Signature: 8a477f597d28d172789f06886806bc55";

bool has_signature(int folder) {
  const auto file =
      open_beneath(folder, std::string(kTag), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  struct stat info {};
  if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  const auto begin = read_range(file->get(), 0, kSignature.size());
  return begin && *begin == kSignature;
}

}  // namespace

std::optional<std::string> ExcludeFilter::only(int folder, const HasName& has) const {
  const auto marker = std::ranges::find_if(excludes_.if_present, has);
  if (marker != excludes_.if_present.end()) return *marker;
  if (excludes_.caches && has(kTag) && has_signature(folder)) return std::string(kTag);
  return std::nullopt;
}

}  // namespace fairlead::volume
