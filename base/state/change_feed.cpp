#include "base/state/change_feed.h"

#include "base/log.h"

namespace fairlead::state {

void CommitSignal::notify() {
  {
    const std::scoped_lock hold(mutex_);
    ++count_;
  }
  changed_.notify_all();
}

void CommitSignal::wait(std::stop_token stop, std::uint64_t& seen,
                        std::chrono::milliseconds period) {
  std::unique_lock hold(mutex_);
  changed_.wait_for(hold, stop, period, [&] { return count_ != seen; });
  seen = count_;
}

FeedWatch::FeedWatch(Options options, std::shared_ptr<CommitSignal> signal, ReadCommits read,
                     std::function<void(const std::vector<Event>&)> on_events)
    : options_(std::move(options)),
      signal_(std::move(signal)),
      read_(std::move(read)),
      on_events_(std::move(on_events)),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

void FeedWatch::run(std::stop_token stop) {
  std::uint64_t seen = 0;
  bool failing = false;
  while (!stop.stop_requested()) {
    auto commits = read_(options_.after);
    if (commits) {
      if (!deliver(stop, std::move(*commits))) return;
    } else if (!failing) {
      log::error("watch.failed", {{"prefix", options_.prefix}, {"error", commits.error().text}});
    }
    failing = !commits;
    signal_->wait(stop, seen, options_.period);
  }
}

bool FeedWatch::deliver(const std::stop_token& stop, std::vector<CommitEvents> commits) {
  for (CommitEvents& commit : commits) {
    if (stop.stop_requested()) return false;
    if (commit.revision > options_.after + 1) {
      log::warn("watch.lost",
                {{"prefix", options_.prefix}, {"commits", commit.revision - options_.after - 1}});
      on_events_({{Event::Kind::kLost, {}}});
      return false;
    }
    options_.after = commit.revision;
    std::erase_if(commit.events, [&](const Event& event) {
      return !event.record.key.starts_with(options_.prefix);
    });
    if (!commit.events.empty()) on_events_(commit.events);
  }
  return true;
}

}  // namespace fairlead::state
