#include "plugin-api/engine/names_watch.h"

#include <algorithm>

#include "base/log.h"

namespace fairlead::engine {

// ---- NamesDue

void NamesDue::add(const NameEvent& event, Clock::time_point now) {
  if (networks_.size() + containers_.size() >= kMost) return add_all(now);
  if (!event.container.empty())
    containers_[event.container] = {{.network = event.network, .looks = 0}, now};
  else if (!event.network.empty())
    networks_.insert(event.network);
}

void NamesDue::add_all(Clock::time_point due) {
  networks_.clear();
  containers_.clear();
  all_ = all_ ? std::min(*all_, due) : due;
}

void NamesDue::again(const std::string& container, Look look, Clock::time_point due) {
  if (++look.looks >= kMostLooks || containers_.size() >= kMost) return;
  containers_.try_emplace(container, Waiting{std::move(look), due});  // a newer event goes first
}

std::optional<NamesDue::Clock::time_point> NamesDue::due() const {
  if (!networks_.empty()) return Clock::time_point{};
  std::optional<Clock::time_point> first = all_;
  for (const auto& [id, waiting] : containers_)
    if (!first || waiting.due < *first) first = waiting.due;
  return first;
}

NamesDue::Work NamesDue::take(Clock::time_point now) {
  Work work;
  if (all_ && *all_ <= now) {
    all_.reset();
    work.all = true;
  }
  work.networks = std::exchange(networks_, {});
  std::erase_if(containers_, [&](auto& entry) {
    if (entry.second.due > now) return false;
    work.containers.emplace(entry.first, std::move(entry.second.look));
    return true;
  });
  return work;
}

// ---- NamesWatch

NamesWatch::NamesWatch(std::unique_ptr<NamesClient> client, network::NameService& names,
                       std::function<bool()> docker_runs, WatchTimes times)
    : client_(std::move(client)),
      names_(names),
      docker_runs_(std::move(docker_runs)),
      times_(times),
      listener_([this](const std::stop_token& stop) { listen(stop); }),
      worker_([this](const std::stop_token& stop) { look_up(stop); }) {}

NamesWatch::~NamesWatch() {
  listener_.request_stop();
  worker_.request_stop();
  listener_.join();
  worker_.join();
}

void NamesWatch::wake() {
  if (connected_.load(std::memory_order_relaxed)) return;
  {
    const std::scoped_lock hold(guard_);
    awake_until_ = Clock::now() + times_.awake;
    woken_ = true;
  }
  wake_.notify_all();
}

bool NamesWatch::may_connect() {
  {
    const std::scoped_lock hold(guard_);
    if (Clock::now() < awake_until_) return true;
  }
  return docker_runs_();
}

// Returns when the pause is over, or earlier when Docker calls.
void NamesWatch::await_docker(const std::stop_token& stop, std::chrono::milliseconds pause) {
  std::unique_lock hold(guard_);
  wake_.wait_for(hold, stop, pause, [&] { return woken_; });
  woken_ = false;
}

void NamesWatch::connected(bool is) {
  if (connected_.exchange(is) == is) return;
  names_.expect(is);
  if (is)
    log::info("dockerd tells the names of its networks and containers");
  else
    log::info("dockerd is away: its last known names are shown");
}

void NamesWatch::listen(const std::stop_token& stop) {
  auto pause = times_.first_pause;
  while (!stop.stop_requested()) {
    if (may_connect()) {
      const Status ended = client_->follow(
          stop,
          [&] {
            pause = times_.first_pause;
            connected(true);
            {
              const std::scoped_lock hold(guard_);
              due_.add_all(Clock::now());
            }
            wake_.notify_all();
          },
          [&](const NameEvent& event) {
            {
              const std::scoped_lock hold(guard_);
              due_.add(event, Clock::now());
            }
            wake_.notify_all();
          });
      if (!ended) log::debug("follow dockerd's events", {{"error", ended.error().text}});
      connected(false);
    }
    await_docker(stop, pause);
    pause = std::min(2 * pause, times_.longest_pause);
  }
}

Status NamesWatch::keep_all(const std::stop_token& stop) {
  TRY(const auto networks, client_->networks("", stop));
  TRY_STATUS(names_.keep(networks));
  TRY(const auto containers, client_->containers(stop));
  for (const std::string& container : containers) {
    TRY(const auto endpoints, client_->endpoints(container, stop));
    TRY_STATUS(names_.keep(endpoints));
  }
  return {};
}

// dockerd shows the endpoint of a container that is connected while it runs a moment after the
// event.
Status NamesWatch::look_at(const std::string& container, NamesDue::Look look,
                           const std::stop_token& stop) {
  TRY(const auto endpoints, client_->endpoints(container, stop));
  TRY_STATUS(names_.keep(endpoints));
  const bool there =
      look.network.empty() || std::ranges::any_of(endpoints, [&](const auto& endpoint) {
        return endpoint.network == look.network;
      });
  if (there) return {};
  const auto pause = times_.second_look * (1U << look.looks);
  const std::scoped_lock hold(guard_);
  due_.again(container, std::move(look), Clock::now() + pause);
  return {};
}

Status NamesWatch::work_off(const NamesDue::Work& work, const std::stop_token& stop) {
  if (work.all) TRY_STATUS(keep_all(stop));
  for (const std::string& id : work.networks) {
    TRY(const auto networks, client_->networks(id, stop));
    TRY_STATUS(names_.keep(networks));
  }
  for (const auto& [id, look] : work.containers) TRY_STATUS(look_at(id, look, stop));
  return {};
}

void NamesWatch::look_up(const std::stop_token& stop) {
  auto pause = times_.first_pause;
  std::unique_lock hold(guard_);
  while (!stop.stop_requested()) {
    const auto due = due_.due();
    const auto is_news = [&] { return due_.due() != due; };
    if (!due || *due > Clock::now()) {
      if (due)
        wake_.wait_until(hold, stop, *due, is_news);
      else
        wake_.wait(hold, stop, is_news);
      continue;
    }
    const auto work = due_.take(Clock::now());
    hold.unlock();
    const Status done = work_off(work, stop);
    if (!done) log::debug("ask dockerd for names", {{"error", done.error().text}});
    hold.lock();
    pause = done ? times_.first_pause : std::min(2 * pause, times_.longest_pause);
    if (!done && connected_) due_.add_all(Clock::now() + pause);
  }
}

}  // namespace fairlead::engine
