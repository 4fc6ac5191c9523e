#include "volume/api/types.h"

namespace fairlead::volume {

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::kCreating:
      return "creating";
    case Phase::kReady:
      return "ready";
    case Phase::kDeleting:
      return "deleting";
  }
  return "ready";
}

}  // namespace fairlead::volume
