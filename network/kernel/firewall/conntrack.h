// Connection tracking entries. The entries of a port are deleted when the port changes its owner;
// otherwise clients would go on talking to the old owner: UDP clients that keep their port for as long as they ask.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

struct FlowFilter {
  std::uint8_t proto = 17;
  std::optional<Cidr> source{};             // where the original source address is
  std::optional<IpAddress> destination{};   // original destination address
  std::uint16_t destination_port = 0;       // original destination port, host order; 0 = any
  std::uint16_t destination_port_last = 0;  // 0, or the last of a range that begins there
  std::optional<IpAddress> reply_source{};  // address of the container behind the NAT
  // Without `destination`: only entries whose original destination is an address of this host.
  bool to_host = false;
  // Only entries that no rule has led elsewhere: whoever was asked answers, or nobody does.
  bool led_nowhere = false;
};

class Conntrack {
 public:
  virtual ~Conntrack() = default;
  // Deletes the entries that match any of the filters and returns how many. The kernel's table is
  // walked once for each filter, or, with more than 8 filters, once for all of them: cheaply
  // where they have one protocol and one port. Thread-safe.
  virtual Result<std::size_t> forget(std::span<const FlowFilter> filters) = 0;
};

// Works in the network namespace that the calling thread is in at the time of this call. Opening
// the socket loads the kernel's netfilter netlink module when it is missing.
Result<std::unique_ptr<Conntrack>> open_conntrack();

// Over a socket that is open already, whose other users wait while the kernel's table is walked.
struct SharedNetfilterSocket;
Result<std::unique_ptr<Conntrack>> make_conntrack(std::shared_ptr<SharedNetfilterSocket> socket);

}  // namespace fairlead::kernel
