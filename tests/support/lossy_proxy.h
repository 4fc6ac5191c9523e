// A TCP proxy on loopback that loses or delays requests or answers on demand.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace fairlead::testing {

class LossyProxy {
 public:
  enum class Mode {
    kPass,
    kLoseRequests,  // reads a request and closes the connection
    kLoseAnswers,   // passes a request on, waits for the answer, and closes the connection
    kHoldRequests,  // closes the connection, and passes the request on once the mode is kPass again
  };
  // `url` is http://127.0.0.1:<port>, the server behind the proxy.
  explicit LossyProxy(const std::string& url);
  ~LossyProxy();

  std::string url() const;
  void set(Mode mode) { mode_ = mode; }
  int lost() const { return lost_; }  // requests and answers
  int late() const { return late_; }  // requests that were held and have been answered since

 private:
  void accept_all(const std::stop_token& stop);
  void serve(const std::stop_token& stop, UniqueFd client);
  void hold(const std::stop_token& stop, UniqueFd client, int upstream);

  int upstream_port_;
  UniqueFd listener_;
  std::atomic<Mode> mode_{Mode::kPass};
  std::atomic<int> lost_{0};
  std::atomic<int> late_{0};
  std::vector<std::jthread> connections_;
  std::jthread acceptor_;  // last, so that it ends before the list of connections is destroyed
};

}  // namespace fairlead::testing
