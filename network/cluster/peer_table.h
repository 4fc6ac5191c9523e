// Computes on which host each address is: it takes records of hosts, claims and endpoints, and
// returns differences of entries. Pure: it has no thread, store or clock.
//
// A host is believed about endpoints with addresses that it owns by its blocks and claims
// (address_claims.h), about itself (host_trust.h), and about nothing else. An address outside of
// the subnets, a gateway's or reserved one, and addresses and MACs that this host itself uses on the
// network are refused whoever says so. refusals() names what is refused.
//
// A MAC belongs to the host with the address that it is derived from; any other to the host that
// has had it for the longest time. Of several endpoints of one host with the same address or MAC,
// the one whose record was written last counts. When the endpoint that counts is removed, the next
// one takes its place. An endpoint with a lower epoch than its host is void. A host without a
// heartbeat keeps its entries, since live keys are not considered here. What the shared store says
// of this host's endpoints is not used: this host knows them itself.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "network/cluster/address_claims.h"
#include "network/cluster/host_trust.h"

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

  explicit PeerTable(HostInfo own);
  ~PeerTable();
  PeerTable(const PeerTable&) = delete;
  PeerTable& operator=(const PeerTable&) = delete;

  void attach(const PeerNetwork& network);  // again: nothing happens
  void detach(const std::string& network_id);

  // What this host itself has on its networks.
  void set_local(const SharedEndpoint& endpoint);
  void drop_local(const std::string& network_id, const std::string& id);
  void replace_local(const std::vector<SharedEndpoint>& endpoints);  // of all networks

  // Events of a watch. A record older than the known one with the same key is ignored, because a
  // watch that begins after a list may repeat what the list contained.
  void set_host(const HostRecord& host, std::int64_t revision);
  void drop_host(const std::string& host_id, std::int64_t revision);
  void set_endpoint(const SharedEndpoint& endpoint, std::int64_t revision);
  void drop_endpoint(const std::string& network_id, const std::string& id, std::int64_t revision);
  void set_claim(const std::string& network_id, const ListedClaim& claim);
  void drop_claim(const std::string& network_id, bool is_block, const IpAddress& first,
                  std::int64_t revision);

  struct Listed {
    std::vector<ListedEndpoint> endpoints;
    std::vector<ListedClaim> claims;
    std::int64_t revision = 0;
    // Whether a watch has told of every change up to then.
    AddressClaims::Seen seen = AddressClaims::Seen::kTheLastOne;
  };
  // A complete list of a network's endpoints and claims, read at or after its revision. What is
  // known, not newer and not in the list is removed when a second list, at least kSecondLook later,
  // confirms it. Returns how many wait for that.
  std::size_t replace(const std::string& network_id, const Listed& listed, Time now);

  // To be called when the store was put back to an earlier state, from which its revisions go on:
  // the next list counts whatever its revisions are. An empty network id: the hosts.
  void rewind(const std::string& network_id);

  // The number of addresses whose entries may have changed since the last confirmed changes.
  std::size_t dirty();
  std::size_t dirty(const std::string& network_id);
  // The changes of one network, at most `most`; with an empty network id when there are none. The
  // same changes are returned again until they are confirmed.
  PeerChanges changes(std::size_t most);
  void confirm(const PeerChanges& changes);

  // The confirmed ones, in order.
  std::vector<RemoteEntry> entries(const std::string& network_id) const;
  std::vector<ListedEndpoint> endpoints(const std::string& network_id) const;
  std::vector<ListedClaim> claims(const std::string& network_id) const;
  std::vector<std::pair<HostRecord, std::int64_t>> hosts() const;
  // The other hosts that are believed and were not removed, ordered by id.
  std::vector<HostInfo> others();
  // Sentences for people: what hosts say and is not believed, with the host's name.
  std::vector<std::string> refusals();
  std::size_t missing() const;
  std::size_t entry_count() const;

 private:
  struct Host;
  struct Endpoint;
  struct Slot;
  struct Network;
  enum class Doubt { kNone, kOutside, kReserved, kLocal, kNotItsOwn, kOurMac, kOthersMac };

  Host& host(const std::string& id);
  Network* find(const std::string& network_id);
  void remove(Network& network, const std::string& id);
  void touch(Network& network, const Endpoint& endpoint);
  void touch_all(const Host& host);
  void touch_everything();
  void touch(Network& network, const IpAddress& ip);
  void touch(Network& network, const std::vector<Cidr>& changed);
  void touch_mac(Network& network, const MacAddress& mac);
  void judge();  // the hosts anew, when something about them has changed
  bool is_void(const AddressClaim& claim) const;
  bool counts(const Endpoint& endpoint) const;
  Doubt doubt(const Network& network, const Endpoint& endpoint, const IpAddress& ip) const;
  Doubt doubt_of_mac(const Network& network, const Endpoint& endpoint) const;
  const Endpoint* holder_of_mac(const Network& network, const MacAddress& mac) const;
  const Endpoint* winner(const Network& network, const IpAddress& ip) const;
  std::optional<RemoteEntry> wanted(const Network& network, const IpAddress& ip) const;
  std::string name_of(const std::string& host_id) const;
  std::string why(const Network& network, const Endpoint& endpoint, const IpAddress& ip,
                  Doubt doubt) const;
  void refusals_of(const Network& network, std::vector<std::string>& texts) const;

  const HostInfo own_;
  bool must_judge_ = false;
  std::unordered_map<std::string, std::unique_ptr<Host>> hosts_;
  std::unordered_map<std::string, std::unique_ptr<Network>> networks_;
};

}  // namespace fairlead::network::cluster
