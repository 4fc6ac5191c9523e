// Lists the entries of one folder, for code that walks trees.
#pragma once

#include <dirent.h>

#include <cerrno>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

struct CloseDirectory {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// Calls `visit` (takes const dirent&, returns Status) for each entry but "." and "..". Takes over
// `fd`.
template <class Visit>
Status each_entry(UniqueFd fd, const std::string& name, Visit visit) {
  const Directory dir(::fdopendir(fd.get()));
  if (!dir) return fail_errno(errno, fmt::format("list {}", name));
  fd.release();
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr && errno != 0) return fail_errno(errno, fmt::format("list {}", name));
    if (entry == nullptr) return {};
    const std::string_view text(entry->d_name);
    if (text == "." || text == "..") continue;
    TRY_STATUS(visit(*entry));
  }
}

}  // namespace fairlead::volume
