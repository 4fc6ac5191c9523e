#include "network/kernel/firewall/foreign_chains.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include <algorithm>
#include <utility>

#include "network/kernel/firewall/attributes.h"
#include "network/kernel/host/own_names.h"

namespace fairlead::kernel {

namespace {

using Verdict = ForeignStep::Verdict;

// NF_INET_FORWARD, and NF_BR_FORWARD of linux/netfilter_bridge.h.
constexpr std::uint32_t kForwardHook = 2;
constexpr std::uint8_t kUdataComment = 0;  // NFTNL_UDATA_RULE_COMMENT of libnftnl/udata.h
constexpr unsigned kMostJumps = 16;        // as NFT_JUMP_STACK_SIZE of the kernel

std::uint32_t number32(const nlattr* attribute) {
  return ntohl(number<std::uint32_t>(attribute).value_or(0));
}
std::uint64_t number64(const nlattr* attribute) {
  return be64toh(number<std::uint64_t>(attribute).value_or(0));
}

std::uint8_t family_of(const AlignedMessage& message) {
  return static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(message.header()))->nfgen_family;
}

// User data is a row of (type, length, bytes).
bool has_our_comment(std::span<const std::uint8_t> udata) {
  while (udata.size() >= 2) {
    const std::size_t length = std::min<std::size_t>(udata[1], udata.size() - 2);
    const std::string_view value(reinterpret_cast<const char*>(udata.data()) + 2, length);
    if (udata[0] == kUdataComment && value.substr(0, value.find('\0')) == kForeignMark) return true;
    udata = udata.subspan(2 + length);
  }
  return false;
}

// What libnftnl and iptables-nft call a rule's parts; those without a condition.
bool only_watches(std::string_view name) { return name == "counter" || name == "log"; }

struct Reader {
  ForeignStep step{.always = true};
  std::string* asked = nullptr;  // the register holds the name that goes here

  void read(std::string_view name, const NftAttributes& data) {
    if (only_watches(name)) return;
    if (name == "reject")
      step.verdict = Verdict::kDrop;
    else if (name == "immediate" && number32(data[NFTA_IMMEDIATE_DREG]) == NFT_REG_VERDICT)
      take_verdict(nested(nested(data[NFTA_IMMEDIATE_DATA])[NFTA_DATA_VERDICT]));
    else if (name == "target")
      take_target(text(data[NFTA_TARGET_NAME]));
    else if (name == "match" && text(data[NFTA_MATCH_NAME]) == "comment")
      step.ours |= text(data[NFTA_MATCH_INFO]) == kForeignMark;  // struct xt_comment_info
    else
      take_condition(name, data);
  }

  void take_verdict(const NftAttributes& verdict) {
    step.target = text(verdict[NFTA_VERDICT_CHAIN]);
    switch (static_cast<std::int32_t>(number32(verdict[NFTA_VERDICT_CODE]))) {
      case NF_ACCEPT:
        step.verdict = Verdict::kAccept;
        break;
      case NF_DROP:
        step.verdict = Verdict::kDrop;
        break;
      case NFT_RETURN:
        step.verdict = Verdict::kReturn;
        break;
      case NFT_JUMP:
        step.verdict = Verdict::kJump;
        break;
      case NFT_GOTO:
        step.verdict = Verdict::kGoto;
        break;
      default:
        break;
    }
  }

  // A target of iptables.
  void take_target(std::string_view name) {
    if (name == "REJECT") step.verdict = Verdict::kDrop;
    if (name != "REJECT" && name != "LOG" && name != "NFLOG") step.always = false;
  }

  void take_condition(std::string_view name, const NftAttributes& data) {
    step.always = false;
    std::string* const into = std::exchange(asked, nullptr);
    if (name == "meta") {
      const std::uint32_t key = number32(data[NFTA_META_KEY]);
      if (key == NFT_META_IIFNAME) asked = &step.in;
      if (key == NFT_META_OIFNAME) asked = &step.out;
    } else if (name == "cmp" && into != nullptr && into->empty() &&
               number32(data[NFTA_CMP_OP]) == NFT_CMP_EQ) {
      const auto bytes = payload(nested(data[NFTA_CMP_DATA])[NFTA_DATA_VALUE]);
      const auto end = std::ranges::find(bytes, std::uint8_t{0});
      into->assign(bytes.begin(), end);
      if (end == bytes.end()) *into += '*';  // without its end it is the beginning of a name
    } else {
      ++step.others;
    }
  }
};

int read_expression(const nlattr* attribute, void* into) {
  const NftAttributes expression = nested(attribute);
  static_cast<Reader*>(into)->read(text(expression[NFTA_EXPR_NAME]),
                                   nested(expression[NFTA_EXPR_DATA]));
  return MNL_CB_OK;
}

// What becomes of a packet in these rules: the verdict that ends them, and the rule that gives it.
struct End {
  Verdict verdict = Verdict::kNone;
  std::size_t at = 0;
};

Result<End> end_of(std::span<const ForeignStep> rules, const RulesOf& rules_of, unsigned depth) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const ForeignStep& step = rules[i];
    if (step.ours || !step.always || step.verdict == Verdict::kNone) continue;
    if (step.verdict != Verdict::kJump && step.verdict != Verdict::kGoto)
      return End{step.verdict, i};
    if (depth == kMostJumps) return End{};
    TRY(const auto inner, rules_of(step.target));
    TRY(const End end, end_of(inner, rules_of, depth + 1));
    if (end.verdict == Verdict::kAccept || end.verdict == Verdict::kDrop)
      return End{end.verdict, i};
    if (step.verdict == Verdict::kGoto) return End{Verdict::kReturn, i};
  }
  return End{Verdict::kNone, rules.size()};
}

bool looks_like_dockers(std::string_view name) {
  return name.starts_with("docker") || name.starts_with("br-");
}

class PassRules {
 public:
  void add(std::string_view in, std::string_view out, bool accept) {
    PassRule rule{std::string(in), std::string(out), accept};
    if (std::ranges::find(rules_, rule) == rules_.end()) rules_.push_back(std::move(rule));
  }
  void add_both_ways(std::string_view a, std::string_view b, bool accept) {
    add(a, b, accept);
    add(b, a, accept);
  }
  std::vector<PassRule> take() { return std::move(rules_); }

 private:
  std::vector<PassRule> rules_;
};

void leave_to_docker(const std::vector<std::string>& own, const std::vector<std::string>& dockers,
                     std::string_view uplink, PassRules& rules) {
  // Fairlead's own bridges and the uplink may have names that look like Docker's.
  for (const std::string& a : own)
    for (const std::string& b : own)
      if (looks_like_dockers(a) || looks_like_dockers(b)) rules.add(a, b, true);
  if (looks_like_dockers(uplink) && IfName::parse(uplink))
    for (const std::string& a : own) rules.add_both_ways(uplink, a, true);
  for (const std::string& a : own) {
    for (const char* docker : {"docker*", "br-*"}) rules.add_both_ways(docker, a, false);
    for (const std::string& docker : dockers)
      if (std::ranges::find(own, docker) == own.end()) rules.add_both_ways(docker, a, false);
  }
}

}  // namespace

std::string_view family_name(std::uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_BRIDGE:
      return "bridge";
    default:
      return {};
  }
}

std::optional<ForeignChain> parse_foreign_chain(std::span<const std::uint8_t> bytes) {
  const auto message = AlignedMessage::of(bytes);
  if (!message) return std::nullopt;
  const NftAttributes attributes = message->attributes();
  ForeignChain chain{.family = family_of(*message),
                     .table = text(attributes[NFTA_CHAIN_TABLE]),
                     .name = text(attributes[NFTA_CHAIN_NAME]),
                     .handle = number64(attributes[NFTA_CHAIN_HANDLE]),
                     .rules = number32(attributes[NFTA_CHAIN_USE])};
  if (attributes[NFTA_CHAIN_HOOK] == nullptr) return chain;
  const NftAttributes hook = nested(attributes[NFTA_CHAIN_HOOK]);
  chain.forwards = number32(hook[NFTA_HOOK_HOOKNUM]) == kForwardHook &&
                   text(attributes[NFTA_CHAIN_TYPE]) == "filter" &&
                   !family_name(chain.family).empty();
  chain.policy_drops = attributes[NFTA_CHAIN_POLICY] != nullptr &&
                       number32(attributes[NFTA_CHAIN_POLICY]) == NF_DROP;
  return chain;
}

std::optional<ForeignTable> parse_foreign_table(std::span<const std::uint8_t> bytes) {
  const auto message = AlignedMessage::of(bytes);
  if (!message) return std::nullopt;
  const NftAttributes attributes = message->attributes();
  return ForeignTable{
      .family = family_of(*message),
      .name = text(attributes[NFTA_TABLE_NAME]),
      .dormant = (number32(attributes[NFTA_TABLE_FLAGS]) & NFT_TABLE_F_DORMANT) != 0};
}

std::optional<ForeignStep> parse_foreign_rule(std::span<const std::uint8_t> bytes) {
  const auto message = AlignedMessage::of(bytes);
  if (!message) return std::nullopt;
  const NftAttributes attributes = message->attributes();
  Reader reader;
  if (const nlattr* list = attributes[NFTA_RULE_EXPRESSIONS]) {
    mnl_attr_parse_nested(list, read_expression, &reader);
  }
  reader.step.handle = number64(attributes[NFTA_RULE_HANDLE]);
  reader.step.ours |= has_our_comment(payload(attributes[NFTA_RULE_USERDATA]));
  return reader.step;
}

Result<Opening> find_opening(const ForeignChain& chain, std::span<const ForeignStep> rules,
                             const RulesOf& rules_of) {
  TRY(const End end, end_of(rules, rules_of, 0));
  const bool decided = end.verdict == Verdict::kAccept || end.verdict == Verdict::kDrop;
  Opening opening{.drops = decided ? end.verdict == Verdict::kDrop : chain.policy_drops};
  if (opening.drops && end.at < rules.size()) opening.before = rules[end.at].handle;
  std::size_t place = rules.size();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!rules[i].ours) continue;
    opening.ours.push_back(rules[i].handle);
    place = i;
  }
  opening.in_place = opening.drops && opening.ours.size() == 1 && place + 1 == end.at &&
                     rules[place].verdict == Verdict::kJump && rules[place].always &&
                     rules[place].target == kForeignChain;
  return opening;
}

bool are_rules(std::span<const ForeignStep> steps, std::span<const PassRule> wanted) {
  return std::ranges::equal(steps, wanted, [](const ForeignStep& step, const PassRule& rule) {
    return step.ours && step.others == 0 && step.in == rule.in && step.out == rule.out &&
           step.verdict == (rule.accept ? Verdict::kAccept : Verdict::kReturn);
  });
}

std::vector<PassRule> pass_rules(std::span<const IfName> bridges,
                                 const std::optional<std::vector<std::string>>& docker_bridges,
                                 std::string_view uplink) {
  std::vector<std::string> own = {"fl-*"};
  for (const IfName& bridge : bridges) {
    // Networks without a bridge have links with names of their own, all of which begin so.
    const std::string_view prefix = routed_prefix_of(bridge.str());
    const std::string name = prefix.empty() ? bridge.str() : std::string(prefix) + "*";
    const bool there = std::ranges::find(own, name) != own.end();
    if (!there && !name.starts_with("fl-") && IfName::parse(bridge.str())) own.push_back(name);
  }
  PassRules rules;
  if (docker_bridges) leave_to_docker(own, *docker_bridges, uplink, rules);
  for (const std::string& a : own) {
    rules.add({}, a, true);
    rules.add(a, {}, true);
  }
  return rules.take();
}

std::vector<PassRule> pass_rules_for_frames() {
  PassRules rules;
  for (const std::string_view prefix :
       {kPortPrefixes[0], kPortPrefixes[1], std::string_view("flx")}) {
    const std::string ports = std::string(prefix) + "*";
    rules.add({}, ports, true);
    rules.add(ports, {}, true);
  }
  return rules.take();
}

}  // namespace fairlead::kernel
