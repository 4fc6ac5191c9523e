// Events of the kernel after which Fairlead has something to repair: tables that are altered, links
// that vanish or lose what they had, forwarding that is switched off, firewalls that appear.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace fairlead::kernel {

struct KernelEvent {
  enum class Kind {
    kLinkChanged,     // `name`: a bridge appeared; or a bridge or one of its ports lost something
    kLinkGone,        // `name`: a link was deleted
    kSettingChanged,  // `name`: route_localnet was switched off, or accept_ra is no longer 2; a new
                      // link has accept_ra=1; a link with route_localnet has lost a filter
    kForwardingOff,   // the host forwards packets of a family no more
    kRoutesChanged,   // an address, a default route or a routing rule of the host came or went
    kTableChanged,    // another program has changed something in Fairlead's tables, or deleted one
    kFilterChanged,   // another table's chains or rules changed; once for each transaction
    kOverrun,         // events were lost: everything has to be checked
  };
  Kind kind = Kind::kOverrun;
  std::string name{};
  // Of links only. `bridge`: the bridge that the link was a port of, or its own name when it is a
  // bridge; empty for others. `what`: what it has lost, in words ("went down"); empty when nothing.
  int index = 0;
  std::string bridge{};
  std::string what{};
  bool of_container = false;  // the host's side of a veth pair
};

// Runs until it is destroyed, and calls `on_event` from its own thread. Changes of links that this
// process makes are reported too.
class Monitor {
 public:
  virtual ~Monitor() = default;
};
Result<std::unique_ptr<Monitor>> start_monitor(std::string table,
                                               std::function<void(const KernelEvent&)> on_event);

}  // namespace fairlead::kernel
