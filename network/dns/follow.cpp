#include "network/dns/follow.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <thread>
#include <tuple>
#include <utility>

#include "base/log.h"

namespace fairlead::dns {

namespace {

using network::Endpoint;
using network::Network;
using network::NetworkId;

// A network, or an endpoint of it.
struct Subject {
  std::string network, endpoint;  // ids; no endpoint: the network itself

  bool operator<(const Subject& other) const {
    return std::tie(network, endpoint) < std::tie(other.network, other.endpoint);
  }
};

// Each once, in the order in which they came.
class Subjects {
 public:
  void add(Subject subject) {
    if (known_.insert(subject).second) order_.push_back(std::move(subject));
  }
  bool empty() const { return order_.empty(); }
  void clear() { *this = {}; }
  std::vector<Subject> take() {
    std::vector<Subject> taken = std::move(order_);
    clear();
    return taken;
  }

 private:
  std::vector<Subject> order_;
  std::set<Subject> known_;
};

bool is_link_local(const IpAddress& address) {
  static const Cidr v4 = *Cidr::parse("169.254.0.0/16"), v6 = *Cidr::parse("fe80::/10");
  return (address.is_v4() ? v4 : v6).contains(address);
}

std::string bridge_of(const Network& network) {
  const auto found = network.links.shown.find("bridge");
  return found == network.links.shown.end() ? "" : found->second;
}

class TheFollower : public Follower {
 public:
  explicit TheFollower(FollowParts parts)
      : parts_(std::move(parts)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

  ~TheFollower() override {
    thread_.request_stop();
    thread_.join();
    subscription_.reset();
  }

 private:
  using Clock = std::chrono::steady_clock;

  // ---- on the subscription's thread

  void on_batch(const ChangeBatch& batch) {
    const std::scoped_lock hold(guard_);
    if (batch.lost) lost_ = true;
    for (const Change& change : batch.changes) note(change);
    if (has_work()) changed_.notify_all();
  }

  void note(const Change& change) {
    if (change.kind == "network") dirty_.add({change.id, ""});
    if (change.kind != "endpoint" && change.kind != "port") return;
    const auto network = change.attributes.find("network");
    if (network != change.attributes.end()) dirty_.add({network->second, change.id});
  }

  // ---- on the follower's thread

  bool has_work() const { return lost_ || !dirty_.empty(); }  // under guard_

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      bool lost = false;
      std::vector<Subject> subjects;
      {
        std::unique_lock hold(guard_);
        wait(hold, stop);
        lost = std::exchange(lost_, false);
        subjects = dirty_.take();
      }
      if (stop.stop_requested()) return;
      if (lost)
        begin(stop);
      else
        look_at(std::move(subjects), stop);
    }
  }

  void wait(std::unique_lock<std::mutex>& hold, const std::stop_token& stop) {
    const auto any = [this] { return has_work(); };
    if (failed_.empty())
      changed_.wait(hold, stop, any);
    else
      changed_.wait_until(hold, stop, retry_at_, any);
  }

  // The feed is followed before what is there is read: what changes in between is read again.
  void begin(const std::stop_token& stop) {
    const Status begun = try_begin();
    if (begun) return;
    log::warn("names.follow", {{"error", begun.error().text}});
    std::unique_lock hold(guard_);
    lost_ = true;
    changed_.wait_for(hold, stop, parts_.retry, [] { return false; });
  }

  Status try_begin() {
    subscription_.reset();
    {
      const std::scoped_lock hold(guard_);
      dirty_.clear();
    }
    TRY(const auto revision, parts_.changes.revision());
    TRY(subscription_,
        parts_.changes.watch(revision, [this](const ChangeBatch& batch) { on_batch(batch); }));
    TRY(const auto networks, parts_.service.list_networks());
    TRY(auto endpoints, parts_.service.list_endpoints(std::nullopt));
    replace_all(networks, std::move(endpoints));
    failed_.clear();
    return {};
  }

  void replace_all(const std::vector<network::NetworkUsage>& networks,
                   std::vector<Endpoint> endpoints) {
    std::vector<Zone> zones;
    std::vector<Host> hosts;
    places_.clear();
    for (const auto& [network, count] : networks)
      if (is_there(network)) {
        zones.push_back(zone_of(network));
        places_[network.id] = places_of(network);
      }
    std::ranges::stable_sort(endpoints, {}, &Endpoint::created);
    for (const Endpoint& endpoint : endpoints)
      if (is_there(endpoint)) hosts.push_back(host_of(endpoint));
    parts_.directory.replace(std::move(zones), std::move(hosts));
    tell_places();
  }

  void look_at(std::vector<Subject> subjects, const std::stop_token& stop) {
    if (!failed_.empty() && Clock::now() >= retry_at_)
      for (Subject& failed : failed_.take()) subjects.push_back(std::move(failed));
    for (const Subject& subject : subjects) {
      if (stop.stop_requested()) return;
      const Status done =
          subject.endpoint.empty() ? look_at_network(subject.network) : look_at_endpoint(subject);
      if (done) continue;
      log::warn("names.follow", {{"network", subject.network},
                                 {"endpoint", subject.endpoint},
                                 {"error", done.error().text}});
      if (failed_.empty()) retry_at_ = Clock::now() + parts_.retry;
      failed_.add(subject);
    }
  }

  Status look_at_network(const std::string& id) {
    const auto network = parts_.service.inspect_network(NetworkId{id});
    if (!network && network.error().code != Code::kNotFound) return status_of(network);
    if (network && is_there(*network)) {
      parts_.directory.put(zone_of(*network));
      places_[id] = places_of(*network);
    } else {
      parts_.directory.remove_zone(id);
      places_.erase(id);
    }
    tell_places();
    return {};
  }

  Status look_at_endpoint(const Subject& subject) {
    const auto endpoint =
        parts_.service.inspect_endpoint({NetworkId{subject.network}, subject.endpoint});
    if (!endpoint && endpoint.error().code != Code::kNotFound) return status_of(endpoint);
    if (endpoint && is_there(*endpoint))
      parts_.directory.put(host_of(*endpoint));
    else
      parts_.directory.remove_host(subject.network, subject.endpoint);
    return {};
  }

  static bool is_there(const Network& network) { return network.phase == network::Phase::kReady; }
  bool is_there(const Endpoint& endpoint) const {
    return is_host(endpoint) && endpoint.boot_id == parts_.boot_id;
  }

  // An address that is the gateway of several networks is served once (Tables::zone_asked).
  void tell_places() {
    std::vector<Place> all;
    std::set<std::pair<IpAddress, std::string>> served;
    for (const auto& [network, places] : places_)
      for (const Place& place : places)
        if (served.insert({place.address, place.interface}).second) all.push_back(place);
    std::ranges::sort(all);
    if (told_ == all) return;
    told_ = all;
    if (parts_.on_places) parts_.on_places(std::move(all));
  }

  FollowParts parts_;

  // These belong to the follower's thread.
  std::map<std::string, std::vector<Place>> places_;  // by network
  std::optional<std::vector<Place>> told_;
  Subjects failed_;
  Clock::time_point retry_at_;

  std::mutex guard_;
  std::condition_variable_any changed_;
  bool lost_ = true;
  Subjects dirty_;

  std::unique_ptr<ChangeSubscription> subscription_;
  std::jthread thread_;  // the last member: it stops before the others are destroyed
};

}  // namespace

std::unique_ptr<Follower> follow(FollowParts parts) {
  return std::make_unique<TheFollower>(std::move(parts));
}

std::vector<Place> places_of(const Network& network) {
  std::vector<Place> places;
  if (!network.options.dns) return places;
  const bool on_bridge = network.options.mode != "routed";
  for (const IpAddress& gateway : zone_of(network).gateways) {
    if (!is_link_local(gateway))
      places.push_back({network.id, gateway});
    else if (on_bridge)
      places.push_back({network.id, gateway, bridge_of(network)});
    else if (gateway.is_v4())
      places.push_back({network.id, gateway});
  }
  return places;
}

}  // namespace fairlead::dns
