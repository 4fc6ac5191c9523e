#include "network/cluster/peers.h"

#include <thread>

#include "base/log.h"

namespace fairlead::network::cluster {

namespace {

class ThreadedPeers : public Peers {
 public:
  ThreadedPeers(state::Store& shared, PeerOptions options, Clock clock, Apply apply,
                Replace replace)
      : period_(options.snapshots),
        sync_(shared, std::move(options), std::move(clock), std::move(apply), std::move(replace)),
        writer_([this](std::stop_token stop) { write_snapshots(std::move(stop)); }),
        agent_([this](std::stop_token stop) { run(std::move(stop)); }) {}

  ~ThreadedPeers() override {
    agent_.request_stop();
    agent_.join();
    writer_.request_stop();
    writer_.join();
    save();
  }

  Status attach(const PeerNetwork& network) override {
    sync_.attach(network);
    return {};
  }
  void set_local(const SharedEndpoint& endpoint) override { sync_.set_local(endpoint); }
  void drop_local(const std::string& network_id, const std::string& endpoint_id) override {
    sync_.drop_local(network_id, endpoint_id);
  }
  void replace_local(const std::vector<SharedEndpoint>& endpoints) override {
    sync_.replace_local(endpoints);
  }
  void detach(const std::string& network_id) override { sync_.detach(network_id); }
  void refresh(const std::string& network_id) override { sync_.refresh(network_id); }
  std::vector<RemoteEntry> entries(const std::string& network_id) override {
    return sync_.entries(network_id);
  }
  bool complete(const std::string& network_id) override { return sync_.complete(network_id); }
  std::vector<HostInfo> hosts() override { return sync_.hosts(); }
  PeerStatus status() override { return sync_.status(); }

 private:
  void run(std::stop_token stop) {
    while (!stop.stop_requested()) sync_.wait(stop, sync_.step());
  }
  void write_snapshots(std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock hold(mutex);
    while (!stop.stop_requested()) {
      stopped.wait_for(hold, stop, period_, [] { return false; });
      if (!stop.stop_requested()) save();
    }
  }
  void save() {
    if (const auto saved = sync_.save_snapshots(); !saved)
      log::warn("cluster.peers.snapshot", {{"error", saved.error().text}});
  }

  const std::chrono::milliseconds period_;
  PeerSync sync_;
  std::jthread writer_, agent_;
};

}  // namespace

std::unique_ptr<Peers> make_peers(state::Store& shared, PeerOptions options, Clock clock,
                                  Peers::Apply apply, Peers::Replace replace) {
  return std::make_unique<ThreadedPeers>(shared, std::move(options), std::move(clock),
                                         std::move(apply), std::move(replace));
}

}  // namespace fairlead::network::cluster
