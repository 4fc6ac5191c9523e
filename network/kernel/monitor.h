// Events of the kernel that Fairlead repairs: links that vanish, tables that are flushed, firewalls
// that appear.
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
    kTableChanged,   // another program has changed our table: anything in it, or all of it
    kFilterChanged,  // another table's chains changed: another firewall may have come or gone
    kOverrun,        // events were lost: look at everything
  };
  Kind kind = Kind::kOverrun;
  std::string name;
};

// Runs until destroyed; calls back from a thread of its own. Changes of links that this process
// makes are reported too.
class Monitor {
 public:
  virtual ~Monitor() = default;
};
Result<std::unique_ptr<Monitor>> start_monitor(std::string table,
                                               std::function<void(const KernelEvent&)> on_event);

}  // namespace fairlead::kernel
