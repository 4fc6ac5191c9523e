// What the kernel tells of traced packets, and the tables that mark them.
#include "network/kernel/events/trace_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "network/kernel/firewall/trace_table.h"

namespace fairlead::kernel {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint16_t kTraceMessage = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE;

std::uint32_t network_order(std::int32_t number) {
  return __builtin_bswap32(static_cast<std::uint32_t>(number));
}

NetlinkMessage trace_in(std::uint8_t family, std::string_view table, std::string_view chain) {
  NetlinkMessage message(kTraceMessage, 0);
  message.put_struct(nfgenmsg{.nfgen_family = family, .version = 0, .res_id = 0});
  message.put_text(NFTA_TRACE_TABLE, table).put_text(NFTA_TRACE_CHAIN, chain);
  return message;
}

std::optional<TraceEvent> parsed(const NetlinkMessage& message) {
  Bytes bytes = message.bytes();
  const auto view = take_message(bytes);
  return view ? parse_trace(*view) : std::nullopt;
}

TEST(TraceEvents, ARuleWithItsVerdict) {
  NetlinkMessage message = trace_in(NFPROTO_INET, "fairlead", "forward");
  message.put_u64(NFTA_TRACE_RULE_HANDLE, __builtin_bswap64(192));
  {
    const auto verdict = message.nest(NFTA_TRACE_VERDICT);
    message.put_u32(NFTA_VERDICT_CODE, network_order(NFT_GOTO));
    message.put_text(NFTA_VERDICT_CHAIN, "published_only");
  }
  const auto event = parsed(message);
  ASSERT_TRUE(event);
  EXPECT_EQ(*event, (TraceEvent{"inet", "fairlead", "forward", 192, "goto published_only"}));
  EXPECT_FALSE(event->drops());
}

TEST(TraceEvents, ThePolicyOfAChain) {
  NetlinkMessage message = trace_in(NFPROTO_BRIDGE, "filter", "f");
  message.put_u32(NFTA_TRACE_POLICY, network_order(NF_DROP));
  const auto event = parsed(message);
  ASSERT_TRUE(event);
  EXPECT_EQ(*event, (TraceEvent{"bridge", "filter", "f", 0, "drop"}));
  EXPECT_TRUE(event->drops());
}

TEST(TraceEvents, OtherMessagesAndBrokenOnesAreNone) {
  EXPECT_FALSE(parsed(NetlinkMessage(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, 0)));
  EXPECT_FALSE(parsed(NetlinkMessage(kTraceMessage, 0)));
  const NetlinkMessage whole = trace_in(NFPROTO_IPV4, "t", "c");
  for (std::size_t length = 16; length < whole.bytes().size(); ++length) {
    const MessageView cut{.type = kTraceMessage, .payload = whole.bytes().subspan(16, length - 16)};
    parse_trace(cut);  // reads nothing beyond
  }
}

TEST(TraceTable, MarksTheFirstPacketOfAFlowAndBelongsToTheProcess) {
  const std::string text = trace_table_text(
      {.destination = *IpAddress::parse("10.1.0.2"), .proto = 6, .port = 80, .sender = 40000}, 7);
  EXPECT_THAT(text, HasSubstr("table bridge fairlead-trace-7 {\n\tflags owner\n"));
  EXPECT_THAT(text, HasSubstr("ip daddr 10.1.0.2 tcp dport 80 tcp sport 40000 tcp flags & (syn | "
                              "ack) == syn meta nftrace set 1\n"));
  const std::string ping = trace_table_text({.source = *IpAddress::parse("fd00::1"),
                                             .destination = *IpAddress::parse("fd00::2"),
                                             .proto = 58},
                                            7);
  EXPECT_THAT(ping, HasSubstr("ip6 saddr fd00::1 ip6 daddr fd00::2 icmpv6 type echo-request meta"));
  EXPECT_THAT(ping, Not(HasSubstr("id ")));
}

}  // namespace
}  // namespace fairlead::kernel
