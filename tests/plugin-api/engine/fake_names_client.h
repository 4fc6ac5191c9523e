// A dockerd in memory.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>

#include "plugin-api/engine/names_client.h"

namespace fairlead::engine {

// What the fake says, shared between a test and the client that a watch owns.
class FakeDocker {
 public:
  void add(network::RuntimeNetwork network) {
    const std::scoped_lock hold(guard_);
    networks_.push_back(std::move(network));
  }
  void add(network::NamedEndpoint endpoint) {
    const std::scoped_lock hold(guard_);
    endpoints_.push_back(std::move(endpoint));
  }
  void rename(const std::string& container, const std::string& name) {
    const std::scoped_lock hold(guard_);
    for (auto& endpoint : endpoints_)
      if (endpoint.container == container) endpoint.names.name = name;
  }
  void tell(NameEvent event) {
    {
      const std::scoped_lock hold(guard_);
      events_.push_back(std::move(event));
    }
    wake_.notify_all();
  }
  // Refuses connections and ends the present one.
  void go_away() { set_running(false); }
  void come_back() { set_running(true); }
  // Answers nothing but errors, though it listens.
  void set_broken(bool broken) {
    const std::scoped_lock hold(guard_);
    broken_ = broken;
  }
  unsigned connections() {
    const std::scoped_lock hold(guard_);
    return connections_;
  }
  unsigned questions() {
    const std::scoped_lock hold(guard_);
    return questions_;
  }

 private:
  friend class FakeNamesClient;
  void set_running(bool running) {
    {
      const std::scoped_lock hold(guard_);
      running_ = running;
    }
    wake_.notify_all();
  }

  std::mutex guard_;
  std::condition_variable_any wake_;
  std::vector<network::RuntimeNetwork> networks_;
  std::vector<network::NamedEndpoint> endpoints_;
  std::deque<NameEvent> events_;
  bool running_ = true, broken_ = false;
  unsigned connections_ = 0, questions_ = 0;
};

class FakeNamesClient : public NamesClient {
 public:
  explicit FakeNamesClient(FakeDocker& docker) : docker_(docker) {}

  Result<std::vector<network::RuntimeNetwork>> networks(const std::string& id,
                                                        std::stop_token) override {
    const std::scoped_lock hold(docker_.guard_);
    TRY_STATUS(answers());
    auto found = docker_.networks_;
    std::erase_if(found, [&](const auto& network) { return !id.empty() && network.id != id; });
    return found;
  }
  Result<std::vector<std::string>> containers(std::stop_token) override {
    const std::scoped_lock hold(docker_.guard_);
    TRY_STATUS(answers());
    std::set<std::string> found;
    for (const auto& endpoint : docker_.endpoints_) found.insert(endpoint.container);
    return std::vector<std::string>(found.begin(), found.end());
  }
  Result<std::vector<network::NamedEndpoint>> endpoints(const std::string& container,
                                                        std::stop_token) override {
    const std::scoped_lock hold(docker_.guard_);
    TRY_STATUS(answers());
    auto found = docker_.endpoints_;
    std::erase_if(found, [&](const auto& endpoint) { return endpoint.container != container; });
    return found;
  }
  Status follow(std::stop_token stop, const std::function<void()>& on_ready,
                const std::function<void(const NameEvent&)>& on_event) override {
    std::unique_lock hold(docker_.guard_);
    ++docker_.connections_;
    if (!docker_.running_) return fail(Code::kUnavailable, "nobody listens");
    hold.unlock();
    on_ready();
    hold.lock();
    while (docker_.running_ && !stop.stop_requested()) {
      if (docker_.events_.empty()) {
        docker_.wake_.wait(hold, stop,
                           [&] { return !docker_.events_.empty() || !docker_.running_; });
        continue;
      }
      const NameEvent event = docker_.events_.front();
      docker_.events_.pop_front();
      hold.unlock();
      on_event(event);
      hold.lock();
    }
    return {};
  }

 private:
  Status answers() {
    ++docker_.questions_;
    if (docker_.broken_) return fail(Code::kIo, "broken");
    return docker_.running_ ? Status() : fail(Code::kUnavailable, "nobody listens");
  }
  FakeDocker& docker_;
};

}  // namespace fairlead::engine
