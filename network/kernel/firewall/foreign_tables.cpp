#include "network/kernel/firewall/foreign_tables.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "network/kernel/firewall/foreign_firewall_rules.h"
#include "network/kernel/host/own_names.h"

namespace fairlead::kernel {

namespace {

constexpr int kMostAttempts = 5;
constexpr std::string_view kOwnTable = "fairlead";
constexpr std::string_view kDockerUser = "DOCKER-USER", kDocker = "DOCKER",
                           kDockerBridge = "DOCKER-BRIDGE", kFirewalld = "firewalld";

bool is_ours(const ForeignChain& chain) {
  return chain.table == kOwnTable &&
         (chain.family == NFPROTO_INET || chain.family == NFPROTO_BRIDGE);
}

std::string name_of(const ForeignChain& chain) {
  return fmt::format("{} {}, chain {}", family_name(chain.family), chain.table, chain.name);
}

// For people, who paste it into a shell.
bool may_be_pasted(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string command_for(const ForeignChain& chain) {
  if (!may_be_pasted(chain.table) || !may_be_pasted(chain.name)) return {};
  const std::string where =
      fmt::format("nft insert rule {} {} {}", family_name(chain.family), chain.table, chain.name);
  const auto pass = [&](const std::string_view prefix) {
    return fmt::format("{0} iifname '\"{1}*\"' accept; {0} oifname '\"{1}*\"' accept", where,
                       prefix);
  };
  // Ports of bridges; and bridges, and the links of networks without one.
  const auto [own, named] = chain.family == NFPROTO_BRIDGE ? kPortPrefixes : kRoutedPrefixes;
  const std::string links = pass(own) + "; " + pass(named);
  return chain.family == NFPROTO_BRIDGE ? links : pass("fl-") + "; " + links;
}

}  // namespace

Result<NetfilterSocket*> ForeignTables::socket() {
  if (!socket_) {
    TRY(auto opened, NetfilterSocket::open());
    socket_ = std::move(opened);
  }
  return &*socket_;
}

Result<std::vector<ForeignChain>> ForeignTables::chains() {
  TRY(NetfilterSocket* const socket, this->socket());
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    std::vector<ForeignChain> found;
    const std::uint32_t seq = socket->next_seq();
    const Status dumped = socket->dump(build_dump_all(NFT_MSG_GETCHAIN, seq), seq,
                                       [&](std::span<const std::uint8_t> message) -> Status {
                                         auto chain = parse_foreign_chain(message);
                                         if (chain && !is_ours(*chain))
                                           found.push_back(std::move(*chain));
                                         return {};
                                       });
    if (dumped) return found;
    if (dumped.error().code != Code::kUnavailable)
      return fail(with_context(dumped.error(), "list the chains of other firewalls"));
  }
  return fail(Code::kUnavailable, "list the chains of other firewalls: they change too fast");
}

Result<std::vector<ForeignStep>> ForeignTables::rules(const ForeignChain& chain) {
  TRY(NetfilterSocket* const socket, this->socket());
  std::vector<ForeignStep> found;
  const std::uint32_t seq = socket->next_seq();
  const auto request = build_dump_rules(chain.family, chain.table, chain.name, seq);
  TRY_STATUS(socket->dump(request, seq, [&](std::span<const std::uint8_t> message) -> Status {
    if (auto step = parse_foreign_rule(message)) found.push_back(std::move(*step));
    return {};
  }));
  return found;
}

Result<std::string> ForeignTables::fingerprint() {
  TRY(const auto all, chains());
  std::string text;
  for (const ForeignChain& chain : all)
    if (chain.forwards || chain.name == kForeignChain || chain.table == kFirewalld)
      text += fmt::format("{} {} {} {} {} {}\n", chain.family, chain.table, chain.name,
                          chain.handle, chain.policy_drops, chain.rules);
  return text;
}

// With its backend "iptables" it has a chain of that name in ip filter.
Result<bool> ForeignTables::has_firewalld() {
  TRY(const auto all, chains());
  return std::ranges::any_of(all, [](const ForeignChain& chain) {
    return chain.table == kFirewalld || chain.name == "FORWARD_direct";
  });
}

Result<std::vector<Obstacle>> ForeignTables::pass(Do what, const Passage& passage) {
  for (int attempt = 1;; ++attempt) {
    auto done = try_pass(what, passage);
    // Something was changed while it was looked at.
    const bool again =
        !done && (done.error().code == Code::kUnavailable || done.error().code == Code::kNotFound);
    if (!again || attempt == kMostAttempts) return done;
  }
}

// What is wrong with one table keeps nobody from the others.
Result<std::vector<Obstacle>> ForeignTables::try_pass(Do what, const Passage& passage) {
  TRY(const auto all, chains());
  std::map<TableKey, Table> tables;
  for (const ForeignChain& chain : all) {
    Table& table = tables[{chain.family, chain.table}];
    table.chains.emplace(chain.name, chain);
    if (chain.forwards) table.bases.push_back({.chain = chain, .opening = {}});
  }
  TRY(const auto asleep, dormant());
  std::vector<Obstacle> obstacles;
  for (auto& [key, table] : tables) {
    if (asleep.contains(key)) table.bases.clear();
    const bool left = table.chains.contains(std::string(kForeignChain));
    if (table.bases.empty() && !left) continue;
    TRY_STATUS(look(key, table));
    std::vector<PassRule> rules;
    const bool drops =
        std::ranges::any_of(table.bases, [](const Base& base) { return base.opening.drops; });
    if (what == Do::kOpen && drops) {
      TRY(rules, wanted(key, table, passage));
    }
    const Status changed = what == Do::kLook ? Status() : change(table, rules);
    if (!changed && changed.error().code == Code::kNotFound) return fail(changed.error());
    for (const Base& base : table.bases)
      if (base.opening.drops)
        obstacles.push_back({.chain = name_of(base.chain),
                             .command = command_for(base.chain),
                             .opened = what == Do::kOpen
                                           ? changed.has_value()
                                           : what == Do::kLook && base.opening.in_place,
                             .why = changed ? "" : changed.error().text,
                             .owned = !changed && changed.error().code == Code::kUnsupported});
  }
  return obstacles;
}

Result<std::set<ForeignTables::TableKey>> ForeignTables::dormant() {
  TRY(NetfilterSocket* const socket, this->socket());
  std::set<TableKey> found;
  const std::uint32_t seq = socket->next_seq();
  TRY_STATUS(socket->dump(build_dump_all(NFT_MSG_GETTABLE, seq), seq,
                          [&](std::span<const std::uint8_t> message) -> Status {
                            const auto table = parse_foreign_table(message);
                            if (table && table->dormant) found.emplace(table->family, table->name);
                            return {};
                          }));
  return found;
}

Status ForeignTables::look(const TableKey& key, Table& table) {
  for (Base& base : table.bases) {
    TRY(const auto steps, rules(base.chain));
    const RulesOf rules_of = [&](const std::string& name) {
      return rules({.family = key.first, .table = key.second, .name = name});
    };
    TRY(base.opening, find_opening(base.chain, steps, rules_of));
  }
  return {};
}

Result<std::vector<PassRule>> ForeignTables::wanted(const TableKey& key, const Table& table,
                                                    const Passage& passage) {
  if (key.first == NFPROTO_BRIDGE) return pass_rules_for_frames();
  std::optional<std::vector<std::string>> dockers;
  if (table.chains.contains(std::string(kDockerUser))) {
    std::set<std::string> names;
    const auto collect = [&](const ForeignChain& chain) -> Status {
      TRY(const auto steps, rules(chain));
      for (const ForeignStep& step : steps)
        if (step.target == kDocker && !step.out.empty()) names.insert(step.out);
      return {};
    };
    for (const Base& base : table.bases) TRY_STATUS(collect(base.chain));
    const auto bridges = table.chains.find(std::string(kDockerBridge));
    if (bridges != table.chains.end()) TRY_STATUS(collect(bridges->second));
    std::erase_if(names, [](const std::string& name) { return !is_dockers_own_name(name); });
    dockers.emplace(names.begin(), names.end());
  }
  return pass_rules(passage.bridges, dockers,
                    key.first == NFPROTO_IPV6 ? passage.uplink_v6 : passage.uplink_v4);
}

// Without `wanted` nothing of ours is left.
Status ForeignTables::change(const Table& table, std::span<const PassRule> wanted) {
  TRY(NetfilterSocket* const socket, this->socket());
  ForeignBatch batch(socket->next_seq());
  const auto own = table.chains.find(std::string(kForeignChain));
  const ForeignChain& beside = own != table.chains.end() ? own->second : table.bases.front().chain;
  std::vector<ForeignStep> present;
  if (own != table.chains.end()) {
    TRY(present, rules(own->second));
    if (!std::ranges::all_of(present, &ForeignStep::ours)) {
      if (wanted.empty()) return {};
      return fail(Code::kExists, "its chain {} is not Fairlead's", kForeignChain);
    }
  }
  const bool right = own != table.chains.end() && are_rules(present, wanted);
  if (!wanted.empty() && !right) {
    if (own == table.chains.end()) batch.add_chain(beside);
    if (own != table.chains.end()) batch.flush_chain(beside);
    for (const PassRule& rule : wanted) batch.add_rule(beside, rule);
  }
  for (const Base& base : table.bases) {
    const bool opens = !wanted.empty() && base.opening.drops;
    if (opens && base.opening.in_place) continue;
    for (const std::uint64_t handle : base.opening.ours) batch.delete_rule(base.chain, handle);
    if (opens) batch.add_jump(base.chain, base.opening.before);
  }
  // An earlier version had rules there.
  const auto user = table.chains.find(std::string(kDockerUser));
  if (user != table.chains.end()) {
    TRY(const auto steps, rules(user->second));
    for (const ForeignStep& step : steps)
      if (step.ours) batch.delete_rule(user->second, step.handle);
  }
  if (wanted.empty() && own != table.chains.end()) {
    batch.flush_chain(beside);
    batch.delete_chain(beside);
  }
  return batch.empty() ? Status() : send(std::move(batch));
}

Status ForeignTables::send(ForeignBatch batch) {
  TRY(NetfilterSocket* const socket, this->socket());
  const auto [bytes, next] = std::move(batch).take();
  socket->advance_seq(next);
  TRY_STATUS(socket->send(bytes));
  TRY(const Answers answers, socket->receive());
  for (const Reply& reply : answers.replies) {
    if (reply.error == ENOENT || reply.error == EBUSY || reply.error == ERESTART)
      return fail(Code::kNotFound, "it was changed meanwhile");
    if (reply.error == EPERM)
      return fail(Code::kUnsupported, "only the program that made the table may change it");
    if (reply.error != 0) return fail_errno(reply.error, "write a rule");
  }
  if (answers.replies.empty()) return fail(Code::kIo, "the kernel does not answer");
  return {};
}

}  // namespace fairlead::kernel
