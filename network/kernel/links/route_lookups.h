// Where the kernel would send a packet, and what the host's links and addresses are: for those who explain the way of a
// packet. Every answer is that of the moment.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "network/kernel/links/answer_routes.h"

namespace fairlead::kernel {

struct RouteQuery {
  IpAddress to;
  std::optional<IpAddress> from{};
  std::string in{};  // the interface by which it came; empty: this host sends it
  std::uint32_t mark = 0;
};

struct RouteFound {
  bool local = false;  // to this host itself
  std::string out{};   // the interface by which it leaves
  std::optional<IpAddress> via{}, source{};
};

struct LinkFact {
  std::string kind;
  bool isolated = false;  // a port of a bridge that reaches no other such port
};

// Of one network namespace. Not thread-safe.
class RouteLookups {
 public:
  virtual ~RouteLookups() = default;
  // The error's text is the kernel's reason ("no route to host"), and its errno that of the kernel.
  virtual Result<RouteFound> look_up(const RouteQuery& query) = 0;
  // As they were when this was opened.
  virtual const std::map<std::string, LinkFact, std::less<>>& links() const = 0;
  virtual const std::vector<HostAddress>& addresses() const = 0;
};

// Of the namespace, or (-1) of the calling thread's.
Result<std::unique_ptr<RouteLookups>> open_route_lookups(int netns_fd = -1);

}  // namespace fairlead::kernel
