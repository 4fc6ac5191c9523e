#include "network/kernel/firewall/shape.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <initializer_list>

#include "network/kernel/firewall/attributes.h"

namespace fairlead::kernel {

namespace {

// Appends the attributes, each with its length, so that different attributes never give the same
// bytes.
void append(std::string& part, const NftAttributes& attributes,
            std::initializer_list<std::uint16_t> types) {
  for (const std::uint16_t type : types) {
    const auto bytes = payload(attributes[type]);
    part += fmt::format("{}:{}:", type, bytes.size());
    part.append(bytes.begin(), bytes.end());
  }
}

}  // namespace

Status add_to_shape(std::span<const std::uint8_t> message, std::string_view table,
                    TableShape& shape) {
  // The table's name is the first attribute of all these objects.
  static_assert(int{NFTA_TABLE_NAME} == int{NFTA_CHAIN_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_RULE_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_SET_TABLE});
  const auto aligned = AlignedMessage::of(message);
  if (!aligned)
    return fail(Code::kIo, "read an answer of nf_tables: a part of the table is cut short");
  const NftAttributes part = aligned->attributes();
  if (text(part[NFTA_TABLE_NAME]) != table) return {};
  switch (aligned->header()->nlmsg_type & 0xff) {
    case NFT_MSG_NEWTABLE:
      append(shape["flags and comment"], part, {NFTA_TABLE_FLAGS, NFTA_TABLE_USERDATA});
      break;
    case NFT_MSG_NEWCHAIN:
      append(shape["chain " + text(part[NFTA_CHAIN_NAME])], part,
             {NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE, NFTA_CHAIN_FLAGS});
      break;
    case NFT_MSG_NEWRULE:
      append(shape["rules of chain " + text(part[NFTA_RULE_CHAIN])], part,
             {NFTA_RULE_EXPRESSIONS, NFTA_RULE_USERDATA});
      break;
    case NFT_MSG_NEWSET:
      append(shape["set " + text(part[NFTA_SET_NAME])], part,
             {NFTA_SET_FLAGS, NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN, NFTA_SET_DATA_TYPE,
              NFTA_SET_DATA_LEN, NFTA_SET_POLICY, NFTA_SET_DESC, NFTA_SET_TIMEOUT,
              NFTA_SET_GC_INTERVAL, NFTA_SET_OBJ_TYPE, NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS});
      break;
    default:
      break;
  }
  return {};
}

std::string first_difference(const TableShape& have, const TableShape& want) {
  for (const auto& [name, bytes] : want) {
    const auto found = have.find(name);
    if (found == have.end()) return "missing " + name;
    if (found->second != bytes) return "altered " + name;
  }
  for (const auto& [name, bytes] : have)
    if (!want.contains(name)) return "foreign " + name;
  return {};
}

}  // namespace fairlead::kernel
