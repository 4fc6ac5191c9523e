// Starts the containers that Docker gave up on while Fairlead was away. dockerd asks a plugin that
// does not answer for 15 seconds; the containers whose start failed with that are not tried again,
// whatever their restart policy is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "plugin-api/engine/engine_client.h"

namespace fairlead::engine {

// Whether its last start failed because this plugin did not answer, and it is to run always. One that
// somebody has stopped has run before, and has no such error.
bool is_given_up(const StoppedContainer& container, std::string_view plugin);

// Whether it was to share the network of one of these containers, which was not running.
bool waits_for(const StoppedContainer& container, const std::set<std::string>& started);

// Looks over all containers once. kUnavailable while dockerd does not answer.
class Restarter {
 public:
  // `plugin`: the name by which Docker knows it.
  Restarter(Engine& engine, std::string plugin) : engine_(engine), plugin_(std::move(plugin)) {}

  // Returns how many were started. What cannot be started is logged once for each cause.
  Result<std::size_t> start_given_up(std::stop_token stop);

 private:
  bool start(const StoppedContainer& container, const std::stop_token& stop);

  Engine& engine_;
  const std::string plugin_;
  std::map<std::string, std::string> failed_;  // by the container's id: what dockerd said
};

// Does so on a thread of its own: when dockerd answers for the first time, and some times more within
// the next minutes, because dockerd may still be waiting for a plugin then. Ends when destroyed.
class Restarts {
 public:
  Restarts(std::unique_ptr<Engine> engine, std::string plugin);
  ~Restarts();
  Restarts(const Restarts&) = delete;
  Restarts& operator=(const Restarts&) = delete;

 private:
  void run(const std::stop_token& stop);
  void pause(const std::stop_token& stop, std::chrono::milliseconds time);

  std::unique_ptr<Engine> engine_;
  Restarter restarter_;
  std::mutex guard_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace fairlead::engine
