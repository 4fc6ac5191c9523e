// What rules and the way of a packet depend on beside the rules: the host's routes, links and addresses.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::explain {

struct Route {
  enum class Kind {
    kNone,   // nowhere: `reason` says why
    kLocal,  // to this host itself
    kOut,    // out of `link`
  };
  Kind kind = Kind::kNone;
  std::string link{};
  std::optional<IpAddress> via{}, source{};
  std::string reason{};
};

struct RouteQuestion {
  IpAddress to;
  std::optional<IpAddress> from{};
  std::string in{};  // the interface by which it came; empty: the host sends it
  std::uint32_t mark = 0;
};

// Asked while a packet is followed; each answer is the kernel's at that moment.
class Facts {
 public:
  virtual ~Facts() = default;
  virtual Route route(const RouteQuestion& question) const = 0;
  // The route that the container takes, by its own rules. std::nullopt: they cannot be seen.
  virtual std::optional<Route> route_inside(const std::string& netns_path,
                                            const IpAddress& to) const = 0;
  // Whether the host has the address; with `link`, on that link.
  virtual bool is_local(const IpAddress& address, std::string_view link = {}) const = 0;
  // "bridge", "veth"; empty: not known.
  virtual std::string kind_of(std::string_view link) const = 0;
  virtual bool forwards(Family family) const = 0;
  // Whether frames between ports of a bridge pass the rules for packets as well (br_netfilter).
  virtual bool bridges_pass_packets(Family family) const = 0;
  // A port that reaches no other such port of its bridge.
  virtual bool is_isolated(std::string_view port) const = 0;
};

}  // namespace fairlead::explain
