#include "network/dns/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "network/dns/forwarder.h"
#include "network/dns/front.h"
#include "network/dns/host_servers.h"
#include "network/dns/message.h"
#include "network/dns/places.h"

namespace fairlead::dns {

namespace {

constexpr std::size_t kMostStream = 65'535;  // bytes of a message over TCP (RFC 1035 section 4.2.2)
constexpr std::size_t kLeastDatagram = 512;  // what every client takes

struct Counters {
  std::atomic<std::uint64_t> queries = 0, answered = 0, ignored = 0;
  ForwardCounters forwards;
};

void count(std::atomic<std::uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

// Descriptors are for the rest of the daemon too.
ForwarderLimits limits_here() {
  ForwarderLimits limits;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return limits;
  limits.waiting = std::min<std::size_t>(limits.waiting, files.rlim_cur / 4);
  limits.exchanges = std::min<std::size_t>(limits.exchanges, files.rlim_cur / 8);
  return limits;
}

// What the thread of the server has; made and ended there.
class Parts {
 public:
  using OnServed = std::function<void(const std::vector<Served>&)>;
  using OnUpstreams = std::function<void(const std::vector<IpAddress>&)>;

  Parts(Loop& loop, Responder& responder, const ServerOptions& options, Counters& counters,
        OnServed on_served, OnUpstreams on_upstreams)
      : responder_(responder),
        counters_(counters),
        on_upstreams_(std::move(on_upstreams)),
        forwarder_(loop, counters.forwards, limits_here()),
        places_(make_places(
            loop, options.port,
            [this](const std::string& network) {
              return std::make_unique<AtPlace>(*this, network);
            },
            [this, on_served = std::move(on_served)] { on_served(places_->served()); })),
        host_(watch_host_servers(
            loop, options.resolv_conf, options.resolved_conf,
            [this](const std::vector<HostServer>& servers) { set_host_servers(servers); })) {}

  void serve(std::vector<Place> places) {
    own_.clear();
    for (const Place& place : places) own_.insert(place.address);
    forwarder_.set_own(own_);
    tell_upstreams();
    places_->serve(std::move(places));
  }

 private:
  class AtPlace final : public Front {
   public:
    AtPlace(Parts& parts, const std::string& network) : parts_(parts), network_(network) {}
    std::optional<Message> ask(const Asked& asked, const std::function<Answer()>& later) override {
      return parts_.ask(asked, network_, later);
    }

   private:
    Parts& parts_;
    const std::string& network_;
  };

  std::optional<Message> ask(const Asked& asked, const std::string& network,
                             const std::function<Front::Answer()>& later) {
    count(counters_.queries);
    Reply reply = responder_.answer({asked.message, asked.client, network});
    if (auto* answer = std::get_if<Message>(&reply)) {
      count(counters_.answered);
      return fitting(std::move(*answer), asked);
    }
    if (const auto* forward = std::get_if<Forward>(&reply))
      return pass_on(asked, forward->servers, later);
    count(counters_.ignored);
    return std::nullopt;
  }

  std::optional<Message> pass_on(const Asked& asked, const std::vector<IpAddress>& servers,
                                 const std::function<Front::Answer()>& later) {
    auto answer =
        forwarder_.ask(asked.message, servers.empty() ? host_servers_ : upstreams_of(servers),
                       {asked.client, asked.transport}, [&]() -> Forwarder::Answer {
                         return [limit = limit_of(asked), answer_to = later()](Message message) {
                           message = shortened(std::move(message), limit);
                           if (!message.empty()) answer_to(std::move(message));
                         };
                       });
    if (!answer) return std::nullopt;
    return fitting(std::move(*answer), asked);
  }

  static std::size_t limit_of(const Asked& asked) {
    return asked.transport == Transport::kStream ? kMostStream : udp_limit(asked.message);
  }

  static std::optional<Message> fitting(Message answer, const Asked& asked) {
    if (answer.size() > kLeastDatagram) answer = shortened(std::move(answer), limit_of(asked));
    if (answer.empty()) return std::nullopt;
    return answer;
  }

  static std::vector<Upstream> upstreams_of(const std::vector<IpAddress>& servers) {
    std::vector<Upstream> upstreams;
    for (const IpAddress& server : servers) upstreams.push_back({.address = server});
    return upstreams;
  }

  void set_host_servers(const std::vector<HostServer>& servers) {
    host_servers_.clear();
    for (const HostServer& server : servers)
      host_servers_.push_back({.address = server.address, .zone = server.zone});
    tell_upstreams();
  }

  // Those that are asked: our own addresses are not.
  void tell_upstreams() {
    std::vector<IpAddress> asked;
    for (const Upstream& server : host_servers_)
      if (!own_.contains(server.address)) asked.push_back(server.address);
    if (asked == told_) return;
    told_ = asked;
    on_upstreams_(asked);
  }

  Responder& responder_;
  Counters& counters_;
  const OnUpstreams on_upstreams_;
  std::set<IpAddress> own_;
  std::vector<Upstream> host_servers_;
  std::vector<IpAddress> told_;
  Forwarder forwarder_;
  std::unique_ptr<Places> places_;
  std::unique_ptr<HostServers> host_;
};

class LoopServer final : public Server {
 public:
  LoopServer(std::unique_ptr<Loop> loop, Responder& responder, ServerOptions options,
             ServerEvents events)
      : loop_(std::move(loop)), events_(std::move(events)) {
    thread_ = std::thread([this, &responder, options = std::move(options)] {
      Parts parts(
          *loop_, responder, options, counters_,
          [this](const std::vector<Served>& served) { keep(served, served_, events_.on_served); },
          [this](const std::vector<IpAddress>& upstreams) {
            keep(upstreams, upstreams_, events_.on_upstreams);
          });
      parts_ = &parts;
      loop_->run();
    });
  }

  ~LoopServer() override {
    loop_->stop();
    thread_.join();
  }

  void serve(std::vector<Place> places) override {
    loop_->post([this, wanted = std::move(places)]() mutable { parts_->serve(std::move(wanted)); });
  }

  std::vector<Served> served() const override {
    const std::scoped_lock lock(mutex_);
    return served_;
  }

  std::vector<IpAddress> upstreams() const override {
    const std::scoped_lock lock(mutex_);
    return upstreams_;
  }

  ServerCounters counters() const override {
    return {.queries = counters_.queries,
            .answered = counters_.answered,
            .forwarded = counters_.forwards.forwarded,
            .from_cache = counters_.forwards.from_cache,
            .failed = counters_.forwards.failed,
            .ignored = counters_.ignored};
  }

 private:
  template <class Value>
  void keep(const Value& value, Value& into, const std::function<void(const Value&)>& tell) {
    {
      const std::scoped_lock lock(mutex_);
      into = value;
    }
    if (tell) tell(value);
  }

  const std::unique_ptr<Loop> loop_;
  const ServerEvents events_;
  Counters counters_;
  Parts* parts_ = nullptr;  // the thread's, for what is posted to it
  mutable std::mutex mutex_;
  std::vector<Served> served_;
  std::vector<IpAddress> upstreams_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Server>> start_server(Responder& responder, ServerOptions options,
                                             ServerEvents events) {
  TRY(auto loop, Loop::make());
  return std::make_unique<LoopServer>(std::move(loop), responder, std::move(options),
                                      std::move(events));
}

}  // namespace fairlead::dns
