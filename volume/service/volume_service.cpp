#include "volume/service/volume_service.h"

#include "volume/service/service_impl.h"

namespace fairlead::volume {

std::unique_ptr<VolumeService> make_volume_service(state::Store& store, NamedLocks& locks,
                                                   BackendRegistry& backends,
                                                   Environment environment) {
  return std::make_unique<Service>(store, locks, backends, std::move(environment));
}

}  // namespace fairlead::volume
