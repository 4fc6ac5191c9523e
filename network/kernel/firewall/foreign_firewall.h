// Other firewalls on the host. An accept in Fairlead's table does not undo a drop in theirs, so
// their rules have to let Fairlead's traffic pass:
//
//   chains of nf_tables at the hook forward, whoever made them (nft, iptables-nft, Docker, ufw,
//   firewalld)                                   foreign_tables.h
//   FORWARD of iptables-legacy                   foreign_firewall_rules.h; runs iptables(8)
//   firewalld's zones                            its zone "trusted"; runs firewall-cmd(1)
//
// The programs are run only when something has changed since they were run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/result.h"

namespace fairlead::kernel {

// In words, for people.
struct ForeignReport {
  std::vector<std::string> notes;     // what was done and is in place
  std::vector<std::string> problems;  // what drops traffic and was not opened, with a hint
  bool operator==(const ForeignReport&) const = default;
};

class ForeignFirewall {
 public:
  virtual ~ForeignFirewall() = default;
  // Lets traffic of these bridges (and of every link called fl-*) pass where a firewall drops what
  // none of its rules accepts, after all of its other rules. Adds as little as possible, and marks
  // rules with the comment "fairlead". Idempotent. Where others' firewalls are only to be reported,
  // takes away what it has added. Returns what is in place now.
  virtual Result<ForeignReport> admit(const std::vector<IfName>& bridges) = 0;
  // Tells what is in place, and changes nothing.
  virtual Result<ForeignReport> look() = 0;
  // Whether another firewall's rules for forwarding may have changed since a process of this store
  // has called admit(). Takes 50 us, and more where iptables-legacy has many rules.
  virtual bool changed() = 0;
  // Removes everything that admit() added.
  virtual Status withdraw() = 0;
};

// `open`: false only reports. `memory`: the file that tells other processes, with the same file,
// what the rules were like at the last admit(); empty: there are no others.
struct ForeignFirewallOptions {
  bool open = true;
  std::string memory{};
};

// All calls must be made in the network namespace of the first one. Thread-safe.
std::unique_ptr<ForeignFirewall> make_foreign_firewall(ForeignFirewallOptions options = {});

}  // namespace fairlead::kernel
