#include "network/service/table_sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "network/nat/describe.h"

namespace fairlead::network {

namespace {

using kernel::Element;

std::string named(const Element& element) {
  return fmt::format("element {} of set {}", nat::describe(element), element.set);
}

// Both are sorted.
std::vector<std::string> compare(const std::vector<Element>& have,
                                 const std::vector<Element>& want) {
  std::vector<Element> missing, foreign;
  std::ranges::set_difference(want, have, std::back_inserter(missing));
  std::ranges::set_difference(have, want, std::back_inserter(foreign));
  std::vector<std::string> words;
  for (const Element& element : missing) {
    const auto other = std::ranges::find(foreign, element.key, &Element::key);
    words.push_back(named(element) +
                    (other == foreign.end() ? " is missing" : " is not as written"));
    if (other != foreign.end()) foreign.erase(other);
  }
  for (const Element& element : foreign) words.push_back(named(element) + " is nobody's");
  return words;
}

// "limit_100" of the words "chain limit_100 is nobody's" and "set limit_100 is nobody's"; empty: they
// are about something else.
std::string_view limit_of_others(std::string_view word) {
  constexpr std::string_view kNobodys = " is nobody's";
  if (!word.ends_with(kNobodys)) return {};
  word.remove_suffix(kNobodys.size());
  const std::string_view name = word.substr(word.find(' ') + 1);
  const bool part = word.starts_with("chain ") || word.starts_with("set ");
  return part && nat::is_limit(name) ? name : std::string_view();
}

// A table that this kernel may not have. Its hook is what the kernel has to know.
constexpr std::string_view kLimitProbe =
    "table inet fairlead-probe {\n\tset counted {\n\t\ttype inet_service\n\t\tflags dynamic\n\t}\n"
    "\tchain count {\n\t\tadd @counted { th dport ct count over 1 } drop\n\t}\n}\n"
    "delete table inet fairlead-probe\n";
constexpr std::string_view kBridgeProbe =
    "table bridge fairlead-probe {\n\tchain from_ports {\n\t\ttype filter hook prerouting priority "
    "-300; policy accept;\n\t}\n}\ndelete table bridge fairlead-probe\n";

}  // namespace

Result<std::string> TableSync::change(const nat::NatState& before, const nat::NatState& after) {
  if (left_out()) return std::string();
  const auto changes = nat::difference(before, after, family_);
  if (changes.empty()) return std::string();
  Status done = firewall_.apply(changes);
  if (!done && done.error().code == Code::kNotFound && make_limits(after))
    done = firewall_.apply(changes);
  if (done) {
    drop_limits(before, after);
    return std::string();
  }
  if (done.error().code != Code::kNotFound && done.error().code != Code::kExists)
    return fail(done.error());
  TRY_STATUS(render());
  return done.error().text;
}

Result<std::string> TableSync::replace(std::span<const std::string_view> sets,
                                       const nat::NatState& state) {
  if (left_out()) return std::string();
  std::vector<Element> have;
  for (const std::string_view set : sets) {
    auto elements = firewall_.elements(set);
    if (!elements && elements.error().code == Code::kNotFound) {
      TRY_STATUS(render());
      return elements.error().text;
    }
    if (!elements) return fail(elements.error());
    std::ranges::move(*elements, std::back_inserter(have));
  }
  std::ranges::sort(have);
  const auto want = nat::elements_of(state, family_);
  std::vector<kernel::ElementChange> changes;
  const auto add = [&](kernel::ElementChange::Kind kind, const std::vector<Element>& these,
                       const std::vector<Element>& others) {
    for (const Element& element : these)
      if (!std::ranges::binary_search(others, element))
        changes.push_back({.kind = kind, .element = element});
  };
  add(kernel::ElementChange::Kind::kRemove, have, want);
  add(kernel::ElementChange::Kind::kAdd, want, have);
  if (changes.empty()) return std::string();
  const Status done = firewall_.apply(changes);
  if (done) return std::string();
  if (done.error().code != Code::kNotFound && done.error().code != Code::kExists)
    return fail(done.error());
  TRY_STATUS(render());
  return done.error().text;
}

Status TableSync::drop(const nat::NatState& state) {
  if (left_out()) return {};
  const Status done = firewall_.apply(nat::difference(state, {}, family_));
  if (done) drop_limits(state, {});
  if (!done && done.error().code == Code::kNotFound) return {};
  return done;
}

// The first port with a limit has no chain yet to lead to.
bool TableSync::make_limits(const nat::NatState& state) {
  if (family_ != kernel::TableFamily::kInet) return false;
  const auto limits = nat::limits_of(state);
  return !limits.empty() && firewall_.run(nat::render_limits(limits)).has_value();
}

void TableSync::drop_limits(const nat::NatState& before, const nat::NatState& after) {
  if (family_ != kernel::TableFamily::kInet) return;
  const auto had = nat::limits_of(before), has = nat::limits_of(after);
  for (const std::string& chain : had)
    if (!std::ranges::binary_search(has, chain)) drop_limit(chain);
}

// Only the chain's own rule is left of the uses of a chain that no port needs. Somebody may need it
// again at this moment, and then the kernel refuses.
void TableSync::drop_limit(const std::string& chain) {
  const auto uses = firewall_.chain_uses(chain);
  if (!uses || *uses != 1) return;
  if (const Status done = firewall_.run(nat::render_no_limit(chain)); !done)
    log::debug("a limit of connections is needed again", {{"error", done.error().text}});
}

Result<bool> TableSync::present() {
  if (left_out()) return true;
  return firewall_.present(nat::table_comment(ownership_.mark(), family_));
}

Status TableSync::ensure() {
  TRY(const bool there, present());
  return there ? Status() : render();
}

Result<bool> TableSync::restore() {
  {
    const std::scoped_lock hold(guard_);
    unsupported_.clear();
  }
  TRY(const auto comment, firewall_.comment());
  if (comment) return false;
  TRY_STATUS(render());
  return !left_out();
}

Status TableSync::render() {
  if (left_out()) return {};
  TRY(const auto wanted, wanted_());
  TRY_STATUS(ownership_.claim());
  const Status written = write(nat::render(wanted, ownership_.mark(), family_));
  if (written || nat::limits_of(wanted).empty() || firewall_.run(kLimitProbe)) return written;
  return fail(Code::kUnsupported,
              "this kernel cannot limit the connections to a port (CONFIG_NFT_CONNLIMIT)");
}

// The kernel may lack the family bridge (CONFIG_NF_TABLES_BRIDGE), which is found when the table is
// first written.
Status TableSync::write(const std::string& text) {
  Status written = firewall_.run(text);
  if (written || family_ != kernel::TableFamily::kBridge) return written;
  const Status probed = firewall_.run(kBridgeProbe);
  if (probed) return written;
  const std::scoped_lock hold(guard_);
  unsupported_ = probed.error().text;
  if (!std::exchange(told_, true))
    log::warn("this kernel cannot check what containers send into bridges",
              {{"error", unsupported_}});
  return {};
}

Status TableSync::keep() {
  TRY(const auto comment, firewall_.comment());
  if (comment && ownership_.is_foreign(*comment)) return {};
  return ensure();
}

Status TableSync::withdraw() {
  if (left_out()) return {};
  TRY(const auto comment, firewall_.comment());
  if (!comment || ownership_.is_foreign(*comment)) return {};
  return firewall_.run(nat::render_nothing(family_));
}

// A chain that counts connections does nothing unless an element leads to it, and elements are compared.
Result<std::vector<std::string>> TableSync::altered_chains(const nat::NatState& state) {
  if (left_out()) return std::vector<std::string>();
  TRY(auto words, firewall_.differences(nat::render_chains(ownership_.mark(), family_, state)));
  std::erase_if(words, [](const std::string& word) { return !limit_of_others(word).empty(); });
  return words;
}

// Those that a process left behind when it was killed.
Status TableSync::tidy_limits() {
  if (left_out() || family_ != kernel::TableFamily::kInet) return {};
  TRY(const auto wanted, wanted_());
  TRY(const auto words,
      firewall_.differences(nat::render_chains(ownership_.mark(), family_, wanted)));
  for (const std::string& word : words)
    if (word.starts_with("chain ")) drop_limit(std::string(limit_of_others(word)));
  return {};
}

// Compares the elements of all sets, also of those that should be empty. Missing sets are left out.
Result<std::vector<std::string>> TableSync::altered_elements(const nat::NatState& wanted) {
  std::map<std::string, std::vector<Element>, std::less<>> sets;
  for (Element& element : nat::elements_of(wanted, family_))
    sets[element.set].push_back(std::move(element));
  std::vector<std::string> words;
  for (const std::string_view name : nat::set_names(family_)) {
    auto have = firewall_.elements(name);
    if (!have && have.error().code == Code::kNotFound) continue;
    if (!have) return fail(have.error());
    std::ranges::sort(*have);
    std::ranges::move(compare(*have, sets[std::string(name)]), std::back_inserter(words));
  }
  return words;
}

Result<std::vector<std::string>> TableSync::differences() {
  if (left_out()) return std::vector<std::string>();
  const bool inet = family_ == kernel::TableFamily::kInet;
  const std::string table = inet ? "the table" : "the table of bridges";
  TRY(const auto comment, firewall_.comment());
  if (!comment) return std::vector<std::string>{table + " is missing"};
  if (*comment != nat::table_comment(ownership_.mark(), family_))
    return std::vector<std::string>{table + " is of another version"};
  TRY(const auto wanted, wanted_());
  TRY(auto words, altered_chains(wanted));
  TRY(auto elements, altered_elements(wanted));
  std::ranges::move(elements, std::back_inserter(words));
  return words;
}

Result<std::string> TableSync::lacking(const nat::NatState& state) {
  if (left_out()) return std::string();
  std::map<std::string, std::vector<Element>> sets;
  for (const Element& element : nat::elements_of(state, family_)) {
    const auto [set, fresh] = sets.try_emplace(element.set);
    if (fresh) {
      TRY(set->second, firewall_.elements(element.set));
    }
    if (std::ranges::find(set->second, element) == set->second.end()) return named(element);
  }
  return std::string();
}

std::string TableSync::unsupported() const {
  const std::scoped_lock hold(guard_);
  return unsupported_;
}

}  // namespace fairlead::network
