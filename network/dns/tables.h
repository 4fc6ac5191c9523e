// The networks and endpoints of a directory, with what finds them: by name, address and owner. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "network/dns/directory.h"

namespace fairlead::dns {

struct AddressHash {
  std::size_t operator()(const IpAddress& address) const {
    const auto bytes = address.bytes();
    return std::hash<std::string_view>()(
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
};
struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};
template <class Value>
using ByKey = std::unordered_map<std::string, Value, KeyHash, std::equal_to<>>;

struct ZoneEntry;

struct HostEntry {
  Host host;
  std::vector<std::string> keys;  // of host.names, without repetitions and what is no name
  ZoneEntry* zone = nullptr;
};

// The endpoints of a network that have one name.
struct Group {
  std::vector<HostEntry*> hosts;  // in the order in which they came
  // Counts the answers of each kind, whose order it turns. A lookup asks for both families: one count for both would show
  // every client the same half.
  std::uint32_t turn_v4 = 0, turn_v6 = 0, turn_services = 0;
};

struct ZoneEntry {
  std::optional<Zone> zone;        // std::nullopt: its hosts came first
  std::string network;             // its id
  std::vector<std::string> names;  // keys of zone->names
  std::string domain;              // key; empty: none
  std::unordered_map<std::string, std::unique_ptr<HostEntry>> hosts;  // by the endpoint's id
  ByKey<Group> groups;
  // Who has or had an address; the last one has it.
  std::unordered_map<IpAddress, std::vector<HostEntry*>, AddressHash> addresses;
  // How many names lie below a key: of "a.b" below "b" (RFC 4592 section 2.2.2).
  ByKey<std::size_t> inner;

  bool answers() const { return zone && zone->answers; }
  bool has_gateway(const IpAddress& address) const;
  bool has_subnet_of(const IpAddress& address) const;
  // The endpoint that has the address now; nullptr: none.
  const HostEntry* holder_of(const IpAddress& address) const;
  Group* group(std::string_view key);
  // Behind a name: the domain, or the name of the network. nullptr: it has none that is a name of the DNS.
  const std::string* suffix() const;
};

class Tables {
 public:
  void put(Zone zone);
  void put(Host host);
  void remove_zone(const std::string& network);
  void remove_host(const std::string& network, const std::string& endpoint);

  // nullptr: there is none.
  ZoneEntry* zone(std::string_view network);
  // The network that this client asks at a gateway of `network`. Networks whose host is the gateway of single addresses
  // (mode routed) have one gateway: there it is the one in which the client is.
  ZoneEntry* zone_asked(std::string_view network, const IpAddress& client);
  // The endpoints of one container.
  const std::vector<HostEntry*>& of_owner(const std::string& owner) const;

 private:
  ZoneEntry& zone_entry(const std::string& network);
  void move(HostEntry& entry, Host to);
  void forget_gateways(ZoneEntry& entry);

  ByKey<std::unique_ptr<ZoneEntry>> zones_;  // by the network's id
  std::unordered_map<std::string, std::vector<HostEntry*>> owners_;
  std::unordered_map<IpAddress, std::vector<ZoneEntry*>, AddressHash> gateways_;
};

}  // namespace fairlead::dns
