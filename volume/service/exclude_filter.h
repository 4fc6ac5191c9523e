// Excludes as a filter of a walk (volume/kernel/tree_reader.h).
#pragma once

#include "volume/api/excludes.h"
#include "volume/kernel/tree_reader.h"

namespace fairlead::volume {

// Borrows the excludes, which have passed check_excludes(). One thread.
class ExcludeFilter : public WalkFilter {
 public:
  explicit ExcludeFilter(const Excludes& excludes) : excludes_(excludes) {}
  bool leaves_out(const std::string& path, bool is_folder) const override {
    return is_excluded(excludes_, path, is_folder);
  }
  std::optional<std::string> only(int folder, const HasName& has) const override;

 private:
  const Excludes& excludes_;
};

}  // namespace fairlead::volume
