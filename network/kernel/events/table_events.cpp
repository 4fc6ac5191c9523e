#include "network/kernel/events/table_events.h"

// The C library's header has to come first, because linux/netfilter.h defines the same names.
// clang-format off
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
// clang-format on

#include <utility>

namespace fairlead::kernel {

namespace {

std::string attribute_text(Bytes attributes, std::uint16_t type) {
  const auto found = Attributes(attributes).find(type);
  return found ? std::string(found->text()) : std::string();
}

}  // namespace

// The table's name is the first attribute of all these objects (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE,
// ..., NFTA_SET_ELEM_LIST_TABLE).
std::optional<KernelEvent> TableEvents::take(const MessageView& message) {
  static_assert(int{NFTA_TABLE_NAME} == int{NFTA_CHAIN_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_RULE_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_SET_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_SET_ELEM_LIST_TABLE});
  if (message.type >> 8 != NFNL_SUBSYS_NFTABLES || message.payload.size() < sizeof(nfgenmsg))
    return std::nullopt;
  const int verb = message.type & 0xff;
  const Bytes attributes = message.payload.subspan(sizeof(nfgenmsg));
  if (verb == NFT_MSG_NEWGEN) {
    told_ = false;
    const bool own = attribute_text(attributes, NFTA_GEN_PROC_NAME).starts_with(kOwnPrograms);
    if (!std::exchange(changed_, false) || own) return std::nullopt;
    return KernelEvent{.kind = KernelEvent::Kind::kTableChanged, .name = table_};
  }
  std::string name = attribute_text(attributes, NFTA_TABLE_NAME);
  if ((message.payload[0] == NFPROTO_INET || message.payload[0] == NFPROTO_BRIDGE) &&
      name == table_) {
    changed_ = true;
    return std::nullopt;
  }
  const bool filters = verb == NFT_MSG_NEWCHAIN || verb == NFT_MSG_DELCHAIN ||
                       verb == NFT_MSG_NEWRULE || verb == NFT_MSG_DELRULE ||
                       verb == NFT_MSG_NEWTABLE || verb == NFT_MSG_DELTABLE;
  if (!filters || std::exchange(told_, true)) return std::nullopt;
  return KernelEvent{.kind = KernelEvent::Kind::kFilterChanged, .name = std::move(name)};
}

}  // namespace fairlead::kernel
