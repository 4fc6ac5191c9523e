#include "base/state/etcd_watch.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

#include "base/log.h"

namespace fairlead::state::etcd {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{20};  // doubles while no member accepts the watch
constexpr milliseconds kLongestPause{1000};
constexpr int kMissedHeartbeats = 3;
// Without heartbeats the kernel's probes notice a peer that is gone (http_client).
constexpr milliseconds kNoHeartbeats = std::chrono::hours(1);

// Half of it to one and a half: hosts that lost the same member do not come back together.
milliseconds spread(milliseconds pause) {
  thread_local std::minstd_rand numbers{std::random_device{}()};
  return milliseconds(pause.count() / 2 +
                      static_cast<std::int64_t>(numbers()) % (pause.count() + 1));
}

void pause_for(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock hold(mutex);
  never.wait_for(hold, stop, time, [] { return false; });
}

}  // namespace

EtcdWatch::EtcdWatch(std::shared_ptr<Client> client, Options options,
                     std::function<void(const std::vector<Event>&)> on_events)
    : client_(std::move(client)),
      options_(std::move(options)),
      on_events_(std::move(on_events)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void EtcdWatch::run(const std::stop_token& stop) {
  milliseconds pause = kFirstPause;
  for (std::size_t member = client_->current();; member = (member + 1) % client_->members()) {
    is_open_ = false;
    if (follow_member(member, stop) == Next::kOver || stop.stop_requested()) return;
    pause = is_open_ ? kFirstPause : std::min(2 * pause, kLongestPause);
    pause_for(spread(pause), stop);
    if (stop.stop_requested()) return;
  }
}

// Asks for the commit that was reported last once more, and drops it: if etcd is compacted to a
// later one, it refuses, and nothing is missed in silence. (Asking for the next one was rejected:
// a watch that begins at the very revision of a compaction is accepted, and a deletion at it may be
// gone.)
EtcdWatch::Next EtcdWatch::follow_member(std::size_t member, const std::stop_token& stop) {
  const Call call{kWatchPath, encode(WatchRequest{options_.key, options_.range_end,
                                                  std::max<std::int64_t>(1, options_.after)})};
  auto stream = client_->open_stream(member, call, stop);
  if (!stream) {
    failure_ = stream.error().text;
    if (!stop.stop_requested()) note_failure(member);
    return Next::kReconnect;
  }
  const Next next = follow(*stream, stop);
  if (next == Next::kReconnect && !stop.stop_requested()) note_failure(member);
  return next;
}

EtcdWatch::Next EtcdWatch::follow(Client::Stream& stream, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto line = stream.lines->next_line(most_silence());
    if (!line && line.error().code == Code::kExhausted) return lose(line.error().text);
    failure_ = !line ? line.error().text : "the member ended the stream";
    if (!line || !*line) return Next::kReconnect;
    auto parsed = parse_watch_line(**line);
    if (!parsed) {
      failure_ = "the line is not understood: " + parsed.error().text;
      return Next::kReconnect;
    }
    if (const auto* refusal = std::get_if<Refusal>(&*parsed)) {
      failure_ = refusal->text;
      client_->drop_token(stream.token);
      return Next::kReconnect;
    }
    const Next next = take(std::move(std::get<WatchAnswer>(*parsed)), stream.token, stop);
    if (next == Next::kOver || !is_open_) return next;
  }
  return Next::kOver;
}

// `is_open_` is false afterwards when the stream is of no more use.
EtcdWatch::Next EtcdWatch::take(WatchAnswer answer, const std::string& token,
                                const std::stop_token& stop) {
  if (cluster_id_.empty()) cluster_id_ = answer.cluster_id;
  if (!answer.cluster_id.empty() && answer.cluster_id != cluster_id_)
    return lose("the cluster was made anew");
  if (answer.compact_revision > 0)
    return lose(fmt::format("etcd was compacted to revision {}", answer.compact_revision));
  if (answer.canceled) {
    failure_ = "the watch was canceled: " + answer.cancel_reason;
    client_->drop_token(token);
    is_open_ = false;
    return Next::kReconnect;
  }
  is_open_ = true;
  if (is_failing_) log::info("etcd.watch.resumed", {{"key", options_.key}});
  is_failing_ = false;
  if (!answer.events.empty())
    take_events(std::move(answer.events), stop);
  else if (!answer.created)
    take_heartbeat(answer.revision);
  return Next::kReconnect;
}

// One callback for each commit; a message may hold several.
void EtcdWatch::take_events(std::vector<WatchEvent> events, const std::stop_token& stop) {
  for (auto first = events.begin(); first != events.end() && !stop.stop_requested();) {
    const std::int64_t revision = first->record.mod_revision;
    const auto end = std::find_if(first, events.end(), [&](const WatchEvent& event) {
      return event.record.mod_revision != revision;
    });
    if (revision > options_.after) {
      std::vector<Event> commit;
      for (; first != end; ++first) {
        const bool is_put = first->type == WatchEvent::Type::kPut;
        commit.push_back(
            {is_put ? Event::Kind::kPut : Event::Kind::kDelete,
             {first->record.key.substr(std::min(options_.root.size(), first->record.key.size())),
              std::move(first->record.value), revision},
             std::move(first->before)});
      }
      options_.after = revision;
      on_events_(commit);
    }
    first = end;
  }
}

// A heartbeat says that all up to its revision was sent, which keeps an idle watch ahead of
// compactions. Old versions of etcd have said so a little too early: only the heartbeat before this
// one is believed.
void EtcdWatch::take_heartbeat(std::int64_t revision) {
  has_heartbeats_ = true;
  options_.after = std::max(options_.after, last_heartbeat_);
  last_heartbeat_ = revision;
}

EtcdWatch::Next EtcdWatch::lose(std::string_view why) {
  log::warn("etcd.watch.lost", {{"key", options_.key}, {"after", options_.after}, {"why", why}});
  on_events_({{Event::Kind::kLost, {}}});
  return Next::kOver;
}

void EtcdWatch::note_failure(std::size_t member) {
  if (!is_failing_)
    log::warn("etcd.watch.interrupted",
              {{"key", options_.key}, {"endpoint", client_->endpoint(member)}, {"why", failure_}});
  is_failing_ = true;
}

milliseconds EtcdWatch::most_silence() const {
  const milliseconds interval = client_->config().progress_interval;
  return has_heartbeats_ && interval.count() > 0 ? kMissedHeartbeats * interval : kNoHeartbeats;
}

}  // namespace fairlead::state::etcd
