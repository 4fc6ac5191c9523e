// Tells the cluster what the local store says: which networks this host has, and which endpoints.
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

#include "base/state/store.h"
#include "network/api/cluster.h"
#include "network/api/service.h"

namespace fairlead::network {

struct PublisherParts {
  state::Store& local;
  NetworkService& service;
  cluster::Networks& networks;
  cluster::Addresses& addresses;
  cluster::Endpoints& endpoints;
  std::string host_id, boot_id;
  // A network over several hosts came to this host, or went. From the publisher's thread.
  std::function<void(const Network&)> on_network;
  std::function<void(const std::string& network_id)> on_network_gone;
};

// Starts at once to look at the local store, and to talk to the cluster when told that this host
// has joined. What fails because nobody answers is done again each second.
class Publisher {
 public:
  explicit Publisher(PublisherParts parts);
  ~Publisher();

  // The host has joined, or has come back: everything is compared.
  void joined();
  void left();  // until it has joined again, nothing is told

  std::size_t waiting();
  std::vector<std::string> problems();

 private:
  using EndpointKey = std::pair<std::string, std::string>;  // network id, endpoint id

  void run(std::stop_token stop);
  void on_events(const std::vector<state::Event>& events);
  Status work(const std::stop_token& stop);
  Status watch_local();
  bool has_work() const;  // under guard_
  Status look_at_networks();
  Status compare_networks();
  Status forget_strays(const std::map<std::string, NetworkName>& present);
  Status keep_networks();
  Status publish(const EndpointKey& key);
  Status try_publish(const EndpointKey& key);
  Status publish_all();
  void tell(const std::string& what, const Status& status);

  PublisherParts parts_;

  // The publisher's thread's own.
  std::map<std::string, NetworkName> networks_;  // by id
  std::set<std::string> gone_;                   // of these, from the cluster
  bool looked_ = false;                          // at all of them, once
  std::chrono::steady_clock::time_point compared_{};

  std::mutex guard_;
  std::condition_variable_any changed_;
  bool joined_ = false;
  bool networks_dirty_ = true, kept_ = false, all_dirty_ = false, lost_ = true;
  std::set<EndpointKey> dirty_;
  std::map<std::string, std::string> problems_;  // by what they are about

  std::vector<std::unique_ptr<state::Watch>> watches_;
  std::jthread thread_;  // last: it stops before the rest goes away
};

// The id under which the cluster knows an endpoint of a host: two hosts may have containers of one
// name, and then their endpoints have one id.
std::string shared_id(const std::string& host_id, const std::string& endpoint_id);

// An endpoint as the other hosts see it; nothing when they have no business with it: it is not
// joined, or of another boot.
std::optional<cluster::SharedEndpoint> shared_endpoint(const Endpoint& endpoint,
                                                       const std::string& host_id,
                                                       const std::string& boot_id);

}  // namespace fairlead::network
