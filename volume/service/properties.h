// Changes what a volume is called, its labels and its size.
#pragma once

#include <map>

#include "volume/service/changes.h"
#include "volume/service/removal.h"

namespace fairlead::volume {

class Properties {
 public:
  Properties(LockedVolumes& volumes, Changes& changes, Removal& removal)
      : volumes_(volumes), changes_(changes), removal_(removal) {}

  Result<Volume> rename(const std::string& name, const std::string& to);
  Result<Volume> set_labels(const std::string& name,
                            const std::map<std::string, std::optional<std::string>>& labels);
  Result<Volume> set_options(const std::string& name,
                             const std::map<std::string, std::optional<std::string>>& options);
  Result<Volume> resize(const std::string& name, std::uint64_t size);

 private:
  Result<std::vector<std::string>> admit_growth(const OpenVolume& opened, std::uint64_t size);

  LockedVolumes& volumes_;
  Changes& changes_;
  Removal& removal_;
};

}  // namespace fairlead::volume
