// Which process of which boot somebody is, so that others on this host can tell whether he is dead.
#pragma once

#include <cstdint>
#include <string>

namespace fairlead::volume {

struct ProcessId {
  std::string boot;           // boot_id(), which no two running kernels share
  std::string pid_namespace;  // "pid:[4026531836]": in another one a pid means something else
  std::int64_t pid = 0;
  std::int64_t started = 0;  // clock ticks after the boot (proc(5)): pids are used again
  bool operator==(const ProcessId&) const = default;
};

ProcessId own_process();
// Only when it is certain: false for processes of other kernels and namespaces.
bool is_dead(const ProcessId& process);

// The name of this host, for people; empty when it has none.
std::string host_name();

}  // namespace fairlead::volume
