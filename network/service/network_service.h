// The one implementation of NetworkService and of the smaller interfaces beside it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/lock.h"
#include "base/state/store.h"
#include "network/api/cluster.h"
#include "network/api/driver.h"
#include "network/api/explain.h"
#include "network/api/names.h"
#include "network/api/service.h"
#include "network/api/store_mark.h"
#include "network/kernel/firewall/conntrack.h"
#include "network/kernel/firewall/firewall.h"
#include "network/kernel/firewall/foreign_firewall.h"
#include "network/kernel/host/resolver.h"
#include "network/kernel/host/sockets.h"
#include "network/kernel/links/answer_routes.h"
#include "network/kernel/links/links.h"
#include "network/service/mender.h"

namespace fairlead::network {

// Everything that the service works with. All of it must outlive the service.
struct ServiceParts {
  state::Store& store;
  NamedLocks& locks;
  Drivers& drivers;
  kernel::Links& links;
  kernel::Firewall& firewall;         // table inet fairlead
  kernel::Firewall& bridge_firewall;  // table bridge fairlead
  kernel::Conntrack& conntrack;
  kernel::HostPorts& host_ports;
  kernel::ForeignFirewall& foreign_firewall;
  std::string boot_id;                   // base/host.h
  std::function<long long()> unix_time;  // base/host.h
  // nullptr: this process knows of no other hosts. Networks over several hosts can be used and
  // removed then, but give out no addresses.
  cluster::ClusterClient* cluster = nullptr;
  // The store's mark on objects in the kernel; empty: all objects count as the store's own.
  StoreMark mark{};
  // This process hears of changes of other firewalls (Damage::other_firewalls), so that an attach
  // need not look for them.
  bool hears_of_firewalls = false;
  // Packets between interfaces that are not Fairlead's are forwarded, whoever has switched it on.
  bool allow_forwarding = false;
  // The bits of marks that name the host's ways out; adjacent ones.
  std::uint32_t uplink_mask = kernel::kAnswerMask;
  // Of the names in policies. nullptr: they keep the addresses that they have.
  kernel::Resolver* resolver = nullptr;
  // refresh_names() is called all the time, so reconcile() need not ask for names.
  bool names_are_kept = false;
};

// What the service shows to whom, over one context. The interfaces live as long as it does.
class CoreNetworkService {
 public:
  virtual ~CoreNetworkService() = default;
  virtual NetworkService& networks() = 0;
  virtual PoolService& pools() = 0;
  virtual NameService& names() = 0;
  virtual Mender& mender() = 0;
  virtual Explainer& explainer() = 0;
  virtual cluster::UnderlayGuard& underlay() = 0;
  // To be called before the host's forwarding of the family is switched on, with the lock of a
  // network (DriverParts::before_forwarding).
  virtual Status before_forwarding(Family family) = 0;
  // Asks for the addresses of names in policies whose time has come. Waits for servers, without any lock.
  virtual Status refresh_names() = 0;
};

std::unique_ptr<CoreNetworkService> make_network_service(ServiceParts parts);

}  // namespace fairlead::network
