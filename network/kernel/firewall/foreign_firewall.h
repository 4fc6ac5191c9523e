// Other firewalls on the host. An accept in Fairlead's table does not undo a drop in theirs, so
// their rules have to let Fairlead's traffic pass. Slow: runs iptables(8) and firewall-cmd(1) when
// they are installed.
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
  // zone) would drop it. Adds as little as possible, and marks rules with the comment "fairlead".
  // Idempotent. Returns what is in place now, in words.
  virtual Result<std::vector<std::string>> admit(const std::vector<IfName>& bridges) = 0;
  // Removes everything that admit() added.
  virtual Status withdraw() = 0;
};

// Each call works in the network namespace of the thread that makes it.
std::unique_ptr<ForeignFirewall> make_foreign_firewall();

}  // namespace fairlead::kernel
