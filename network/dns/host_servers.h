// The servers that the host asks, as its files name them now.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "network/dns/loop.h"
#include "network/dns/resolv_conf.h"

namespace fairlead::dns {

// The files are read when the kernel tells of a change in their folders or in those that they link to, and every two seconds:
// a file may come later, in a folder that is not there yet.
class HostServers {
 public:
  virtual ~HostServers() = default;
  virtual const std::vector<HostServer>& servers() const = 0;
};

// `on_change` is called from the loop with what is different from before; at first from within this call.
std::unique_ptr<HostServers> watch_host_servers(
    Loop& loop, std::string resolv_conf, std::string resolved_conf,
    std::function<void(const std::vector<HostServer>&)> on_change);

}  // namespace fairlead::dns
