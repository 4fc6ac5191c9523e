// Keeps a directory in step with the networks and endpoints that there are, whoever makes them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/changes.h"
#include "network/api/service.h"
#include "network/dns/directory.h"
#include "network/dns/server.h"

namespace fairlead::dns {

struct FollowParts {
  ChangeFeed& changes;  // of the service's networks and endpoints
  network::NetworkService& service;
  Directory& directory;
  std::string boot_id;  // base/host.h: endpoints of another boot are void
  // Called with all places to serve, ordered, once they are known and whenever they are others; from the follower's
  // thread.
  std::function<void(std::vector<Place>)> on_places;
  std::chrono::milliseconds retry{1000};  // after what could not be read
};

// Has a thread of its own. The feed tells what has changed, and that is read anew: changes that come while others are
// looked at are one, and nothing is put off otherwise. What cannot be read is logged and tried again, and holds up nothing else.
class Follower {
 public:
  virtual ~Follower() = default;
};

// Everything that `parts` refers to must outlive the follower.
std::unique_ptr<Follower> follow(FollowParts parts);

// Where the names of the network are to be served; none where it has `dns=off`, or no gateway on this host.
// A link-local gateway of mode routed is on every container's link, and IPv6's is not asked without one: it is left out.
std::vector<Place> places_of(const network::Network& network);

}  // namespace fairlead::dns
