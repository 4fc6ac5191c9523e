// Whom a person means by A and B.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "network/explain/walk.h"

namespace fairlead::explain {

struct End {
  enum class Kind {
    kContainers,  // `places`: of one container, or of all that a name of the DNS leads to
    kHost,
    kOutside,  // whoever is beyond the host's default route
    kAddress,  // somebody else's
  };
  Kind kind = Kind::kAddress;
  std::vector<const Place*> places{};
  std::vector<IpAddress> addresses{};  // those that were named; empty: all that it has
  std::string title;                   // "container web", "the host"

  bool is(const Place& place) const;
};

// The addresses of a name that is no container's.
using Resolve = std::function<Result<std::vector<IpAddress>>(const std::string& name)>;

// kNotFound says what would be understood; kInvalid names the candidates where several fit.
Result<End> find_end(const std::string& text, const World& world, const Resolve& resolve);

// Where "outside" is taken to be: an address that is nobody's (RFC 5737, RFC 3849).
IpAddress outside_address(Family family);

}  // namespace fairlead::explain
