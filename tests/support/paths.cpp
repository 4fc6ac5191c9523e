#include "tests/support/paths.h"

#include <filesystem>

namespace fairlead::testing {

std::string source_path(std::string_view below) {
  return std::filesystem::path(FAIRLEAD_SOURCE_FOLDER) / below;
}

std::string built_path(std::string_view below) {
  return std::filesystem::path(FAIRLEAD_BUILD_FOLDER) / below;
}

}  // namespace fairlead::testing
