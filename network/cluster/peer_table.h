// Computes on which host each address is: it takes records of hosts and endpoints, and returns
// differences of entries. Pure: it has no thread, store or clock.
//
// Of several endpoints with the same address, or with the same MAC, the one whose record was
// written last counts; all hosts see the same revisions, and so agree. This host's own endpoints
// take part in this comparison, but have no entries. When the endpoint that counts is removed, the
// next one takes its place. An endpoint with a lower epoch than its host is void. A host without a
// heartbeat keeps its entries, since live keys are not considered here.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "network/cluster/records.h"

namespace fairlead::network::cluster {

// An endpoint counts as removed when it is absent from two complete lists that are at least this
// far apart.
inline constexpr std::chrono::seconds kSecondLook{30};

struct ListedEndpoint {
  SharedEndpoint endpoint;  // container and names may be empty
  std::int64_t revision = 0;
};

// Not thread-safe.
class PeerTable {
 public:
  using Time = std::chrono::milliseconds;

  explicit PeerTable(std::string own_host);
  ~PeerTable();
  PeerTable(const PeerTable&) = delete;
  PeerTable& operator=(const PeerTable&) = delete;

  void attach(const std::string& network_id);
  void detach(const std::string& network_id);

  // Events of a watch. A record older than the known one with the same key is ignored, because a
  // watch that begins after a list may repeat what the list contained.
  void set_host(const HostRecord& host, std::int64_t revision);
  void drop_host(const std::string& host_id, std::int64_t revision);
  void set_endpoint(const SharedEndpoint& endpoint, std::int64_t revision);
  void drop_endpoint(const std::string& network_id, const std::string& id, std::int64_t revision);

  // A complete list of a network's endpoints, read at or after `revision`. A known endpoint that is
  // not newer and not in the list is removed when a second list, at least kSecondLook later,
  // confirms it. Returns how many endpoints wait for that.
  std::size_t replace(const std::string& network_id, const std::vector<ListedEndpoint>& listed,
                      std::int64_t revision, Time now);

  // To be called when the store was put back to an earlier state, from which its revisions go on:
  // the next list counts whatever its revisions are. An empty network id: the hosts.
  void rewind(const std::string& network_id);

  // The number of addresses whose entries may have changed since the last confirmed changes.
  std::size_t dirty() const;
  std::size_t dirty(const std::string& network_id) const;
  // The changes of one network, at most `most`; with an empty network id when there are none. The
  // same changes are returned again until they are confirmed.
  PeerChanges changes(std::size_t most);
  void confirm(const PeerChanges& changes);

  // The confirmed ones, in order.
  std::vector<RemoteEntry> entries(const std::string& network_id) const;
  std::vector<ListedEndpoint> endpoints(const std::string& network_id) const;
  std::vector<std::pair<HostRecord, std::int64_t>> hosts() const;
  std::vector<HostInfo> others() const;  // other hosts that were not removed, ordered by id
  std::size_t missing() const;
  std::size_t entry_count() const;

 private:
  struct Host;
  struct Endpoint;
  struct Slot;
  struct Network;

  Host& host(const std::string& id);
  Network* find(const std::string& network_id);
  void remove(Network& network, const std::string& id);
  void touch(Network& network, const Endpoint& endpoint);
  void touch_all(const Host& host);
  static const Endpoint* newest(const std::vector<const Endpoint*>& candidates);
  std::optional<RemoteEntry> wanted(const Network& network, const IpAddress& ip) const;

  const std::string own_host_;
  std::unordered_map<std::string, std::unique_ptr<Host>> hosts_;
  std::unordered_map<std::string, std::unique_ptr<Network>> networks_;
};

}  // namespace fairlead::network::cluster
