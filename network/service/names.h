// What runtimes call their networks and containers: kept beside the records that they belong to.
#pragma once

#include <span>

#include "network/api/names.h"
#include "network/service/service_context.h"

namespace fairlead::network {

class Names : public NameService {
 public:
  explicit Names(ServiceContext& context) : context_(context) {}

  Status keep(std::span<const RuntimeNetwork> networks) override;
  Status keep(std::span<const NamedEndpoint> endpoints) override;
  void expect(bool coming) override { context_.names_coming = coming; }
  Status serve(const NameServers& servers) override;

 private:
  // Returns the questions that are led elsewhere now.
  Result<std::vector<nat::NatQuestions>> lead(const NameServers& servers);
  Status keep_network(const RuntimeNetwork& network);
  // `changed` becomes true when something was new.
  Status keep_endpoint(const NamedEndpoint& named, bool& changed);
  std::string ifname_of(const Endpoint& endpoint);

  ServiceContext& context_;
};

}  // namespace fairlead::network
