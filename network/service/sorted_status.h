// What status() tells, with its problems by what they are about.
#pragma once

#include <string>
#include <vector>

#include "network/api/service.h"
#include "network/service/mender.h"

namespace fairlead::network {

// Each of the problems in these lists is in `status` as well.
struct SortedStatus {
  ServiceStatus status;
  std::vector<std::string> overlaps;      // other things with addresses of a network
  std::vector<std::string> foreign;       // other firewalls that are in the way
  std::vector<std::string> left_links;    // interfaces that no record names
  std::vector<std::string> name_service;  // names that are not answered
};

// Of the networks that `mender` mends, which is that of a CoreNetworkService.
Result<SortedStatus> sorted_status(Mender& mender);

}  // namespace fairlead::network
