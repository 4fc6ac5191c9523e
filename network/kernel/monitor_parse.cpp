#include "network/kernel/monitor_parse.h"

// The C library first, or linux/netfilter.h defines the same names.
// clang-format off
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
// clang-format on

namespace fairlead::kernel {

namespace {

std::string attribute_text(Bytes attributes, std::uint16_t type) {
  const auto found = Attributes(attributes).find(type);
  return found ? std::string(found->text()) : std::string();
}

bool is_deletion(int verb) {
  return verb == NFT_MSG_DELTABLE || verb == NFT_MSG_DELCHAIN || verb == NFT_MSG_DELSET;
}

}  // namespace

std::optional<KernelEvent> link_event(const MessageView& message) {
  if (message.type != RTM_NEWLINK && message.type != RTM_DELLINK) return std::nullopt;
  const auto details = parse_link(message.payload);
  if (!details || details->bridge_port_event) return std::nullopt;
  const Link& link = details->link;
  if (message.type == RTM_DELLINK)
    return KernelEvent{.kind = KernelEvent::Kind::kLinkGone, .name = link.name};
  if (link.kind != "bridge" && !link.name.starts_with("fl")) return std::nullopt;
  return KernelEvent{.kind = KernelEvent::Kind::kLinkChanged, .name = link.name};
}

// The table's name is the first attribute of all these objects (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE,
// NFTA_SET_TABLE).
std::optional<KernelEvent> table_event(const MessageView& message, std::string_view table) {
  static_assert(int{NFTA_TABLE_NAME} == int{NFTA_CHAIN_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_SET_TABLE});
  if (message.type >> 8 != NFNL_SUBSYS_NFTABLES || message.payload.size() < sizeof(nfgenmsg))
    return std::nullopt;
  const int verb = message.type & 0xff;
  std::string name = attribute_text(message.payload.subspan(sizeof(nfgenmsg)), NFTA_TABLE_NAME);
  const bool ours = message.payload[0] == NFPROTO_INET && name == table;
  if (ours && is_deletion(verb))
    return KernelEvent{.kind = KernelEvent::Kind::kTableGone, .name = std::move(name)};
  const bool chain =
      verb == NFT_MSG_NEWCHAIN || verb == NFT_MSG_DELCHAIN || verb == NFT_MSG_DELTABLE;
  if (ours || !chain) return std::nullopt;
  return KernelEvent{.kind = KernelEvent::Kind::kFilterChanged, .name = std::move(name)};
}

}  // namespace fairlead::kernel
