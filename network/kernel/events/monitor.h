// Events of the kernel after which Fairlead has something to repair: links that vanish, tables that
// are flushed, firewalls that appear.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace fairlead::kernel {

struct KernelEvent {
  enum class Kind {
    kLinkGone,       // `name`: a link was deleted (RTM_DELLINK)
    kLinkChanged,    // `name`: a bridge or fl* link appeared or went down
    kTableChanged,   // another program has changed something in Fairlead's table, or deleted it
    kFilterChanged,  // another table's chains changed: another firewall may have come or gone
    kOverrun,        // events were lost: everything has to be checked
  };
  Kind kind = Kind::kOverrun;
  std::string name;
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
