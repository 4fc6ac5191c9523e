// Objects that Docker made, and believes in until its own commands remove them: without its network
// here, each `docker run` fails until somebody removes Docker's half as well.
#pragma once

#include "network/api/types.h"

namespace fairlead::native {

// May it be removed without Docker's knowledge? kInUse names the docker command that does it right.
Status check_not_dockers(const network::Network& network);
// `network`: the endpoint's.
Status check_not_dockers(const network::Endpoint& endpoint, const network::Network& network);

}  // namespace fairlead::native
