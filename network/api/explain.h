// Does a packet from A reach B, and what decides it? Values, and the one who answers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "network/api/types.h"

namespace fairlead::network {

// The protocol of the packet, and its port: a ping has none.
struct ExplainPort {
  enum class Kind { kTcp, kUdp, kPing };
  Kind kind = Kind::kPing;
  std::uint16_t port = 0;

  bool operator==(const ExplainPort&) const = default;
};
std::string to_string(const ExplainPort& port);  // "80/tcp", "icmp"
// "80" and "80/tcp", "53/udp", "icmp" or "ping".
Result<ExplainPort> parse_explain_port(std::string_view text);

struct ExplainQuery {
  // "outside", "host", an address, NETWORK/ENDPOINT, a container, an endpoint's id, or a name of the DNS.
  std::string from, to;
  ExplainPort port{};
  std::optional<Family> family{};  // std::nullopt: both
};

enum class Reach {
  kYes,
  kNo,
  kUnseen,  // what decides it is out of this host's sight
};
std::string_view to_string(Reach reach);  // "yes", "no", "unseen"

// One step of a packet's way: a rule, a route, a port of a bridge.
struct ExplainStep {
  std::string place;  // "bridge fl-12ab", "forward"
  std::string what;   // in words
  // Of a rule that has decided; empty otherwise.
  std::string table{}, rule{};
  std::vector<std::string> chains{}, elements{};
  bool stops = false;

  bool operator==(const ExplainStep&) const = default;
};

// The way of one packet.
struct ExplainPath {
  std::string from, to;  // "container web (10.1.0.2)"
  IpAddress source, destination;
  ExplainPort port{};
  // Whom it reaches behind all translation, as policies see it.
  IpAddress behind{};
  std::uint16_t port_behind = 0;
  bool published = false;  // by a port of the host that leads to B
  Reach reach = Reach::kNo;
  // Whether what B answers comes back; kUnseen without an answer to speak of.
  Reach answers = Reach::kUnseen;
  std::string sentence;
  std::vector<ExplainStep> steps{};
  // Where it can be sent from: of A's container; empty: the host, or nobody that can be asked to send.
  std::string netns_path{};
  bool can_send = false;

  Family family() const { return destination.family(); }
  bool operator==(const ExplainPath&) const = default;
};

struct Explanation {
  Reach reach = Reach::kNo;
  std::string sentence;
  std::vector<ExplainPath> paths{};
  // How the kernel differs from what is recorded, what other firewalls may do, and what was assumed.
  std::vector<std::string> notes{};

  bool operator==(const Explanation&) const = default;
};

// A rule that a traced packet has passed.
struct TraceStep {
  std::string table, chain, rule, verdict;

  bool operator==(const TraceStep&) const = default;
};

struct PacketTrace {
  std::vector<TraceStep> steps{};
  bool sent = false;             // by this process; otherwise it was waited for
  bool dropped = false;          // by a rule or a policy
  std::optional<bool> answered;  // std::nullopt: nothing can be said
  std::string said;              // what came back: "connected", "refused", "no answer"

  bool operator==(const PacketTrace&) const = default;
};

// Thread-safe.
class Explainer {
 public:
  virtual ~Explainer() = default;

  // Looks at what is in the kernel, and changes nothing. kNotFound for ends that nothing has the name of; kInvalid
  // names the candidates where there are several.
  virtual Result<Explanation> explain(const ExplainQuery& query) = 0;

  // Sends the path's packet, or waits for one like it where this host cannot send it, and reports the rules that it
  // passes. A table of its own marks the packet for as long as this takes; one that a killed process has left is
  // removed by the next call and by reconcile. `stop` is asked now and then.
  virtual Result<PacketTrace> trace(const ExplainPath& path, std::chrono::milliseconds wait,
                                    const std::function<bool()>& stop) = 0;
};

}  // namespace fairlead::network
