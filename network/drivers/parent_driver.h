// What drivers have in common whose containers are on the network of an interface of the host, the
// parent: there is no bridge, nothing of a container is in the host, and its packets do not pass the
// host's bridges. macvlan and ipvlan differ in the links that they make.
//
// A parent called BASE.ID that does not exist is the VLAN ID of the interface BASE, as it is for
// Docker: it is made with the network and removed with it, and belongs to that network alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "network/api/driver.h"
#include "network/api/store_mark.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

class ParentDriver : public Driver {
 public:
  struct Kind {
    std::string mode;         // as users write it, and as the kernel calls the links
    std::string link_prefix;  // of a link's name while it is in the host; 12 digits follow
    std::string private_way;  // what to use instead of icc=false
    bool macs = true;         // its links have MACs of their own
  };
  ParentDriver(kernel::Links& links, std::string boot_id, StoreMark mark, Kind kind)
      : links_(links),
        boot_id_(std::move(boot_id)),
        mark_(std::move(mark)),
        kind_(std::move(kind)) {}

  NetworkTraits traits() const override;
  Status validate(const NetworkSpec& spec) const override;
  Result<NetworkPlan> plan(const Network& network, std::span<const Network> others) override;
  bool is_on_host_network(const Network&) const override { return true; }
  FirewallLinks firewall_links(const Network&) const override { return {}; }
  Status ensure(Network& network, Rollback& undo) override;
  std::vector<std::string> missing(const Network& network) override;
  std::string problem(const Network& network) override;
  Status remove(const Network& network) override;
  Result<DriverRecord> plan_endpoint(const Network& network,
                                     const Endpoint& endpoint) const override;
  Result<EndpointLinks> attach(Network& network, const Endpoint& endpoint,
                               const Placement& placement, NetworkContext& context,
                               Rollback& undo) override;
  Result<EndpointLinks> give_addresses(Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside, NetworkContext& context,
                                       Rollback& undo) override;
  Status detach(const Network& network, const Endpoint& endpoint) override;
  Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
               std::string_view ifname) override;
  Result<EndpointLinks> attached_links(const Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside) override;
  Result<Liveness> liveness(const Network& network, const Endpoint& endpoint) override;
  // A link is lost together with its parent, and is not made again in a running container.
  Result<bool> mend(const Network&, const Endpoint&) override { return false; }
  Result<std::vector<MadeLink>> list_links() override;
  std::vector<IfName> links_of(const Network& network) const override;
  std::vector<IfName> links_of(const Endpoint& endpoint) const override;
  Status remove_link(const IfName& name) override { return links_.remove(name); }

 protected:
  struct Place {
    IfName name;
    int parent = 0;     // ifindex
    int netns_fd = -1;  // borrowed; -1: the host's namespace
  };
  // Refuses options of the driver's own.
  virtual Status validate_own(const NetworkOptions& options) const = 0;
  virtual Result<kernel::Link> make_link(const Network& network, const Endpoint& endpoint,
                                         const Place& place) = 0;
  // Whether the parent has one network only.
  virtual bool is_exclusive(const Network&) const { return false; }
  // Whether the link, which is one of the network's parent in the endpoint's namespace, is that of
  // the endpoint.
  virtual bool is_of(const Network& network, const Endpoint& endpoint, const kernel::Link& link,
                     int netns_fd) = 0;

  kernel::Links& links_;

 private:
  struct Inside {
    UniqueFd netns;
    std::vector<kernel::Link> links;
  };

  Result<kernel::Link> parent_link(const IfName& name);
  Result<kernel::Link> base_of(const IfName& vlan);
  Result<kernel::Link> make_vlan(const Network& network, Rollback& undo);
  Result<kernel::Link> create(const Network& network, const Endpoint& endpoint, const Place& place);
  Result<Inside> look_inside(const Network& network, const Endpoint& endpoint);

  const std::string boot_id_;
  const StoreMark mark_;
  const Kind kind_;
};

}  // namespace fairlead::network
