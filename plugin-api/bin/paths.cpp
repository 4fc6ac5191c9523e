#include "plugin-api/bin/paths.h"

#include <cstdlib>

namespace fairlead {

Paths paths_from_environment() {
  Paths paths;
  const auto take = [](const char* variable, std::string& into) {
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') into = value;
  };
  take("FAIRLEAD_RUN_DIR", paths.run_dir);
  take("FAIRLEAD_STATE_DIR", paths.state_dir);
  take("FAIRLEAD_VOLUME_DIR", paths.volume_dir);
  return paths;
}

}  // namespace fairlead
