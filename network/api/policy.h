// Policies: who may begin connections to whom. Their texts are the same in the command line, the API, the
// options of networks and the records; what is read here is not yet looked up.
//
//   FROM, TO  any | outside | host | net:NAME | container:NAME | NETWORK/CONTAINER | label:KEY[=VALUE] |
//             ADDRESS | SUBNET | dns:NAME, or a bare NAME of a network, a container or (as TO) of the DNS
//   PORT      443/tcp | 8000-8100/udp | 53 (TCP and UDP) | tcp | udp | sctp | icmp
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::network {

enum class PolicyAction { kAllow, kDeny };
std::string_view to_string(PolicyAction action);  // "allow", "deny"
Result<PolicyAction> parse_policy_action(std::string_view text);

// One end of a policy: FROM or TO.
struct PolicyEnd {
  enum class Kind {
    kAny,      // every address
    kOutside,  // every address that is in no network of Fairlead's
    kHost,     // the host's own services
    kNetwork,  // `name`
    kContainer,  // `name`: a container as its runtime names it, or an endpoint's id; perhaps `network`
    kLabel,      // endpoints with this label: `name` is the key; without `value` any
    kSubnet,     // `subnet`
    kName,       // `name` of the DNS
    kBare,       // `name` of something that is to be looked up
  };
  Kind kind = Kind::kAny;
  std::string name{}, network{};
  std::optional<std::string> value{};
  std::optional<Cidr> subnet{};

  bool operator==(const PolicyEnd&) const = default;
};
std::string to_string(const PolicyEnd& end);  // parses to the same
// kInvalid says what the text should be; wildcards of the DNS are refused.
Result<PolicyEnd> parse_policy_end(std::string_view text);

struct PolicyPort {
  enum class Kind { kTcpUdp, kTcp, kUdp, kSctp, kIcmp };
  Kind kind = Kind::kTcpUdp;
  std::uint16_t first = 0, last = 65535;  // not of ICMP

  bool operator==(const PolicyPort&) const = default;
};
std::string to_string(const PolicyPort& port);
Result<PolicyPort> parse_policy_port(std::string_view text);

struct PolicySpec {
  PolicyAction action = PolicyAction::kAllow;
  PolicyEnd from, to;
  std::vector<PolicyPort> ports;  // none: every protocol

  bool operator==(const PolicySpec&) const = default;
};

struct Policy {
  std::string id;  // a number
  PolicySpec spec;
  long long created = 0;               // Unix seconds
  std::vector<IpAddress> addresses{};  // of a name of the DNS, at present

  bool operator==(const Policy&) const = default;
};

// What a network with egress=deny reaches nevertheless: TO, or TO:PORT. An IPv6 subnet with a port stands in
// brackets.
struct EgressRule {
  PolicyEnd to;
  std::optional<PolicyPort> port{};

  bool operator==(const EgressRule&) const = default;
};
std::string to_string(const EgressRule& rule);
Result<EgressRule> parse_egress_rule(std::string_view text);

}  // namespace fairlead::network
