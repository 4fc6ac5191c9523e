// Ends the daemon when a signal says so, within five seconds, whatever hangs:
//
//   0 s     the server takes no more requests; those under way go on
//   2.5 s   programs that were started (mkfs, fsck) are killed, and no more are started, so that
//           those who wait for them can undo what they did
//   3.5 s   the requests that are left are answered 503 (http::Limits::stop_time)
//   4.5 s   the process ends, whatever its threads do: with exit code 0 when all requests were
//           answered and only its own work is not done. What its threads were doing is finished or
//           undone by the next start, as after a crash.
#pragma once

#include <signal.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "plugin-api/http/server.h"

namespace fairlead {

// Receives SIGTERM and SIGINT on a thread of its own, from its construction on. They, and SIGUSR1,
// must be blocked on all threads.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // The server that is to be stopped; at once when the signal has come already.
  void stops(const std::shared_ptr<http::Server>& server);
  // All requests were answered.
  void served() { *served_ = true; }

 private:
  void receive();
  void stop();

  std::mutex guard_;
  std::weak_ptr<http::Server> server_;
  bool stopping_ = false;
  // also of the thread that ends the process, which outlives this
  const std::shared_ptr<std::atomic<bool>> served_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace fairlead
