// Chains of other firewalls in nf_tables: what the kernel tells of them, which of them drop what
// nobody accepts, and where a rule has to stand so that what Fairlead's bridges forward passes. Pure
// functions; any bytes are safe to read.
//
// A chain at the hook "forward" is opened with one rule, marked by the comment "fairlead", that jumps
// to a chain "fairlead" in the same table. The rule stands as late as it can: directly before the
// rule that drops whatever comes to it (firewalld's last reject, a jump to a chain that drops
// everything), or at the end when it is the policy that drops. So every other rule is asked first,
// except those of a chain that drops everything at its end: such a chain may also be a part of the
// host's input, where ours has no business.
// An accept in the chain "fairlead" ends the rules of that base chain only; our own table is asked as
// before.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/names.h"
#include "base/result.h"

namespace fairlead::kernel {

inline constexpr std::string_view kForeignMark = "fairlead";   // comment of our rules
inline constexpr std::string_view kForeignChain = "fairlead";  // our chain in a table of others

// NFT_MSG_NEWCHAIN.
struct ForeignChain {
  std::uint8_t family = 0;  // NFPROTO_INET, ...
  std::string table, name;
  std::uint64_t handle = 0;
  bool forwards = false;      // a base chain of type filter at the hook forward
  bool policy_drops = false;  // base chains only
  std::uint32_t rules = 0;    // of a base chain: how many there are. Of others: and jumps to it
  bool operator==(const ForeignChain&) const = default;
};
std::optional<ForeignChain> parse_foreign_chain(std::span<const std::uint8_t> message);

// "inet mine", "ip6 filter"; families without packets of containers have no name.
std::string_view family_name(std::uint8_t family);

// NFT_MSG_NEWTABLE.
struct ForeignTable {
  std::uint8_t family = 0;
  std::string name;
  bool dormant = false;  // its chains are asked by nobody
};
std::optional<ForeignTable> parse_foreign_table(std::span<const std::uint8_t> message);

// NFT_MSG_NEWRULE, as far as it matters here.
struct ForeignStep {
  enum class Verdict { kNone, kAccept, kDrop, kReturn, kJump, kGoto };
  std::uint64_t handle = 0;
  bool always = false;  // it has no condition
  Verdict verdict = Verdict::kNone;
  std::string target{};  // of kJump and kGoto
  // The interfaces that it asks for, with '*' for the rest of a name; empty: it does not ask.
  std::string in{}, out{};
  unsigned others = 0;  // how many other conditions it has
  bool ours = false;    // it has our comment
};
std::optional<ForeignStep> parse_foreign_rule(std::span<const std::uint8_t> message);

using RulesOf = std::function<Result<std::vector<ForeignStep>>(const std::string& chain)>;

// What becomes of a packet that no rule with a condition decides on.
struct Opening {
  bool drops = false;  // it is dropped, so the chain has to be opened
  // Our rule has to stand directly before this one; 0: at the end.
  std::uint64_t before = 0;
  // Our rules that are there, and whether there is exactly one, in its place.
  std::vector<std::uint64_t> ours{};
  bool in_place = false;
};
// Rules of chains that are jumped to without a condition are asked of `rules_of`.
Result<Opening> find_opening(const ForeignChain& chain, std::span<const ForeignStep> rules,
                             const RulesOf& rules_of);

// A rule of our chain in a table of others. Names may end with '*', and may be empty.
struct PassRule {
  std::string in, out;
  bool accept = true;  // false: the rules after ours decide
  bool operator==(const PassRule&) const = default;
};

// Whether these are the rules of our chain.
bool are_rules(std::span<const ForeignStep> steps, std::span<const PassRule> wanted);

// The rules of our chain. `docker_bridges` is what Docker's own rules in that table name, with
// docker* and br-*; std::nullopt where Docker has no rules. Where it has, its rules decide on what
// goes to its containers; see foreign_firewall_rules.h. `uplink`: the interface of the default route.
std::vector<PassRule> pass_rules(std::span<const IfName> bridges,
                                 const std::optional<std::vector<std::string>>& docker_bridges,
                                 std::string_view uplink);
// The same for frames: the ports of containers.
std::vector<PassRule> pass_rules_for_frames();

// ---- requests

std::vector<std::uint8_t> build_dump_all(std::uint16_t type, std::uint32_t seq);
std::vector<std::uint8_t> build_dump_rules(std::uint8_t family, const std::string& table,
                                           const std::string& chain, std::uint32_t seq);

// One transaction on tables of others.
class ForeignBatch {
 public:
  explicit ForeignBatch(std::uint32_t first_seq);
  void add_chain(const ForeignChain& beside);     // our chain, in the table of `beside`
  void flush_chain(const ForeignChain& beside);   // all rules of our chain
  void delete_chain(const ForeignChain& beside);  // our chain, which no rule jumps to
  void add_rule(const ForeignChain& beside, const PassRule& rule);  // to our chain
  void add_jump(const ForeignChain& base, std::uint64_t before);    // Opening::before
  void delete_rule(const ForeignChain& chain, std::uint64_t handle);
  bool empty() const { return changes_ == 0; }
  // The bytes, and the sequence number after the last one used.
  std::pair<std::vector<std::uint8_t>, std::uint32_t> take() &&;

 private:
  nlmsghdr* begin(std::uint16_t type, std::uint16_t flags, std::uint8_t family);
  void end();

  std::vector<std::uint8_t> bytes_;
  std::size_t start_ = 0;
  std::uint32_t seq_;
  std::size_t changes_ = 0;
};

}  // namespace fairlead::kernel
