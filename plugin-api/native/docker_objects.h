// Protects objects that Docker made, because Docker keeps them until its own commands remove them:
// without the network here every `docker run` would fail until somebody removes it in Docker as
// well.
#pragma once

#include "network/api/service.h"

namespace fairlead::native {

// Whether the object may be removed without Docker. kInUse, naming the docker command to use, when
// it may not. Succeeds for a missing object, whose removal reports that.
Status check_not_dockers(network::NetworkService& networks, const network::NetworkRef& ref);
Status check_not_dockers(network::NetworkService& networks, const network::EndpointRef& ref);
Status check_not_dockers(network::NetworkService& networks, const network::Endpoint& endpoint);

}  // namespace fairlead::native
