#include "network/api/cluster.h"

namespace fairlead::network::cluster {

std::string_view to_string(HostState state) {
  switch (state) {
    case HostState::kAlive:
      return "alive";
    case HostState::kSuspect:
      return "suspect";
    case HostState::kGone:
      break;
  }
  return "gone";
}

}  // namespace fairlead::network::cluster
