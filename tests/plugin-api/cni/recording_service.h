// A NetworkService that makes up plausible networks and attachments, and writes down what it was
// asked for.
#pragma once

#include <map>

#include "base/json/json.h"
#include "plugin-api/cni/adapter.h"
#include "tests/support/mock_services.h"

namespace fairlead::testing {

class RecordingService : public ::testing::NiceMock<MockNetworkService> {
 public:
  RecordingService();
  ~RecordingService() override;

  json::Json calls = json::Json::array();  // [{"attach":{...}}, ...] in order
  std::map<std::string, network::Network> networks;

  // Networks that exist before the call, with a subnet each.
  void has_network(const std::string& name, const std::string& subnet);
  const json::Json* call(const std::string& verb) const;

 private:
  Result<network::Network> create(const network::NetworkSpec& spec);
  Result<network::Network> inspect(const network::NetworkRef& ref);
  Result<network::Attachment> attach_to(const network::EndpointSpec& spec,
                                        const network::Placement& placement);
  Result<network::Attachment> give(const network::EndpointRef& ref,
                                   const network::GivenAddresses& given,
                                   const network::IntoNetns& inside);
};

// A call with a namespace that opens (as /dev/null) for every path but "/run/netns/gone", and that
// is the plugin's own when its path is "/run/netns/own".
cni::Call call_of(const json::Json& environment, std::string input);

// ADD for the container "web" and eth0 with this configuration; "name" and "cniVersion" are added
// when missing.
cni::Call add_call(json::Json config);
cni::Call verb_call(const std::string& verb, json::Json config);

}  // namespace fairlead::testing
