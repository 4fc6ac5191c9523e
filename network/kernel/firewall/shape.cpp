#include "network/kernel/firewall/shape.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <initializer_list>
#include <set>

#include "network/kernel/firewall/attributes.h"

namespace fairlead::kernel {

namespace {

constexpr const char* kTablePart = "the table";

// The attributes, each with its length, so that different attributes never give the same bytes.
std::string bytes_of(const NftAttributes& attributes, std::initializer_list<std::uint16_t> types) {
  std::string part;
  for (const std::uint16_t type : types) {
    const auto bytes = payload(attributes[type]);
    part += fmt::format("{}:{}:", type, bytes.size());
    part.append(bytes.begin(), bytes.end());
  }
  return part;
}

std::string rules_from(std::size_t first, std::size_t count, std::string_view chain) {
  if (count == 1) return fmt::format("rule {} of chain {} is", first + 1, chain);
  return fmt::format("rules {} to {} of chain {} are", first + 1, first + count, chain);
}

// Between the rules that both begin with and those that both end with.
std::string rule_difference(std::string_view chain, const std::vector<std::string>& have,
                            const std::vector<std::string>& want) {
  const auto [differs, wanted] = std::ranges::mismatch(have, want);
  const auto first = static_cast<std::size_t>(differs - have.begin());
  std::size_t extra = have.size() - first, lacking = want.size() - first;
  for (; extra > 0 && lacking > 0 && have[first + extra - 1] == want[first + lacking - 1]; --extra)
    --lacking;
  if (extra == 0) return rules_from(first, lacking, chain) + " missing";
  if (lacking == 0) return rules_from(first, extra, chain) + " nobody's";
  return rules_from(first, lacking, chain) + " not as written";
}

const std::vector<std::string>& rules_of(const TableShape& shape, const std::string& chain) {
  static const std::vector<std::string> none;
  const auto found = shape.rules.find(chain);
  return found == shape.rules.end() ? none : found->second;
}

}  // namespace

Status add_to_shape(std::span<const std::uint8_t> message, std::string_view table,
                    TableShape& shape) {
  // The table's name is the first attribute of all these objects.
  static_assert(int{NFTA_TABLE_NAME} == int{NFTA_CHAIN_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_RULE_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_SET_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_OBJ_TABLE} &&
                int{NFTA_TABLE_NAME} == int{NFTA_FLOWTABLE_TABLE});
  const auto aligned = AlignedMessage::of(message);
  if (!aligned)
    return fail(Code::kIo, "read an answer of nf_tables: a part of the table is cut short");
  const NftAttributes part = aligned->attributes();
  if (text(part[NFTA_TABLE_NAME]) != table) return {};
  switch (aligned->header()->nlmsg_type & 0xff) {
    case NFT_MSG_NEWTABLE:
      shape.parts[kTablePart] = bytes_of(part, {NFTA_TABLE_FLAGS, NFTA_TABLE_USERDATA});
      break;
    case NFT_MSG_NEWCHAIN:
      shape.parts["chain " + text(part[NFTA_CHAIN_NAME])] =
          bytes_of(part, {NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE, NFTA_CHAIN_FLAGS});
      break;
    case NFT_MSG_NEWRULE:
      shape.rules[text(part[NFTA_RULE_CHAIN])].push_back(
          bytes_of(part, {NFTA_RULE_EXPRESSIONS, NFTA_RULE_USERDATA}));
      break;
    case NFT_MSG_NEWSET:
      shape.parts["set " + text(part[NFTA_SET_NAME])] = bytes_of(
          part, {NFTA_SET_FLAGS, NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN, NFTA_SET_DATA_TYPE,
                 NFTA_SET_DATA_LEN, NFTA_SET_POLICY, NFTA_SET_DESC, NFTA_SET_TIMEOUT,
                 NFTA_SET_GC_INTERVAL, NFTA_SET_OBJ_TYPE, NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS});
      break;
    case NFT_MSG_NEWOBJ:
      shape.parts["object " + text(part[NFTA_OBJ_NAME])] = bytes_of(part, {NFTA_OBJ_TYPE});
      break;
    case NFT_MSG_NEWFLOWTABLE:
      shape.parts["flowtable " + text(part[NFTA_FLOWTABLE_NAME])] =
          bytes_of(part, {NFTA_FLOWTABLE_HOOK, NFTA_FLOWTABLE_FLAGS});
      break;
    default:
      break;
  }
  return {};
}

std::vector<std::string> shape_differences(const TableShape& have, const TableShape& want) {
  if (!have.parts.contains(kTablePart) && want.parts.contains(kTablePart))
    return {"the table is missing"};
  std::vector<std::string> words;
  for (const auto& [name, bytes] : want.parts) {
    const auto found = have.parts.find(name);
    if (found == have.parts.end())
      words.push_back(name + " is missing");
    else if (found->second != bytes)
      words.push_back(name + " is not as written");
  }
  for (const auto& [name, bytes] : have.parts)
    if (!want.parts.contains(name)) words.push_back(name + " is nobody's");
  std::set<std::string> chains;
  for (const TableShape* shape : {&have, &want})
    for (const auto& [chain, rules] : shape->rules) chains.insert(chain);
  for (const std::string& chain : chains) {
    const bool known =
        have.parts.contains("chain " + chain) && want.parts.contains("chain " + chain);
    if (known && rules_of(have, chain) != rules_of(want, chain))
      words.push_back(rule_difference(chain, rules_of(have, chain), rules_of(want, chain)));
  }
  return words;
}

}  // namespace fairlead::kernel
