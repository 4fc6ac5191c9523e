// Asks other servers for what containers' names do not answer: each question once, however many ask it, and of several
// servers the one that is well; and keeps the answers. One thread: the loop's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "base/rate_limit.h"
#include "network/dns/cache.h"
#include "network/dns/exchange.h"
#include "network/dns/loop.h"
#include "network/dns/records.h"
#include "network/dns/upstreams.h"

namespace fairlead::dns {

struct ForwarderLimits {
  // Of questions that wait for an answer. Each client may have as many as are still free, so that one that floods takes
  // half of them, and there is always room for another.
  std::size_t waiting = 2048;
  std::size_t exchanges = 1024;  // sockets; beyond that each question has one, and is not repeated
  CacheLimits cache{};
};

struct ForwarderTimes {
  std::chrono::milliseconds next_server{
      200};  // without an answer, until another one is asked as well
  std::chrono::milliseconds first_repeat{400};  // then twice that, and so on
  std::chrono::milliseconds all{5000};          // until it has failed
};

// Written by the loop's thread, read by any.
struct ForwardCounters {
  std::atomic<std::uint64_t> forwarded = 0, from_cache = 0, failed = 0;
};

class Forwarder {
 public:
  // Called once with an answer to that client, or SERVFAIL; not any more when the forwarder is gone.
  using Answer = std::function<void(Message)>;
  struct Client {
    IpAddress address;
    Transport transport = Transport::kDatagram;
  };

  // `counters` outlives it.
  Forwarder(Loop& loop, ForwardCounters& counters, ForwarderLimits limits = {},
            ForwarderTimes times = {});
  ~Forwarder();

  // The answer, where it is known at once; otherwise `later()` is called now for what gets it later. An answer is complete, or
  // has TC where servers have sent it so over UDP to a client that asked over UDP. What cannot be passed on is refused.
  std::optional<Message> ask(std::span<const std::uint8_t> query,
                             const std::vector<Upstream>& servers, const Client& client,
                             const std::function<Answer()>& later);

  // Our own addresses, which are never asked.
  void set_own(std::set<IpAddress> own) { own_ = std::move(own); }
  std::size_t waiting() const { return waiting_; }
  std::size_t exchanges() const { return exchanges_; }

 private:
  class Job;
  struct Waiter {
    PassedOn query;
    Client client;
    Answer answer;
  };

  bool has_room(const IpAddress& client) const;
  std::vector<Upstream> usable(const std::vector<Upstream>& servers) const;
  void join(const std::string& key, const std::vector<Upstream>& servers, Waiter waiter);
  void answer(Waiter waiter, const Message& message);
  void finish(const std::string& key, Message message);
  void note(UpstreamHealth::Change change, const Upstream& server);

  Loop& loop_;
  const ForwarderLimits limits_;
  const ForwarderTimes times_;
  AnswerCache cache_;
  UpstreamHealth health_;
  std::set<IpAddress> own_;
  std::unordered_map<std::string, std::unique_ptr<Job>> jobs_;  // by what is asked of whom
  std::map<IpAddress, std::size_t> of_client_;                  // how many wait
  std::size_t waiting_ = 0, exchanges_ = 0;
  ForwardCounters& counters_;
  RateLimit log_limit_;
};

}  // namespace fairlead::dns
