// Two tables that do nothing but mark packets for `nft monitor trace`.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ip.h"
#include "base/result.h"
#include "network/kernel/firewall/text.h"

namespace fairlead::kernel {

// The first packet of a flow.
struct TraceFilter {
  std::optional<IpAddress> source{};
  IpAddress destination;
  std::uint8_t proto = 6;  // TCP, UDP, ICMP or ICMPv6
  std::uint16_t port = 0;  // of TCP and UDP
  // The sender's port, or the number of its echo requests.
  std::optional<std::uint16_t> sender{};
};

// The tables are there while the object lives. The kernel removes them with the process, however that ends: they belong
// to its socket (NFT_TABLE_F_OWNER, Linux 5.12).
class TraceTable {
 public:
  // In the network namespace of the calling thread. kUnsupported where the kernel has no such tables.
  static Result<TraceTable> make(const TraceFilter& filter);

 private:
  explicit TraceTable(NftText nft) : nft_(std::move(nft)) {}

  NftText nft_;
};

// How the tables are called, of whatever process.
inline constexpr std::string_view kTraceTable = "fairlead-trace";
std::string trace_table_text(const TraceFilter& filter, int process_id);

}  // namespace fairlead::kernel
