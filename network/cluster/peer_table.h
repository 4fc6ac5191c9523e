// Which address is behind which host: records of hosts and endpoints in, differences of entries
// out. Pure: no thread, no store, no clock of its own.
//
// Of several endpoints with the same address the one whose record was written last counts, and of
// several with the same MAC likewise; all hosts see the same revisions and agree. What this host
// has itself takes part and yields no entry. When the winner goes, the next one is back. An
// endpoint of a lower epoch than its host's is void. A host that is not heard of keeps its entries:
// live keys are not looked at here.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "network/cluster/records.h"

namespace fairlead::network::cluster {

// Seen absent from two complete lists at least this far apart: then it is believed.
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

  // What a watch says. A record older than what is known of its key is ignored: after a list the
  // watch may repeat what the list has already.
  void set_host(const HostRecord& host, std::int64_t revision);
  void drop_host(const std::string& host_id, std::int64_t revision);
  void set_endpoint(const SharedEndpoint& endpoint, std::int64_t revision);
  void drop_endpoint(const std::string& network_id, const std::string& id, std::int64_t revision);

  // A complete list of a network's endpoints, taken at or after `revision`. What is known, is older
  // and is not in it goes at the second look. Returns how many wait for that.
  std::size_t replace(const std::string& network_id, const std::vector<ListedEndpoint>& listed,
                      std::int64_t revision, Time now);

  // The store was put back to an earlier state, and its revisions begin again from there: whatever
  // the next list says counts. An empty network id: the hosts.
  void rewind(const std::string& network_id);

  // How many addresses may have changed since they were taken.
  std::size_t dirty() const;
  std::size_t dirty(const std::string& network_id) const;
  // The changes of one network, at most `most`; an empty network id: there are none. They come
  // again until they are confirmed.
  PeerChanges changes(std::size_t most);
  void confirm(const PeerChanges& changes);

  std::vector<RemoteEntry> entries(const std::string& network_id) const;  // as confirmed, in order
  std::vector<ListedEndpoint> endpoints(const std::string& network_id) const;
  std::vector<std::pair<HostRecord, std::int64_t>> hosts() const;
  std::vector<HostInfo> others() const;  // hosts that were not removed, ordered by id
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
