// The parts of PeerTable, for its own files.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "network/cluster/block_layout.h"
#include "network/cluster/peer_table.h"

namespace fairlead::network::cluster {

struct HashMac {
  std::size_t operator()(const MacAddress& mac) const {
    std::uint64_t bits = 0;
    std::memcpy(&bits, mac.bytes().data(), 6);
    return (bits * 0x9e3779b97f4a7c15ULL) >> 7;
  }
};

struct PeerTable::Host {
  HostRecord record;
  std::int64_t revision = 0;
  bool known = false;      // `record` was seen; an endpoint's record may come before its host's
  std::int64_t since = 0;  // the revision at which it first said where it is
  std::string refusal;     // why it is not believed; empty: it is
  struct Of {
    Network* network;
    const Endpoint* endpoint;
    bool operator==(const Of&) const = default;
  };
  std::vector<Of> endpoints;
};

struct PeerTable::Endpoint {
  std::string id;
  std::vector<IpAddress> addresses;
  MacAddress mac;
  Host* host = nullptr;
  std::size_t place = 0;  // index in the host's list
  std::uint64_t epoch = 0;
  EndpointState state = EndpointState::kStarting;
  std::int64_t revision = 0;
  std::int64_t since = 0;  // the revision at which its host first gave it this MAC
  std::optional<Time> missing_since;
};

struct PeerTable::Slot {
  std::vector<const Endpoint*> candidates;
  std::optional<RemoteEntry> given;
};

struct PeerTable::Network {
  Network(PeerNetwork about, AddressClaims::IsVoid is_void)
      : id(about.id), view(std::move(about)), claims(view.subnets, std::move(is_void)) {
    for (const Subnet& subnet : view.subnets)
      for (const IpAddress& ip : reserved_addresses(subnet)) reserved.insert(ip);
  }
  bool is_inside(const IpAddress& ip) const {
    return std::ranges::any_of(view.subnets,
                               [&](const Subnet& subnet) { return subnet.subnet.contains(ip); });
  }
  bool is_local(const IpAddress& ip) const { return local_addresses.contains(ip); }
  bool is_local(const MacAddress& mac) const {
    return local_macs.contains(mac) || std::ranges::find(view.macs, mac) != view.macs.end();
  }

  std::string id;
  PeerNetwork view;
  AddressClaims claims;
  std::unordered_set<IpAddress, HashIp> reserved;
  std::unordered_map<std::string, SharedEndpoint> local;  // of this host itself, by id
  std::unordered_multiset<IpAddress, HashIp> local_addresses;
  std::unordered_multiset<MacAddress, HashMac> local_macs;
  std::unordered_map<std::string, std::unique_ptr<Endpoint>> endpoints;
  std::unordered_map<IpAddress, Slot, HashIp> slots;
  std::unordered_map<MacAddress, std::vector<const Endpoint*>, HashMac> macs;
  std::unordered_set<IpAddress, HashIp> dirty;
  std::size_t missing = 0, given = 0;
};

}  // namespace fairlead::network::cluster
