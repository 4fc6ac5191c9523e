#include "plugin-api/engine/restarts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/log.h"

namespace fairlead::engine {

namespace {

constexpr std::chrono::seconds kUntilDockerdAnswers{1};
// After the first look that dockerd answered. It tries 15 s for each volume and network of a
// container, and goes on to the next container meanwhile.
constexpr std::array<std::chrono::seconds, 6> kLooks{
    {std::chrono::seconds(3), std::chrono::seconds(7), std::chrono::seconds(15),
     std::chrono::seconds(30), std::chrono::seconds(60), std::chrono::seconds(120)}};

constexpr std::string_view kStuck = "already exists in network";
constexpr const char* kNoOther = "cannot join network of a non running container: ";

bool is_to_run(const StoppedContainer& container) {
  const bool stopped = container.status == "exited" || container.status == "created";
  const std::string& policy = container.restart_policy;
  return stopped && (policy == "always" || policy == "unless-stopped");
}

}  // namespace

// As moby names a plugin in errors (pkg/plugins, libnetwork): `plugin "fairlead" not found`, or its
// socket, as a path or in a URL. The names of users' objects are not looked for.
bool is_given_up(const StoppedContainer& container, std::string_view plugin) {
  const std::string& error = container.error;
  const auto names = [&](const std::string& form) { return error.find(form) != std::string::npos; };
  return is_to_run(container) &&
         (names(fmt::format("plugin \"{}\"", plugin)) ||
          names(fmt::format("driver \"{}\"", plugin)) || names(fmt::format("/{}.sock", plugin)) ||
          names(fmt::format("%2F{}.sock", plugin)));
}

// In the network namespace of another container (compose's `network_mode: service:...`), which was
// not there: moby's "cannot join network of a non running container: ID".
bool waits_for(const StoppedContainer& container, const std::set<std::string>& started) {
  return is_to_run(container) && std::ranges::any_of(started, [&](const std::string& id) {
           return container.error.find(kNoOther + id) != std::string::npos;
         });
}

Result<std::size_t> Restarter::start_given_up(std::stop_token stop) {
  TRY(const auto ids, engine_.stopped(stop));
  std::vector<StoppedContainer> others;
  std::set<std::string> started;
  for (const std::string& id : ids) {
    if (stop.stop_requested()) break;
    auto container = engine_.inspect(id, stop);
    if (!container && container.error().code == Code::kNotFound) continue;
    if (!container) return fail(container.error());
    if (!is_given_up(*container, plugin_))
      others.push_back(std::move(*container));
    else if (start(*container, stop))
      started.insert(id);
  }
  const std::set<std::string> first = started;
  for (const StoppedContainer& container : others)
    if (waits_for(container, first) && start(container, stop)) started.insert(container.id);
  return started.size();
}

bool Restarter::start(const StoppedContainer& container, const std::stop_token& stop) {
  const Status done = engine_.start(container.id, stop);
  if (done) {
    log::info("started a container that Docker gave up on",
              {{"container", container.name}, {"cause", container.error}});
    failed_.erase(container.id);
    return true;
  }
  if (stop.stop_requested() || done.error().code == Code::kNotFound) return false;
  std::string& said = failed_[container.id];
  if (said == done.error().text) return false;
  said = done.error().text;
  const bool stuck = said.find(kStuck) != std::string::npos;
  log::warn("cannot start a container that Docker gave up on",
            {{"container", container.name},
             {"error", said},
             {"hint", stuck ? "dockerd keeps an endpoint that is gone: docker network disconnect "
                              "-f NETWORK " +
                                  container.name + ", then start it"
                            : "docker start " + container.name}});
  return false;
}

Restarts::Restarts(std::unique_ptr<Engine> engine, std::string plugin)
    : engine_(std::move(engine)),
      restarter_(*engine_, std::move(plugin)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Restarts::~Restarts() {
  thread_.request_stop();
  thread_.join();
}

void Restarts::pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::unique_lock hold(guard_);
  wake_.wait_for(hold, stop, time, [] { return false; });
}

void Restarts::run(const std::stop_token& stop) {
  std::size_t answered = 0;
  std::string said;
  while (!stop.stop_requested() && answered <= kLooks.size()) {
    const auto started = restarter_.start_given_up(stop);
    if (started) {
      if (answered < kLooks.size()) pause(stop, kLooks[answered]);
      ++answered;
      continue;
    }
    const bool away = started.error().code == Code::kUnavailable || stop.stop_requested();
    if (!away && std::exchange(said, started.error().text) != started.error().text)
      log::warn("look for containers that Docker gave up on", {{"error", started.error().text}});
    pause(stop, kUntilDockerdAnswers);
  }
}

}  // namespace fairlead::engine
