// A fixed set of volume backends, for tests of the service.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "volume/api/backend.h"

namespace fairlead::testing {

class FixedBackends : public volume::BackendRegistry {
 public:
  // The first one added is the default.
  void add(std::string name, std::unique_ptr<volume::Backend> backend) {
    if (default_.empty()) default_ = name;
    backends_.insert_or_assign(std::move(name), std::move(backend));
  }

  Result<Choice> choose(const volume::VolumeOptions& options) override {
    const std::string& name = options.backend.empty() ? default_ : options.backend;
    TRY(volume::Backend* const backend, find(name));
    return Choice{name, options.pool, backend,
                  options.backend.empty() ? "the default" : "asked for"};
  }
  Result<volume::Backend*> find(const std::string& name) override {
    if (const auto found = backends_.find(name); found != backends_.end())
      return found->second.get();
    return fail(Code::kUnsupported, "volume backend \"{}\" is not available here", name);
  }
  Result<volume::Backend*> find(const volume::Volume& volume) override {
    return find(volume.backend);
  }
  std::vector<volume::Backend*> all() override {
    std::vector<volume::Backend*> found;
    for (const auto& [name, backend] : backends_) found.push_back(backend.get());
    return found;
  }

 private:
  std::map<std::string, std::unique_ptr<volume::Backend>> backends_;
  std::string default_;
};

}  // namespace fairlead::testing
