#include "network/dns/places.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include "base/log.h"
#include "network/dns/datagrams.h"
#include "network/dns/streams.h"
#include "network/kernel/host/bound_sockets.h"
#include "network/kernel/host/sockets.h"

namespace fairlead::dns {

namespace {

using Clock = Loop::Clock;

constexpr int kReceiveBuffer = 1 << 20;  // bytes: some thousands of queries
constexpr int kPortTries = 16;
constexpr std::chrono::seconds kHolderKept{10}, kScopePeriod{1};

// Descriptors are for the rest of the daemon too: there may be hundreds of addresses.
std::size_t queues_here() {
  constexpr rlim_t kForEach = 4096;
  constexpr std::size_t kMost = 8;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 1;
  return std::clamp<std::size_t>(files.rlim_cur / kForEach, 1, kMost);
}

// UDP and TCP of one port.
struct Sockets {
  std::uint16_t port = 0;
  std::vector<std::shared_ptr<DatagramSocket>> datagrams;
  std::unique_ptr<StreamSocket> streams;
};

// What all places have in common.
class Shared {
 public:
  Shared(Loop& event_loop, std::uint16_t wanted_port, Places::FrontOf front,
         std::function<void()> change, PlaceTimes place_times)
      : loop(event_loop),
        port(wanted_port),
        front_of(std::move(front)),
        on_change(std::move(change)),
        times(place_times) {}

  // The process that keeps the port from us. All processes are looked at, which takes some milliseconds, so that what was
  // found is believed for a while.
  std::string holder(std::uint8_t proto, const IpAddress& address) {
    Known& known = holders_[proto];
    if (known.until <= loop.now()) {
      known.text = kernel::port_holder(proto, address, port);
      known.until = loop.now() + kHolderKept;
    }
    return known.text.empty() ? "another program" : known.text;
  }

  Loop& loop;
  const std::uint16_t port;
  const Places::FrontOf front_of;
  const std::function<void()> on_change;
  const PlaceTimes times;
  const std::size_t queues = queues_here();  // for UDP, of each address
  const std::shared_ptr<DatagramBatch> batch = make_datagram_batch();
  const std::shared_ptr<StreamService> streams = make_stream_service(loop);

 private:
  struct Known {
    std::string text;
    Clock::time_point until{};
  };
  std::map<std::uint8_t, Known> holders_;
};

// One address, and the networks that have it.
class Spot {
 public:
  Spot(Shared& shared, const Place& place)
      : shared_(shared),
        address_(place.address),
        interface_(kernel::is_link_local(place.address) ? place.interface : std::string()),
        front_(shared.front_of(network_)),
        retry_(shared.loop, [this] { try_again(); }),
        grace_(shared.loop, [this] { old_ = Sockets(); }),
        scope_check_(shared.loop, [this] { check_scope(); }) {}

  void set_places(std::vector<Place> places) {
    places_ = std::move(places);
    network_ = places_.front().network;
  }

  // Binds what is not bound as it should be.
  void try_now() {
    if (sockets_.port == shared_.port) return;
    failures_ = 0;
    attempt();
  }

  void add_served(std::vector<Served>& served) const {
    for (const Place& place : places_)
      served.push_back({.place = place, .port = sockets_.port, .problem = problem_});
  }

 private:
  // Which of the two could not be bound.
  struct Refusal {
    std::uint8_t proto = 0;
    Error error;
  };

  // Nothing is told where nothing is new: there may be many that wait for their address.
  void try_again() {
    const std::string problem = problem_;
    const std::uint16_t port = sockets_.port;
    attempt();
    if (problem != problem_ || port != sockets_.port) shared_.on_change();
  }

  void attempt() {
    if (!find_scope()) {
      problem_ = fmt::format("there is no interface {}", interface_);
      return retry();
    }
    auto refusal = open(shared_.port);
    if (!refusal) return;
    if (refusal->error.sys_errno == EADDRINUSE) return on_taken(*refusal);
    taken_since_.reset();
    if (sockets_.port == 0) problem_ = refusal->error.text;
    retry();
  }

  bool find_scope() {
    if (interface_.empty()) return true;
    scope_ = ::if_nametoindex(interface_.c_str());
    scope_check_.set_in(kScopePeriod);
    return scope_ != 0;
  }

  // An interface of the same name that was made anew is another one for the kernel.
  void check_scope() {
    scope_check_.set_in(kScopePeriod);
    if (sockets_.port == 0 || ::if_nametoindex(interface_.c_str()) == scope_) return;
    sockets_ = Sockets();
    old_ = Sockets();
    attempt();
    shared_.on_change();
  }

  // Another port, where the right one is somebody else's for longer than a restart takes.
  void on_taken(const Refusal& refusal) {
    const auto now = shared_.loop.now();
    if (!taken_since_) {
      taken_since_ = now;
      problem_ = fmt::format("port {}/{} of {} is in use by {}", shared_.port,
                             refusal.proto == IPPROTO_UDP ? "udp" : "tcp", address_.to_string(),
                             shared_.holder(refusal.proto, address_));
    }
    if (sockets_.port != 0) return retry_.set_in(shared_.times.look_again);
    if (now - *taken_since_ < shared_.times.patience) return retry();
    open_other();
    if (!std::exchange(warned_, true))
      log::warn("name service has not got its port",
                {{"address", address_.to_string()}, {"port", sockets_.port}, {"reason", problem_}});
    if (sockets_.port != 0) return retry_.set_in(shared_.times.look_again);
    retry();
  }

  void open_other() {
    for (int i = 0; i < kPortTries && sockets_.port == 0; ++i)
      if (const auto refusal = open(0); refusal && refusal->error.sys_errno != EADDRINUSE) return;
  }

  // Port 0: one that is free for both. TCP comes first, because a daemon before this one would share UDP with it.
  std::optional<Refusal> open(std::uint16_t port) {
    auto streams = kernel::bind_stream(kernel::SocketName::of(address_, port, scope_));
    if (!streams) return Refusal{IPPROTO_TCP, streams.error()};
    const auto bound = kernel::bound_name(streams->get());
    if (!bound) return Refusal{IPPROTO_TCP, bound.error()};
    auto datagrams = kernel::bind_datagram_group(
        kernel::SocketName::of(address_, bound->port(), scope_), shared_.queues, kReceiveBuffer);
    if (!datagrams) return Refusal{IPPROTO_UDP, datagrams.error()};
    return take(bound->port(), std::move(*datagrams), std::move(*streams));
  }

  std::optional<Refusal> take(std::uint16_t port, std::vector<UniqueFd> datagrams,
                              UniqueFd streams) {
    Sockets fresh{.port = port, .datagrams = {}, .streams = {}};
    const DatagramService service{shared_.loop, *front_, shared_.batch,
                                  std::make_shared<ClientShares>()};
    for (UniqueFd& fd : datagrams) {
      auto udp = serve_datagrams(service, std::move(fd));
      if (!udp) return Refusal{IPPROTO_UDP, udp.error()};
      fresh.datagrams.push_back(std::move(*udp));
    }
    auto tcp = serve_streams(shared_.streams, std::move(streams), *front_);
    if (!tcp) return Refusal{IPPROTO_TCP, tcp.error()};
    fresh.streams = std::move(*tcp);
    // Who was led to the other port is answered there until the rule is another one.
    if (sockets_.port != 0) grace_.set_in(shared_.times.grace);
    old_ = std::exchange(sockets_, std::move(fresh));
    if (port == shared_.port) {
      problem_.clear();
      warned_ = false;
      taken_since_.reset();
      failures_ = 0;
      retry_.cancel();
    }
    return std::nullopt;
  }

  void retry() {
    const auto wait = shared_.times.first_retry * (1U << std::min(failures_++, 8U));
    retry_.set_in(std::min(wait, shared_.times.slowest));
  }

  Shared& shared_;
  const IpAddress address_;
  const std::string interface_;  // of link-local addresses
  std::string network_;
  std::vector<Place> places_;
  const std::unique_ptr<Front> front_;
  std::uint32_t scope_ = 0;
  Sockets sockets_, old_;
  std::string problem_;
  std::optional<Clock::time_point> taken_since_;
  unsigned failures_ = 0;
  bool warned_ = false;  // since it had its port
  Loop::Timer retry_, grace_, scope_check_;
};

class BoundPlaces final : public Places {
 public:
  BoundPlaces(Loop& loop, std::uint16_t port, FrontOf front_of, std::function<void()> on_change,
              PlaceTimes times)
      : on_change_(std::move(on_change)),
        shared_(
            loop, port, std::move(front_of), [this] { tell(); }, times) {}

  void serve(std::vector<Place> places) override {
    std::map<Key, std::vector<Place>> wanted;
    std::ranges::sort(places);
    places.erase(std::unique(places.begin(), places.end()), places.end());
    for (Place& place : places) wanted[key_of(place)].push_back(std::move(place));
    std::erase_if(spots_, [&](const auto& spot) { return !wanted.contains(spot.first); });
    for (auto& [key, of_spot] : wanted) {
      auto& spot = spots_[key];
      if (!spot) spot = std::make_unique<Spot>(shared_, of_spot.front());
      spot->set_places(std::move(of_spot));
      spot->try_now();
    }
    tell();
  }

  std::vector<Served> served() const override { return told_; }

 private:
  using Key = std::pair<IpAddress, std::string>;

  static Key key_of(const Place& place) {
    return {place.address, kernel::is_link_local(place.address) ? place.interface : std::string()};
  }

  void tell() {
    std::vector<Served> served;
    for (const auto& [key, spot] : spots_) spot->add_served(served);
    std::ranges::sort(served);
    if (served == told_) return;
    told_ = std::move(served);
    on_change_();
  }

  const std::function<void()> on_change_;
  Shared shared_;
  std::map<Key, std::unique_ptr<Spot>> spots_;
  std::vector<Served> told_;
};

}  // namespace

std::unique_ptr<Places> make_places(Loop& loop, std::uint16_t port, Places::FrontOf front_of,
                                    std::function<void()> on_change, PlaceTimes times) {
  return std::make_unique<BoundPlaces>(loop, port, std::move(front_of), std::move(on_change),
                                       times);
}

}  // namespace fairlead::dns
