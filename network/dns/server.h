// The sockets of the name service: port 53 of the gateways of networks, over UDP and TCP, in this process's network
// namespace; and the host's servers, which are asked for what containers' names do not answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "network/dns/responder.h"

namespace fairlead::dns {

// One address at which a network's names are served.
struct Place {
  std::string network;  // its id
  IpAddress address;    // a gateway
  // The interface that has it: link-local addresses and addresses of several links need it. Empty: any.
  std::string interface {};

  auto operator<=>(const Place&) const = default;
};

// How a place is served.
struct Served {
  Place place;
  std::uint16_t port = 0;  // 53, or another one where that is somebody else's; 0: not served
  std::string
      problem{};  // why not 53, or why not at all, in words with the one who has it as far as it is known

  auto operator<=>(const Served&) const = default;
};

struct ServerOptions {
  std::string resolv_conf = "/etc/resolv.conf";
  std::string resolved_conf = "/run/systemd/resolve/resolv.conf";  // the servers behind 127.0.0.53
  std::uint16_t port = 53;
};

struct ServerCounters {
  std::uint64_t queries = 0, answered = 0, forwarded = 0, from_cache = 0, failed = 0, ignored = 0;
};

// One thread of its own. Thread-safe.
class Server {
 public:
  virtual ~Server() = default;
  // From now on exactly these are served. Sockets of places that stay are not touched: no query is lost. What could not
  // be bound is tried again: after some milliseconds, then every second, and when this is called. Where port 53 is somebody
  // else's for longer than a restart takes, another one is bound on the same address, for UDP and TCP, and 53 is tried
  // every ten seconds; once it is ours, the other one is served for ten seconds more. `on_served` tells what became of it.
  // An address of several networks (IPv6's link-local ones belong to their interface) is one place: queries name one of these
  // networks.
  virtual void serve(std::vector<Place> places) = 0;
  virtual std::vector<Served> served() const = 0;
  virtual ServerCounters counters() const = 0;
  // The servers of the host that are asked, once they were read: without our own addresses, and in the place of 127.0.0.53 and
  // its like those behind it.
  virtual std::vector<IpAddress> upstreams() const = 0;
};

struct ServerEvents {
  // Both are called from the server's thread, with all that there is; not while nothing has changed, and perhaps before
  // start_server() has returned. No query is answered meanwhile: what takes long belongs to another thread.
  std::function<void(const std::vector<Served>&)> on_served;
  std::function<void(const std::vector<IpAddress>&)> on_upstreams;
};

// `responder` must outlive it.
Result<std::unique_ptr<Server>> start_server(Responder& responder, ServerOptions options,
                                             ServerEvents events);

}  // namespace fairlead::dns
