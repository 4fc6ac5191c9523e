// What the kernel tells of packets that are traced (`nft monitor trace`).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

struct TraceEvent {
  std::string family;  // "inet", "ip", "bridge"
  std::string table, chain;
  std::uint64_t handle = 0;  // of the rule; 0: the policy of the chain
  std::string verdict;  // "accept", "drop", "jump no_icc", "goto publish", "return", "continue"

  bool drops() const { return verdict == "drop"; }
  bool operator==(const TraceEvent&) const = default;
};
// NFT_MSG_TRACE (net/netfilter/nf_tables_trace.c); std::nullopt for any other message.
std::optional<TraceEvent> parse_trace(const MessageView& message);

class TraceEvents {
 public:
  // In the network namespace of the calling thread.
  static Result<TraceEvents> listen();

  // To wait for with poll(2).
  int fd() const { return socket_.fd(); }
  // Those that have come; none: an empty list.
  Result<std::vector<TraceEvent>> take();

 private:
  explicit TraceEvents(NetlinkSocket socket) : socket_(std::move(socket)) {}

  NetlinkSocket socket_;
};

}  // namespace fairlead::kernel
