// What the daemon asks for after events of the kernel, instead of a whole reconcile.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "network/api/service.h"

namespace fairlead::network {

// Something that a bridge, or a link that was a port of a bridge, has lost.
struct LinkDamage {
  std::string link;
  std::string bridge;  // equal to `link` for the bridge itself
  std::string what;    // "went down"; empty: the bridge has appeared

  bool operator==(const LinkDamage&) const = default;
};

struct Damage {
  bool table = false;            // somebody has altered the firewall's table
  bool other_firewalls = false;  // somebody has altered other tables
  bool forwarding = false;       // the host forwards no more
  bool routes = false;           // another address, way out or routing rule of the host
  // Interfaces with another route_localnet or accept_ra, or whose loopback guard may be gone.
  std::set<std::string> settings{};
  std::vector<LinkDamage> links{};

  bool empty() const { return *this == Damage(); }
  bool operator==(const Damage&) const = default;
};

class Mender {
 public:
  virtual ~Mender() = default;
  // Repairs what is damaged and should be there; other damage is ignored. Costs what the damaged
  // networks cost. Failures in the report mean that the repair has to be tried again. Thread-safe.
  virtual Result<ReconcileReport> mend(const Damage& damage) = 0;
  // Repairs what makes no event: rules of iptables-legacy that have changed. Cheap when they have
  // not; to be called every second.
  virtual Result<ReconcileReport> look_around() = 0;
};

}  // namespace fairlead::network
