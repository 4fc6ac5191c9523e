#include "network/nat/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "network/nat/entries.h"

namespace fairlead::nat {

namespace {

constexpr std::string_view kPrefix = "limit_";

// `suffix` ends the name of the chain. `type` is that of its set, and `key` what a packet has of it.
struct Counter {
  std::string_view suffix, type, key;
};
constexpr auto kCounters = std::to_array<Counter>({
    {"", "inet_proto . inet_service", "meta l4proto . th dport"},
    {"_family", "nf_proto . inet_proto . inet_service", "meta nfproto . meta l4proto . th dport"},
    {"_v4", "inet_proto . ipv4_addr . inet_service", "meta l4proto . ip daddr . th dport"},
    {"_v6", "inet_proto . ipv6_addr . inet_service", "meta l4proto . ip6 daddr . th dport"},
});

const Counter& counter_of(std::string_view chain) {
  for (const Counter& counter : kCounters)
    if (!counter.suffix.empty() && chain.ends_with(counter.suffix)) return counter;
  return kCounters.front();
}

std::string_view suffix_of(LimitScope scope, Family family) {
  switch (scope) {
    case LimitScope::kPort:
      return "";
    case LimitScope::kFamily:
      return "_family";
    case LimitScope::kAddress:
      break;
  }
  return family == Family::kV4 ? "_v4" : "_v6";
}

}  // namespace

std::string limit_chain(std::uint32_t connections, LimitScope scope, Family family) {
  return fmt::format("{}{}{}", kPrefix, connections, suffix_of(scope, family));
}

std::uint32_t connections_of(std::string_view limit_chain) {
  std::uint32_t connections = 0;
  if (!limit_chain.starts_with(kPrefix)) return connections;
  limit_chain.remove_prefix(kPrefix.size());
  std::from_chars(limit_chain.data(), limit_chain.data() + limit_chain.size(), connections);
  return connections;
}

// The kernel collects elements that count nothing any more (nft_rhash_gc in net/netfilter/nft_set_hash.c), so that
// packets make them, and not ports: the number is the rule's.
std::string limit_text(std::string_view limit_chain) {
  const Counter& counter = counter_of(limit_chain);
  return fmt::format(
      "\tset {0} {{\n\t\ttype {1}\n\t\tflags dynamic\n\t}}\n"
      "\tchain {0} {{\n\t\tadd @{0} {{ {2} ct count over {3} }} goto refused\n\t}}\n",
      limit_chain, counter.type, counter.key, connections_of(limit_chain));
}

bool is_limit(std::string_view chain) {
  const std::uint32_t connections = connections_of(chain);
  if (connections == 0) return false;
  for (const LimitScope scope : {LimitScope::kPort, LimitScope::kFamily, LimitScope::kAddress})
    for (const Family family : {Family::kV4, Family::kV6})
      if (chain == limit_chain(connections, scope, family)) return true;
  return false;
}

std::vector<std::string> limits_of(const NatState& state) {
  std::vector<std::string> chains;
  for (const Entry& entry : entries_of(state, TableFamily::kInet))
    if (entry.verdict && is_limit(entry.verdict->chain)) chains.push_back(entry.verdict->chain);
  std::ranges::sort(chains);
  chains.erase(std::unique(chains.begin(), chains.end()), chains.end());
  return chains;
}

// The first command fails where there is no table.
std::string render_limits(std::span<const std::string> chains) {
  const TableFamily family = TableFamily::kInet;
  const std::string table = kernel::TableName{std::string(kTable), family}.text();
  std::string commands, text;
  for (const std::string& chain : chains) {
    commands += fmt::format("add chain {0} {1}\nflush chain {0} {1}\n", table, chain);
    text += limit_text(chain);
  }
  return fmt::format("{}table {} {{\n{}}}\n", commands, table, text);
}

std::string render_no_limit(std::string_view chain) {
  return fmt::format("flush chain {0} {1}\ndelete chain {0} {1}\ndelete set {0} {1}\n",
                     kernel::TableName{std::string(kTable), TableFamily::kInet}.text(), chain);
}

}  // namespace fairlead::nat
