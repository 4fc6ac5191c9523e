#include "network/kernel/events/trace_events.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdlib>
#include <utility>

namespace fairlead::kernel {

namespace {

// Attributes of nf_tables are in network order.
std::uint64_t big_endian(Bytes data) {
  std::uint64_t number = 0;
  for (const std::uint8_t byte : data) number = number << 8 | byte;
  return number;
}

std::string family_text(std::uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_BRIDGE:
      return "bridge";
    case NFPROTO_NETDEV:
      return "netdev";
    default:
      return std::to_string(family);
  }
}

std::string verdict_text(std::int32_t code, std::string_view chain) {
  switch (code) {
    case NF_DROP:
      return "drop";
    case NF_ACCEPT:
      return "accept";
    case NF_STOLEN:
      return "stolen";
    case NF_QUEUE:
      return "queue";
    case NFT_CONTINUE:
      return "continue";
    case NFT_RETURN:
      return "return";
    case NFT_JUMP:
      return fmt::format("jump {}", chain);
    case NFT_GOTO:
      return fmt::format("goto {}", chain);
    default:
      return std::to_string(code);
  }
}

std::string verdict_in(Bytes nested) {
  const Attributes verdict(nested);
  const auto code = verdict.find(NFTA_VERDICT_CODE), chain = verdict.find(NFTA_VERDICT_CHAIN);
  return verdict_text(code ? static_cast<std::int32_t>(big_endian(code->data)) : NFT_CONTINUE,
                      chain ? chain->text() : std::string_view());
}

}  // namespace

std::optional<TraceEvent> parse_trace(const MessageView& message) {
  if (message.type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE)) return std::nullopt;
  const auto header = read_struct<nfgenmsg>(message.payload);
  if (!header) return std::nullopt;
  const Attributes attributes(behind(message.payload, sizeof(nfgenmsg)));
  TraceEvent event{.family = family_text(header->nfgen_family)};
  for (const Attribute& attribute : attributes) {
    if (attribute.type == NFTA_TRACE_TABLE) event.table = attribute.text();
    if (attribute.type == NFTA_TRACE_CHAIN) event.chain = attribute.text();
    if (attribute.type == NFTA_TRACE_RULE_HANDLE) event.handle = big_endian(attribute.data);
    if (attribute.type == NFTA_TRACE_VERDICT) event.verdict = verdict_in(attribute.data);
    if (attribute.type == NFTA_TRACE_POLICY)
      event.verdict = verdict_text(static_cast<std::int32_t>(big_endian(attribute.data)), {});
  }
  return event;
}

Result<TraceEvents> TraceEvents::listen() {
  TRY(auto socket, NetlinkSocket::open(NETLINK_NETFILTER));
  TRY_STATUS(socket.join(NFNLGRP_NFTRACE));
  return TraceEvents(std::move(socket));
}

Result<std::vector<TraceEvent>> TraceEvents::take() {
  std::vector<TraceEvent> events;
  while (true) {
    TRY(Bytes bytes, socket_.receive("read a trace", false));
    if (bytes.empty()) return events;
    while (const auto message = take_message(bytes))
      if (auto event = parse_trace(*message)) events.push_back(std::move(*event));
  }
}

}  // namespace fairlead::kernel
