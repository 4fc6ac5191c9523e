#include "network/dns/forwarder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "network/dns/message.h"

namespace fairlead::dns {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kMostServers = 8;  // of one question
constexpr std::size_t kMostAttempts = 8;
constexpr std::size_t kLogBurst = 10;
constexpr std::chrono::seconds kLogPeriod{30};

std::string key_of(const Message& question, const std::vector<Upstream>& servers) {
  std::string key(question.begin(), question.end());
  for (const Upstream& server : servers) {
    key.push_back('\n');
    key += server.to_string();
  }
  return key;
}

// The client's query, as far as an answer of ours repeats it.
Message query_of(const PassedOn& query) {
  Message message = query.message;
  readdress(message, query);
  return message;
}

// Whether a server has answered; otherwise another one may know more.
bool is_answer(Rcode rcode) {
  return rcode != Rcode::kServFail && rcode != Rcode::kRefused && rcode != Rcode::kNotImp &&
         rcode != Rcode::kFormErr;
}

bool cannot_read(const Message& answer) {
  const auto rcode = static_cast<Rcode>(answer[3] & 0xf);
  return rcode == Rcode::kFormErr || rcode == Rcode::kNotImp;
}

}  // namespace

// One question, who waits for it, and who was asked.
class Forwarder::Job {
 public:
  Job(Forwarder& owner, std::string key, Message question, std::vector<Upstream> servers)
      : owner_(owner),
        key_(std::move(key)),
        question_(std::move(question)),
        servers_(std::move(servers)),
        deadline_(owner.loop_.now() + owner.times_.all),
        timer_(owner.loop_, [this] { on_time(); }) {}
  ~Job() { end_attempts(); }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  const Message& question() const { return question_; }
  std::vector<Waiter>& waiters() { return waiters_; }

  void start() { ask_next(); }

 private:
  struct Attempt {
    Upstream server;
    Transport transport = Transport::kDatagram;
    Loop::Clock::time_point since{};
    std::unique_ptr<Exchange> exchange{};  // none: it is over
  };

  bool all_asked() const { return asked_ >= servers_.size(); }

  // The next server, or after the last one the first again. May destroy this.
  void ask_next() {
    while (attempts_.size() < kMostAttempts && asked_ < 2 * kMostAttempts) {
      const Upstream& server = servers_[asked_ % servers_.size()];
      ++asked_;
      if (has_socket() && begin(server)) return wait_for_next();
      if (asked_ == servers_.size() && !is_waiting()) break;
    }
    if (!is_waiting()) return fail_now();
    wait_for_next();
  }

  bool has_socket() const {
    return attempts_.empty() || owner_.exchanges_ < owner_.limits_.exchanges;
  }

  bool begin(const Upstream& server) {
    const std::size_t index = attempts_.size();
    auto exchange = start_exchange(
        owner_.loop_, server, transport_, question_,
        [this, index](std::optional<Message> answer) { on_answer(index, std::move(answer)); });
    if (!exchange) return false;
    attempts_.push_back({server, transport_, owner_.loop_.now(), std::move(*exchange)});
    ++owner_.exchanges_;
    return true;
  }

  void end(Attempt& attempt) {
    if (!attempt.exchange) return;
    attempt.exchange.reset();
    --owner_.exchanges_;
  }

  void end_attempts() {
    for (Attempt& attempt : attempts_) end(attempt);
  }

  bool is_waiting() const {
    return std::ranges::any_of(attempts_,
                               [](const Attempt& each) { return each.exchange != nullptr; });
  }

  void wait_for_next() {
    auto rest = owner_.times_.next_server;
    if (all_asked())
      rest = owner_.times_.first_repeat *
             (1 << std::min<std::size_t>(asked_ / servers_.size() - 1, 4));
    const auto slow = std::chrono::duration_cast<std::chrono::milliseconds>(
        2 * owner_.health_.usual_time(attempts_.back().server));
    rest = std::max(rest, std::min(slow, 5 * owner_.times_.next_server));
    timer_.set(std::min(owner_.loop_.now() + rest, deadline_));
  }

  void on_time() {
    if (owner_.loop_.now() >= deadline_) return fail_now();
    if (attempts_.size() >= kMostAttempts) return timer_.set(deadline_);
    ask_next();
  }

  void on_answer(std::size_t index, std::optional<Message> answer) {
    Attempt& attempt = attempts_[index];
    end(attempt);
    const auto shape = answer ? read_shape(*answer) : std::nullopt;
    if (answer && cannot_read(*answer) && drop_edns(question_)) return ask_again(attempt.server);
    if (!shape) {
      owner_.note(owner_.health_.missed(attempt.server, owner_.loop_.now()), attempt.server);
      return go_on();
    }
    owner_.note(owner_.health_.answered(attempt.server, owner_.loop_.now() - attempt.since),
                attempt.server);
    if (!is_answer(shape->rcode)) {
      last_refusal_ = std::move(*answer);
      return go_on();
    }
    if (shape->truncated && attempt.transport == Transport::kDatagram) return on_truncated(*answer);
    blame_silent(attempt.server);
    owner_.finish(key_, std::move(*answer));
  }

  // As a server wants it that does not know EDNS (RFC 6891 section 6.2.2).
  void ask_again(const Upstream& server) {
    asked_ = static_cast<std::size_t>(std::ranges::find(servers_, server) - servers_.begin());
    end_attempts();
    attempts_.clear();
    ask_next();
  }

  // One has failed.
  void go_on() {
    if (!all_asked()) return ask_next();
    if (!is_waiting()) fail_now();
  }

  // Who asked over UDP asks again over TCP; who asked over TCP gets all of it.
  void on_truncated(const Message& answer) {
    if (transport_ == Transport::kStream) return go_on();
    const auto streams = std::stable_partition(
        waiters_.begin(), waiters_.end(),
        [](const Waiter& waiter) { return waiter.client.transport == Transport::kStream; });
    std::vector<Waiter> datagrams(std::make_move_iterator(streams),
                                  std::make_move_iterator(waiters_.end()));
    waiters_.erase(streams, waiters_.end());
    if (waiters_.empty()) {
      waiters_ = std::move(datagrams);
      return owner_.finish(key_, answer);
    }
    end_attempts();
    attempts_.clear();
    asked_ = 0;
    transport_ = Transport::kStream;
    Forwarder& owner = owner_;
    ask_next();  // may be the end of this
    for (Waiter& waiter : datagrams) owner.answer(std::move(waiter), answer);
  }

  // Those that were asked before the one that has answered, and had their time.
  void blame_silent(const Upstream& answered) {
    std::set<Upstream> blamed{answered};
    for (const Attempt& attempt : attempts_)
      if (attempt.exchange && owner_.loop_.now() - attempt.since >= owner_.times_.next_server &&
          blamed.insert(attempt.server).second)
        owner_.note(owner_.health_.missed(attempt.server, owner_.loop_.now()), attempt.server);
  }

  void fail_now() {
    blame_silent({});
    ++owner_.counters_.failed;
    owner_.finish(key_,
                  last_refusal_ ? std::move(*last_refusal_) : failure(question_, Failure::kServer));
  }

  Forwarder& owner_;
  const std::string key_;
  Message question_;
  const std::vector<Upstream> servers_;  // in the order in which they are asked
  const Loop::Clock::time_point deadline_;
  Transport transport_ = Transport::kDatagram;
  std::size_t asked_ = 0;  // how often one was, or was to be
  std::vector<Attempt> attempts_;
  std::optional<Message> last_refusal_;
  std::vector<Waiter> waiters_;
  Loop::Timer timer_;
};

Forwarder::Forwarder(Loop& loop, ForwardCounters& counters, ForwarderLimits limits,
                     ForwarderTimes times)
    : loop_(loop),
      limits_(limits),
      times_(times),
      cache_(limits.cache),
      counters_(counters),
      log_limit_(kLogBurst, kLogPeriod) {}

Forwarder::~Forwarder() = default;

std::optional<Message> Forwarder::ask(Bytes query, const std::vector<Upstream>& servers,
                                      const Client& client, const std::function<Answer()>& later) {
  auto passed = pass_on(query);
  if (!passed) {
    ++counters_.failed;
    const auto said = scan(query);
    return failure(query, said && said->whole ? Failure::kRefused : Failure::kFormat);
  }
  const std::string key = key_of(passed->message, servers);
  if (auto known = cache_.find(key, *passed, loop_.now())) {
    ++counters_.from_cache;
    return known;
  }
  const std::vector<Upstream> asked = usable(servers);
  if (asked.empty() || !has_room(client.address)) {
    ++counters_.failed;
    return failure(query_of(*passed), Failure::kServer);
  }
  ++counters_.forwarded;
  join(key, asked, {std::move(*passed), client, later()});
  return std::nullopt;
}

bool Forwarder::has_room(const IpAddress& client) const {
  const auto found = of_client_.find(client);
  const std::size_t own = found == of_client_.end() ? 0 : found->second;
  return own < limits_.waiting - std::min(waiting_, limits_.waiting);
}

std::vector<Upstream> Forwarder::usable(const std::vector<Upstream>& servers) const {
  std::vector<Upstream> usable;
  for (const Upstream& server : servers)
    if (usable.size() < kMostServers && !own_.contains(server.address)) usable.push_back(server);
  return usable;
}

void Forwarder::join(const std::string& key, const std::vector<Upstream>& servers, Waiter waiter) {
  ++waiting_;
  ++of_client_[waiter.client.address];
  auto& job = jobs_[key];
  if (job) {
    job->waiters().push_back(std::move(waiter));
    return;
  }
  job =
      std::make_unique<Job>(*this, key, waiter.query.message, health_.order(servers, loop_.now()));
  job->waiters().push_back(std::move(waiter));
  job->start();
}

void Forwarder::answer(Waiter waiter, const Message& message) {
  --waiting_;
  if (const auto found = of_client_.find(waiter.client.address); --found->second == 0)
    of_client_.erase(found);
  Message answer = message;
  readdress(answer, waiter.query);
  waiter.answer(std::move(answer));
}

void Forwarder::finish(const std::string& key, Message message) {
  const auto found = jobs_.find(key);
  const std::unique_ptr<Job> job = std::move(found->second);
  jobs_.erase(found);
  cache_.keep(std::string(key), message, loop_.now());
  for (Waiter& waiter : job->waiters()) answer(std::move(waiter), message);
}

void Forwarder::note(UpstreamHealth::Change change, const Upstream& server) {
  if (change == UpstreamHealth::Change::kNone || !log_limit_.admit(loop_.now())) return;
  if (change == UpstreamHealth::Change::kSilent)
    log::warn("name server does not answer", {{"server", server.to_string()}});
  else
    log::info("name server answers again", {{"server", server.to_string()}});
}

}  // namespace fairlead::dns
