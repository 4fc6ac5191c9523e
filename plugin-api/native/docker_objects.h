// Objects that Docker made, and believes in until its own commands remove them: without its network
// here, each `docker run` fails until somebody removes Docker's half as well.
#pragma once

#include "network/api/service.h"

namespace fairlead::native {

// May it be removed without Docker's knowledge? kInUse names the docker command that does it right.
// What is not there may be: its removal says so.
Status check_not_dockers(network::NetworkService& networks, const network::NetworkRef& ref);
Status check_not_dockers(network::NetworkService& networks, const network::EndpointRef& ref);
Status check_not_dockers(network::NetworkService& networks, const network::Endpoint& endpoint);

}  // namespace fairlead::native
