// Tells the cluster which networks and endpoints this host has, as the change feed says.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/changes.h"
#include "network/api/cluster.h"
#include "network/api/service.h"

namespace fairlead::network {

struct PublisherParts {
  ChangeFeed& changes;  // of the service's networks and endpoints
  NetworkService& service;
  cluster::Networks& networks;
  cluster::Addresses& addresses;
  cluster::Endpoints& endpoints;
  std::string host_id, boot_id;
  // Called when this host got a network over several hosts, and when it lost one. They run on the
  // publisher's thread.
  std::function<void(const Network&)> on_network;
  std::function<void(const std::string& network_id)> on_network_gone;
  cluster::Peers& peers;  // is told what this host itself has on these networks
};

// Follows the change feed from its construction on, and publishes to the cluster once it is told that
// this host has joined. What fails because the shared store does not answer is tried again each
// second.
class Publisher {
 public:
  explicit Publisher(PublisherParts parts);
  ~Publisher();

  // To be called when the host has joined, or is a member again: everything is compared with the
  // shared store.
  void joined();
  void left();  // nothing is published until joined() is called again

  std::size_t waiting();
  std::vector<std::string> problems();

 private:
  using EndpointKey = std::pair<std::string, std::string>;  // network id, endpoint id

  void run(std::stop_token stop);
  void on_batch(const ChangeBatch& batch);
  Status work(const std::stop_token& stop);
  Status follow_changes();
  bool has_work() const;  // under guard_
  Status look_at_networks();
  Status compare_networks();
  Status forget_strays(const std::map<std::string, NetworkName>& present);
  Status keep_networks();
  Status try_keep_networks();
  Status publish(const EndpointKey& key);
  Status try_publish(const EndpointKey& key);
  Status publish_all();
  void tell(const std::string& what, const Status& status);

  PublisherParts parts_;

  // These belong to the publisher's thread.
  std::map<std::string, NetworkName> networks_;  // by id
  // Ids in `networks_` that the cluster no longer has.
  std::set<std::string> gone_;
  bool looked_ = false;  // all networks have been read once
  std::chrono::steady_clock::time_point compared_{};

  std::mutex guard_;
  std::condition_variable_any changed_;
  bool joined_ = false;
  bool networks_dirty_ = true, kept_ = false, all_dirty_ = false, lost_ = true;
  std::set<EndpointKey> dirty_;
  std::map<std::string, std::string> problems_;  // by the network or endpoint that they concern

  std::unique_ptr<ChangeSubscription> subscription_;
  std::jthread thread_;  // the last member: it stops before the others are destroyed
};

// The id under which the cluster knows an endpoint. It contains the host, because two hosts may
// have containers of the same name, whose endpoints have the same id.
std::string shared_id(const std::string& host_id, const std::string& endpoint_id);

// The endpoint as the other hosts see it; std::nullopt when it is not published, because it is not
// joined or is a record of another boot.
std::optional<cluster::SharedEndpoint> shared_endpoint(const Endpoint& endpoint,
                                                       const std::string& host_id,
                                                       const std::string& boot_id);

}  // namespace fairlead::network
