// Other firewalls on the host: an accept in our table does not undo a drop in theirs. Cold path:
// runs iptables(8) and firewall-cmd(1) when they are there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/result.h"

namespace fairlead::kernel {

class ForeignFirewall {
 public:
  virtual ~ForeignFirewall() = default;
  // Lets traffic of these bridges (and of every link called fl-*) pass where Docker (DOCKER-USER
  // chain, iptables-nft or -legacy), ufw or a bare `FORWARD` policy DROP, or firewalld (trusted
  // zone) would drop it: the least that does so, marked with the comment "fairlead". Idempotent.
  // Returns what was done or is in place, in words.
  virtual Result<std::vector<std::string>> admit(const std::vector<IfName>& bridges) = 0;
  // Takes everything away again.
  virtual Status withdraw() = 0;
};

// Works in the network namespace of the thread that calls it.
std::unique_ptr<ForeignFirewall> make_foreign_firewall();

}  // namespace fairlead::kernel
