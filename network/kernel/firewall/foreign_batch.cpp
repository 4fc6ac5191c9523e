// Requests to nf_tables about tables of others. Names of others are put into attributes and never
// into text, where they might mean something else.
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <memory>

#include "network/kernel/firewall/foreign_chains.h"

namespace fairlead::kernel {

namespace {

constexpr std::size_t kRoom = 4096;  // more than any message here is long

struct FreeRule {
  void operator()(nftnl_rule* rule) const { nftnl_rule_free(rule); }
};
using Rule = std::unique_ptr<nftnl_rule, FreeRule>;

Rule rule_in(const std::string& table, std::string_view chain) {
  Rule rule(nftnl_rule_alloc());
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, table.c_str());
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, std::string(chain).c_str());
  return rule;
}

void mark(nftnl_rule* rule) {
  std::vector<std::uint8_t> udata = {0, static_cast<std::uint8_t>(kForeignMark.size() + 1)};
  udata.insert(udata.end(), kForeignMark.begin(), kForeignMark.end());
  udata.push_back(0);
  nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, udata.data(),
                      static_cast<std::uint32_t>(udata.size()));
}

// As nft and iptables-nft write it: without its end for the beginning of a name.
void ask_name(nftnl_rule* rule, std::uint32_t key, std::string_view name) {
  if (name.empty()) return;
  nftnl_expr* meta = nftnl_expr_alloc("meta");
  nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, key);
  nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
  nftnl_rule_add_expr(rule, meta);
  std::array<char, IFNAMSIZ> whole{};
  const bool begins = name.ends_with('*');
  if (begins) name.remove_suffix(1);
  name.copy(whole.data(), whole.size() - 1);
  nftnl_expr* compare = nftnl_expr_alloc("cmp");
  nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
  nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
  nftnl_expr_set(compare, NFTNL_EXPR_CMP_DATA, whole.data(),
                 static_cast<std::uint32_t>(begins ? name.size() : whole.size()));
  nftnl_rule_add_expr(rule, compare);
}

void give_verdict(nftnl_rule* rule, int code, std::string_view chain = {}) {
  nftnl_expr* verdict = nftnl_expr_alloc("immediate");
  nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
  nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(code));
  if (!chain.empty()) nftnl_expr_set_str(verdict, NFTNL_EXPR_IMM_CHAIN, std::string(chain).c_str());
  nftnl_rule_add_expr(rule, verdict);
}

}  // namespace

std::vector<std::uint8_t> build_dump_all(std::uint16_t type, std::uint32_t seq) {
  std::vector<std::uint8_t> bytes(kRoom);
  const nlmsghdr* header = nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(bytes.data()), type,
                                                 NFPROTO_UNSPEC, NLM_F_DUMP, seq);
  bytes.resize(header->nlmsg_len);
  return bytes;
}

std::vector<std::uint8_t> build_dump_rules(std::uint8_t family, const std::string& table,
                                           const std::string& chain, std::uint32_t seq) {
  std::vector<std::uint8_t> bytes(kRoom);
  nlmsghdr* header = nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(bytes.data()), NFT_MSG_GETRULE,
                                           family, NLM_F_DUMP, seq);
  mnl_attr_put_strz(header, NFTA_RULE_TABLE, table.c_str());
  mnl_attr_put_strz(header, NFTA_RULE_CHAIN, chain.c_str());
  bytes.resize(header->nlmsg_len);
  return bytes;
}

ForeignBatch::ForeignBatch(std::uint32_t first_seq) : seq_(first_seq) {
  bytes_.resize(kRoom);
  nftnl_batch_begin(reinterpret_cast<char*>(bytes_.data()), seq_++);
  end();
  changes_ = 0;
}

nlmsghdr* ForeignBatch::begin(std::uint16_t type, std::uint16_t flags, std::uint8_t family) {
  start_ = bytes_.size();
  bytes_.resize(start_ + kRoom);
  return nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(bytes_.data() + start_), type, family,
                               static_cast<std::uint16_t>(flags | NLM_F_ACK), seq_++);
}

void ForeignBatch::end() {
  const auto* header = reinterpret_cast<const nlmsghdr*>(bytes_.data() + start_);
  bytes_.resize(start_ + MNL_ALIGN(header->nlmsg_len));
  ++changes_;
}

void ForeignBatch::add_chain(const ForeignChain& beside) {
  nlmsghdr* header = begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE, beside.family);
  mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, beside.table.c_str());
  mnl_attr_put_strz(header, NFTA_CHAIN_NAME, std::string(kForeignChain).c_str());
  end();
}

void ForeignBatch::flush_chain(const ForeignChain& beside) {
  nlmsghdr* header = begin(NFT_MSG_DELRULE, 0, beside.family);
  mnl_attr_put_strz(header, NFTA_RULE_TABLE, beside.table.c_str());
  mnl_attr_put_strz(header, NFTA_RULE_CHAIN, std::string(kForeignChain).c_str());
  end();
}

void ForeignBatch::delete_chain(const ForeignChain& beside) {
  nlmsghdr* header = begin(NFT_MSG_DELCHAIN, 0, beside.family);
  mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, beside.table.c_str());
  mnl_attr_put_strz(header, NFTA_CHAIN_NAME, std::string(kForeignChain).c_str());
  end();
}

void ForeignBatch::add_rule(const ForeignChain& beside, const PassRule& pass) {
  const Rule rule = rule_in(beside.table, kForeignChain);
  ask_name(rule.get(), NFT_META_IIFNAME, pass.in);
  ask_name(rule.get(), NFT_META_OIFNAME, pass.out);
  give_verdict(rule.get(), pass.accept ? NF_ACCEPT : NFT_RETURN);
  mark(rule.get());
  nlmsghdr* header = begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, beside.family);
  nftnl_rule_nlmsg_build_payload(header, rule.get());
  end();
}

void ForeignBatch::add_jump(const ForeignChain& base, std::uint64_t before) {
  const Rule rule = rule_in(base.table, base.name);
  if (before != 0) nftnl_rule_set_u64(rule.get(), NFTNL_RULE_POSITION, before);
  give_verdict(rule.get(), NFT_JUMP, kForeignChain);
  mark(rule.get());
  // Without NLM_F_APPEND it comes before the rule of that handle (nf_tables_newrule).
  const auto append = static_cast<std::uint16_t>(before != 0 ? 0 : NLM_F_APPEND);
  nlmsghdr* header =
      begin(NFT_MSG_NEWRULE, static_cast<std::uint16_t>(NLM_F_CREATE | append), base.family);
  nftnl_rule_nlmsg_build_payload(header, rule.get());
  end();
}

void ForeignBatch::delete_rule(const ForeignChain& chain, std::uint64_t handle) {
  const Rule rule = rule_in(chain.table, chain.name);
  nftnl_rule_set_u64(rule.get(), NFTNL_RULE_HANDLE, handle);
  nlmsghdr* header = begin(NFT_MSG_DELRULE, 0, chain.family);
  nftnl_rule_nlmsg_build_payload(header, rule.get());
  end();
}

std::pair<std::vector<std::uint8_t>, std::uint32_t> ForeignBatch::take() && {
  start_ = bytes_.size();
  bytes_.resize(start_ + kRoom);
  nftnl_batch_end(reinterpret_cast<char*>(bytes_.data() + start_), seq_++);
  end();
  return {std::move(bytes_), seq_};
}

}  // namespace fairlead::kernel
