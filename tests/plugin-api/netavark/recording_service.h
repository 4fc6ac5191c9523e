// A NetworkService with networks in memory that makes up plausible attachments, and writes down what it was
// asked for.
#pragma once

#include <map>
#include <set>

#include "base/json/json.h"
#include "plugin-api/netavark/adapter.h"
#include "tests/support/mock_services.h"

namespace fairlead::testing {

class PodmanService : public ::testing::NiceMock<MockNetworkService> {
 public:
  PodmanService();
  ~PodmanService() override;

  json::Json calls =
      json::Json::array();  // [{"attach":{...}}, ...] in order, of what changes something
  std::map<std::string, network::Network> networks;  // by their ids
  std::map<std::string, std::string> bindings;       // a runtime's id to a network's
  std::set<std::string> endpoints;                   // "<network id>/<endpoint id>"
  std::map<std::string, std::string> files;          // of Podman's
  long long now = 1'000'000;

  // A network that exists before the call.
  network::Network& has_network(const std::string& name, const std::string& subnet);
  const json::Json* call(const std::string& verb) const;
  std::size_t count(const std::string& verb) const;

  // Over this service. `names` is nullptr.
  netavark::Services services();

 private:
  network::Network* find(const network::NetworkRef& ref);
  Result<network::Network> create(const network::NetworkSpec& spec);
  Result<network::Attachment> attach_to(const network::EndpointSpec& spec,
                                        const network::Placement& placement);
  Status remove(const network::EndpointRef& ref);
  Status unbind(const std::string& runtime_id);
  std::size_t endpoints_on(const std::string& network_id) const;
};

// A call with a namespace that opens (as /dev/null) for every path but "/run/netns/gone", and that is the
// host's own when its path is "/run/netns/own".
netavark::Call netavark_call(const std::string& command, const json::Json& document,
                             const std::string& netns = "/run/netns/web");

inline const std::string kPodmanId = std::string(64, 'a');
// Podman's network "shop" with this driver.
json::Json podmans_network(const std::string& driver = "fairlead");
// stdin of setup and teardown of a plugin for container "web" on that network, eth0.
json::Json plugin_document(const json::Json& network);
// The same of netavark itself.
json::Json drop_in_document(const json::Json& network);

}  // namespace fairlead::testing
