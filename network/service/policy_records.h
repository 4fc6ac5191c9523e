// The record of all policies, under the key `policies`, and those of the addresses of names, under
// `policy-name/<name>`. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "network/api/policy.h"

namespace fairlead::network {

// One record for all: who attaches an endpoint reads one key, and whoever changes a policy does so against one
// revision.
struct PolicyRecord {
  std::uint64_t next = 1;  // the id of the next one; never given twice
  std::vector<Policy> policies{};

  bool operator==(const PolicyRecord&) const = default;
};
std::string encode(const PolicyRecord& record);
Result<PolicyRecord> decode_policies(std::string_view text);
// An address that a name had, and when it was seen last (Unix seconds).
struct NameAddress {
  IpAddress address;
  long long seen = 0;

  bool operator==(const NameAddress&) const = default;
};
struct NameRecord {
  std::vector<NameAddress> addresses{};
  long long due = 0;  // when it is to be asked for again

  bool operator==(const NameRecord&) const = default;
};
std::string encode(const NameRecord& record);
Result<NameRecord> decode_policy_name(std::string_view text);
// Not one of somebody's own network, of this host, of a link or of a group: a name of the DNS may be given any
// address by whoever has the name.
bool is_of_the_internet(const IpAddress& address);

// Whether some policy selects endpoints by their container or labels; asked of the record's text, without
// decoding it.
bool selects_endpoints(std::string_view record);

}  // namespace fairlead::network
