// Answers whether a packet reaches somebody, by the records and by what the kernel has loaded.
#pragma once

#include "network/api/explain.h"
#include "network/explain/walk.h"
#include "network/service/other_firewalls.h"
#include "network/service/service_context.h"

namespace fairlead::network {

class ServiceExplainer : public Explainer {
 public:
  ServiceExplainer(ServiceContext& context, OtherFirewalls& other_firewalls)
      : context_(context), other_firewalls_(other_firewalls) {}

  Result<Explanation> explain(const ExplainQuery& query) override;
  Result<PacketTrace> trace(const ExplainPath& path, std::chrono::milliseconds wait,
                            const std::function<bool()>& stop) override;

 private:
  Result<std::vector<explain::Place>> places();
  Result<std::vector<IpAddress>> resolve(const std::string& name);
  Status name_policies(Explanation& explanation);
  Status add_notes(Explanation& explanation);

  ServiceContext& context_;
  OtherFirewalls& other_firewalls_;
};

}  // namespace fairlead::network
