// The addresses at which names are served: which sockets they have, and what is done where one cannot have them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "network/dns/front.h"
#include "network/dns/loop.h"
#include "network/dns/server.h"

namespace fairlead::dns {

struct PlaceTimes {
  // After a failure; twice as long after each further one, up to `slowest`.
  std::chrono::milliseconds first_retry{50}, slowest{1000};
  // How long a taken port is waited for before another one is used: a daemon before this one ends in that time.
  std::chrono::milliseconds patience{400};
  std::chrono::milliseconds look_again{10'000};  // whether the port has become free meanwhile
  std::chrono::milliseconds grace{10'000};  // that sockets of the other port live on when it has
};

// Everything happens in the loop's thread.
class Places {
 public:
  // What is asked at a place: with the id of one of the networks that have that address, of which the responder knows by the
  // client which one it is. The id may change, and lives as long as the front.
  using FrontOf = std::function<std::unique_ptr<Front>(const std::string& network)>;

  virtual ~Places() = default;
  // Exactly these from now on. What was to be tried again later is tried now.
  virtual void serve(std::vector<Place> places) = 0;
  virtual std::vector<Served> served() const = 0;  // sorted
};

// `on_change` is called whenever served() is different.
std::unique_ptr<Places> make_places(Loop& loop, std::uint16_t port, Places::FrontOf front_of,
                                    std::function<void()> on_change, PlaceTimes times = {});

}  // namespace fairlead::dns
