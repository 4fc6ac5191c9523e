#include "network/service/forwarding.h"

#include "base/fault.h"
#include "network/service/keys.h"

namespace fairlead::network {

// Without the lock, two families of two networks could overwrite each other's record.
Status hold_strangers(ServiceContext& context, Family family) {
  TRY(const auto guard, context.lock_underlay());
  TRY(ForwardingRecord before, context.records.forwarding());
  if (before.boot_id != context.parts.boot_id) before = {.boot_id = context.parts.boot_id};
  ForwardingRecord after = before;
  (family == Family::kV4 ? after.v4 : after.v6) = true;
  if (before == after) return context.firewall.ensure();
  TRY_STATUS(context.commit({.puts = {{std::string(keys::kForwarding), encode(after)}}}));
  fault_point("network.forwarding.recorded");
  return context.firewall.change_forwarding(before, after);
}

}  // namespace fairlead::network
