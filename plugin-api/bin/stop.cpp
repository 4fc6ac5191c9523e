#include "plugin-api/bin/stop.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/process.h"

namespace fairlead {

namespace {

constexpr std::chrono::milliseconds kUntilProgramsAreKilled{2500}, kUntilTheEnd{4500};

void end_in_time(std::shared_ptr<const std::atomic<bool>> served) {
  const auto start = std::chrono::steady_clock::now();
  std::thread([start, served = std::move(served)] {
    std::this_thread::sleep_until(start + kUntilProgramsAreKilled);
    stop_processes();
    std::this_thread::sleep_until(start + kUntilTheEnd);
    log::error("stopped without what was not finished yet");
    ::_exit(*served ? 0 : 1);
  }).detach();
}

}  // namespace

StopSignal::StopSignal() : thread_([this] { receive(); }) {}

StopSignal::~StopSignal() {
  ended_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void StopSignal::receive() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, number);
  for (int number = 0; sigwait(&set, &number) == 0;) {
    if (ended_) return;
    if (number != SIGUSR1) stop();  // that may come from anybody
  }
}

void StopSignal::stop() {
  const std::scoped_lock hold(guard_);
  if (std::exchange(stopping_, true)) return;
  end_in_time(served_);
  if (const auto server = server_.lock()) server->stop();
}

void StopSignal::stops(const std::shared_ptr<http::Server>& server) {
  const std::scoped_lock hold(guard_);
  server_ = server;
  if (stopping_) server->stop();
}

}  // namespace fairlead
