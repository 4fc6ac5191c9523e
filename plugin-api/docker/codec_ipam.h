// IpamDriver on the wire: bodies to values, values to bodies. Pure; fuzzed. What Docker sends:
//
//   RequestPool    {"AddressSpace":"fairlead-local","Pool":"10.1.0.0/24","SubPool":"10.1.0.128/25",
//                   "Options":{"network":"shop"},"V6":false}
//                   Pool "" = any; "0.0.0.0/24" = any of that size
//   RequestAddress {"PoolID":"10.1.0.0/24","Address":"10.1.0.1",
//                   "Options":{"RequestAddressType":"com.docker.network.gateway"}}
//                   Address "" = any
//   ReleaseAddress {"PoolID":"10.1.0.0/24","Address":"10.1.0.7"}
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "network/api/service.h"
#include "plugin-api/docker/codec_common.h"

namespace fairlead::docker {

struct RequestPoolRequest {
  std::string address_space;
  Family family = Family::kV4;
  std::optional<Cidr> subnet;
  std::optional<unsigned> prefix_length;  // of an unspecified pool (29.0)
  std::optional<Cidr> range;
  std::map<std::string, std::string> options;  // --ipam-opt key=value

  bool operator==(const RequestPoolRequest&) const = default;
};

struct PoolRequest {  // ReleasePool
  std::string pool_id;

  bool operator==(const PoolRequest&) const = default;
};

struct RequestAddressRequest {
  std::string pool_id;
  std::optional<IpAddress> address;
  network::AddressUse use = network::AddressUse::kEndpoint;

  bool operator==(const RequestAddressRequest&) const = default;
};

struct ReleaseAddressRequest {
  std::string pool_id;
  IpAddress address;

  bool operator==(const ReleaseAddressRequest&) const = default;
};

Result<RequestPoolRequest> decode_request_pool(std::string_view body);
Result<PoolRequest> decode_pool(std::string_view body);
Result<RequestAddressRequest> decode_request_address(std::string_view body);
Result<ReleaseAddressRequest> decode_release_address(std::string_view body);

// A gateway that is given already stands in Data: Docker takes it without asking for it.
std::string encode(const network::Pool& pool);
std::string encode(const Cidr& address);

}  // namespace fairlead::docker
