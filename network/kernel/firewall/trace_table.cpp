#include "network/kernel/firewall/trace_table.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

#include <string>

namespace fairlead::kernel {

namespace {

std::string addresses_of(const TraceFilter& filter) {
  const char* family = filter.destination.is_v4() ? "ip" : "ip6";
  std::string text;
  if (filter.source) text = fmt::format("{} saddr {} ", family, filter.source->to_string());
  return text + fmt::format("{} daddr {} ", family, filter.destination.to_string());
}

std::string ports_of(const TraceFilter& filter, const char* proto) {
  std::string text = fmt::format("{} dport {} ", proto, filter.port);
  if (filter.sender) text += fmt::format("{} sport {} ", proto, *filter.sender);
  return text;
}

std::string echo_of(const TraceFilter& filter, const char* proto) {
  std::string text = fmt::format("{} type echo-request ", proto);
  if (filter.sender) text += fmt::format("{} id {} ", proto, *filter.sender);
  return text;
}

std::string protocol_of(const TraceFilter& filter) {
  switch (filter.proto) {
    case IPPROTO_TCP:
      return ports_of(filter, "tcp") + "tcp flags & (syn | ack) == syn ";
    case IPPROTO_UDP:
      return ports_of(filter, "udp");
    default:
      return echo_of(filter, filter.destination.is_v4() ? "icmp" : "icmpv6");
  }
}

}  // namespace

// Before all other chains; the kernel reports what comes after the mark.
std::string trace_table_text(const TraceFilter& filter, int process_id) {
  const std::string rule = addresses_of(filter) + protocol_of(filter) + "meta nftrace set 1";
  const auto chain = [&](const char* hook) {
    return fmt::format(
        "\tchain {0} {{\n\t\ttype filter hook {0} priority -450; policy accept;\n\t\t{1}\n\t}}\n",
        hook, rule);
  };
  return fmt::format(
      "table inet {0}-{1} {{\n\tflags owner\n{2}{3}}}\n"
      "table bridge {0}-{1} {{\n\tflags owner\n{2}}}\n",
      kTraceTable, process_id, chain("prerouting"), chain("output"));
}

Result<TraceTable> TraceTable::make(const TraceFilter& filter) {
  TRY(auto nft, NftText::open());
  if (auto made = nft.run(trace_table_text(filter, ::getpid())); !made)
    return fail(Code::kUnsupported, "mark packets for a trace: {} (it needs Linux 5.12 or later)",
                made.error().text);
  return TraceTable(std::move(nft));
}

}  // namespace fairlead::kernel
