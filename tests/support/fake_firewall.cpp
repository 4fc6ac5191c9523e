#include "tests/support/fake_firewall.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "network/api/types.h"

namespace fairlead::testing {

using kernel::Element;
using kernel::ElementBytes;
using kernel::ElementChange;
using kernel::Verdict;

namespace {

std::vector<std::uint8_t> key_of(const Element& element) {
  return {element.key.bytes().begin(), element.key.bytes().end()};
}

std::vector<std::uint8_t> last_key_of(const Element& element) {
  const auto bytes = element.key_end.empty() ? element.key.bytes() : element.key_end.bytes();
  return {bytes.begin(), bytes.end()};
}

bool same_data(const Element& a, const Element& b) {
  return a.data.bytes().size() == b.data.bytes().size() &&
         std::ranges::equal(a.data.bytes(), b.data.bytes()) && a.verdict == b.verdict;
}

// The bytes of a field in a concatenation.
std::size_t size_of(const std::string& type) {
  if (type == "ifname" || type == "iifname" || type == "ipv6_addr") return 16;
  return type == "ether_addr" ? 8 : 4;
}

// In a concatenation every field has its own interval; alone it has no padding.
bool overlap(const std::vector<std::string>& types, const Element& a, const Element& b) {
  const auto first_a = key_of(a), last_a = last_key_of(a), first_b = key_of(b),
             last_b = last_key_of(b);
  if (types.size() < 2) return first_a <= last_b && first_b <= last_a;
  std::size_t at = 0;
  for (const std::string& type : types) {
    const auto part = [&](const std::vector<std::uint8_t>& key) {
      return std::vector<std::uint8_t>(
          key.begin() + static_cast<std::ptrdiff_t>(at),
          key.begin() + static_cast<std::ptrdiff_t>(at + size_of(type)));
    };
    if (part(last_b) < part(first_a) || part(last_a) < part(first_b)) return false;
    at += size_of(type);
  }
  return true;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      // A line end separates statements.
      if (c == '\n' && !words.empty() && words.back() != "\n") words.emplace_back("\n");
      ++i;
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == '"') {
      const std::size_t end = std::min(text.find('"', i + 1), text.size() - 1);
      words.emplace_back(text.substr(i + 1, end - i - 1));
      i = end + 1;
    } else if (c == '{' || c == '}' || c == ',' || c == ';') {
      words.emplace_back(1, c);
      ++i;
    } else {
      const std::size_t end = std::min(text.find_first_of(" \t\n{},;\"", i), text.size());
      words.emplace_back(text.substr(i, end - i));
      i = end;
    }
  }
  return words;
}

Verdict::Kind verdict_kind(const std::string& word) {
  if (word == "accept") return Verdict::Kind::kAccept;
  if (word == "return") return Verdict::Kind::kReturn;
  if (word == "goto") return Verdict::Kind::kGoto;
  if (word == "jump") return Verdict::Kind::kJump;
  return Verdict::Kind::kDrop;
}

template <class T = std::uint16_t>
T number(const std::string& word) {
  T value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

// Parses `word` as `type`. Appends its first value to `first` and its last value to `last`.
Status append(const std::string& type, const std::string& word, ElementBytes& first,
              ElementBytes& last) {
  if (type == "ifname" || type == "iifname") {
    const bool beginning = word.ends_with('*');
    TRY(const IfName name, IfName::parse(word.substr(0, word.size() - (beginning ? 1 : 0))));
    first.ifname(name);
    beginning ? last.last_ifname(name) : last.ifname(name);
  } else if (type == "nf_proto") {
    first.family(word == "ipv6" ? Family::kV6 : Family::kV4);
    last.family(word == "ipv6" ? Family::kV6 : Family::kV4);
  } else if (type == "inet_proto" && std::isdigit(static_cast<unsigned char>(word[0])) != 0) {
    first.proto(number<std::uint8_t>(word));
    last.proto(number<std::uint8_t>(word.substr(word.find('-') + 1)));
  } else if (type == "inet_proto") {
    TRY(const network::Proto proto, network::parse_proto(word));
    first.proto(static_cast<std::uint8_t>(proto));
    last.proto(static_cast<std::uint8_t>(proto));
  } else if (type == "inet_service") {
    const std::size_t dash = word.find('-');
    first.port(number(word.substr(0, dash)));
    last.port(number(dash == std::string::npos ? word : word.substr(dash + 1)));
  } else if (type == "mark") {
    std::uint32_t mark = 0;
    std::from_chars(word.data() + std::min<std::size_t>(2, word.size()), word.data() + word.size(),
                    mark, 16);
    first.mark(mark);
    last.mark(mark);
  } else if (type == "vni") {
    first.vni(number<std::uint32_t>(word));
    last.vni(number<std::uint32_t>(word));
  } else if (type == "ether_addr") {
    TRY(const MacAddress mac, MacAddress::parse(word));
    first.mac(mac);
    last.mac(mac);
  } else if (type == "raw") {
    TRY(const IpAddress address, IpAddress::from_hex(word.substr(2)));
    first.address(address);
    last.address(address);
  } else if (const std::size_t dash = word.find('-'); dash != std::string::npos) {
    TRY(const IpAddress low, IpAddress::parse(word.substr(0, dash)));
    TRY(const IpAddress high, IpAddress::parse(word.substr(dash + 1)));
    first.address(low);
    last.address(high);
  } else if (word.find('/') != std::string::npos) {
    TRY(const Cidr subnet, Cidr::parse(word));
    first.address(subnet.first());
    last.address(subnet.last());
  } else {
    TRY(const IpAddress address, IpAddress::parse(word));
    first.address(address);
    last.address(address);
  }
  return {};
}

// The lines of a chain that tell where it is attached are no rules.
bool is_rule(const std::string& line) { return !line.starts_with("type ") && line[0] != '{'; }

}  // namespace

// Reads the text word by word and applies it to a copy of the state.
class FakeFirewall::Reader {
 public:
  Reader(std::string_view text, const kernel::TableName& table)
      : text_(text), words_(words_of(text)), table_(table) {}

  Result<std::optional<Table>> read(std::optional<Table> table) {
    while (at_ < words_.size()) {
      if (skip("\n") || skip(";")) continue;
      if (skip("add")) {
        TRY_STATUS(read_addition(table));
      } else if (skip("insert")) {
        TRY_STATUS(read_insertion(table));
      } else if (skip("delete")) {
        TRY_STATUS(read_deletion(table));
      } else if (skip("flush")) {
        TRY_STATUS(read_flush(table));
      } else if (names_our_table() && skip("{")) {
        if (!table) table.emplace();
        table->text += text_;
        TRY_STATUS(read_table(*table));
      } else {
        return fail(Code::kInvalid, "syntax error near {}",
                    at_ < words_.size() ? words_[at_] : "the end");
      }
    }
    return table;
  }

 private:
  bool skip(std::string_view word) {
    if (at_ >= words_.size() || words_[at_] != word) return false;
    ++at_;
    return true;
  }
  std::string next() { return at_ < words_.size() ? words_[at_++] : std::string(); }
  bool names_our_table() { return skip("table") && skip(family_) && skip(table_.name); }
  std::string rest_of_line() {
    std::string line;
    while (at_ < words_.size() && !skip("\n")) line += next() + " ";
    return line;
  }
  static tl::unexpected<Error> missing() {
    return fail(Code::kInvalid, "could not process rule: No such file or directory");
  }

  // The word after `kind` and the table: "forward" of "chain inet fairlead forward".
  std::optional<std::string> named(std::string_view kind) {
    const std::size_t here = at_;
    if (skip(kind) && skip(family_) && skip(table_.name)) return next();
    at_ = here;
    return std::nullopt;
  }

  Status read_addition(std::optional<Table>& table) {
    if (names_our_table()) {
      if (!table) table.emplace();
      if (const std::string more = rest_of_line(); !more.empty()) table->flags = more;
      return {};
    }
    if (!table) return missing();
    if (const auto chain = named("rule")) {
      if (!table->chains.contains(*chain)) return missing();
      table->chains[*chain].push_back(rest_of_line());
    } else if (const auto fresh = named("chain")) {
      Lines& lines = table->chains[*fresh];
      if (const std::string more = rest_of_line(); !more.empty()) lines.push_back(more);
    } else if (const auto set = named("set")) {
      table->sets[*set].properties.push_back(rest_of_line());
    } else {
      return fail(Code::kInvalid, "syntax error near {}", next());
    }
    return {};
  }

  // A rule before the others.
  Status read_insertion(std::optional<Table>& table) {
    const auto chain = named("rule");
    if (!chain) return fail(Code::kInvalid, "syntax error near {}", next());
    if (!table || !table->chains.contains(*chain)) return missing();
    Lines& lines = table->chains[*chain];
    lines.insert(std::ranges::find_if(lines, is_rule), rest_of_line());
    return {};
  }

  Status read_deletion(std::optional<Table>& table) {
    if (!table) return missing();
    if (names_our_table())
      table.reset();
    else if (const auto chain = named("chain"))
      return delete_chain(*table, *chain);
    else if (const auto set = named("set"))
      table->sets.erase(*set);
    else
      return fail(Code::kInvalid, "syntax error near {}", next());
    return {};
  }

  static Status delete_chain(Table& table, const std::string& chain) {
    if (!table.chains.contains(chain)) return missing();
    const auto own = std::ranges::count_if(table.chains[chain], is_rule);
    if (uses_of(table, chain) > own)
      return fail(Code::kInvalid, "could not process rule: Device or resource busy");
    table.chains.erase(chain);
    return {};
  }

  // Rules are removed; the lines that tell where the chain is attached stay.
  Status read_flush(std::optional<Table>& table) {
    if (!table) return missing();
    const auto flush = [](Lines& chain) {
      std::erase_if(chain, [](const std::string& line) { return !line.starts_with("type "); });
    };
    if (names_our_table())
      for (auto& [name, lines] : table->chains) flush(lines);
    else if (const auto chain = named("chain"))
      flush(table->chains[*chain]);
    else
      return fail(Code::kInvalid, "syntax error near {}", next());
    return {};
  }

  Status read_table(Table& table) {
    while (!skip("}")) {
      if (at_ >= words_.size()) return fail(Code::kInvalid, "syntax error, unexpected end of file");
      if (skip("comment")) {
        table.comment = next();
      } else if (skip("set") || skip("map")) {
        const std::string set_name = next();
        Set& set = table.sets[set_name];
        if (!skip("{")) return fail(Code::kInvalid, "syntax error near {}", next());
        TRY_STATUS(read_set(set_name, set));
      } else if (skip("chain")) {
        Lines& lines = table.chains[next()];
        if (!skip("{")) return fail(Code::kInvalid, "syntax error near {}", next());
        read_chain(lines);
      } else if (!skip("\n") && !skip(";")) {
        return fail(Code::kInvalid, "syntax error near {}", next());
      }
    }
    return {};
  }

  void read_chain(Lines& lines) {
    std::string line;
    int depth = 0;  // of braces in a rule
    while (at_ < words_.size() && (depth > 0 || !skip("}"))) {
      if (!skip("\n")) {
        const std::string word = next();
        depth += word == "{" ? 1 : word == "}" ? -1 : 0;
        line += word + " ";
        continue;
      }
      if (!line.empty()) lines.push_back(std::move(line));
      line.clear();
    }
  }

  Status read_set(const std::string& set_name, Set& set) {
    while (!skip("}")) {
      if (at_ >= words_.size()) return fail(Code::kInvalid, "syntax error, unexpected end of file");
      if (skip("flags")) {
        set.interval = skip("interval");
      } else if (skip("type") || skip("typeof")) {
        read_types(set);
      } else if (skip("elements")) {
        if (!skip("=") || !skip("{")) return fail(Code::kInvalid, "syntax error near {}", next());
        TRY_STATUS(read_elements(set_name, set));
      } else {
        ++at_;
      }
    }
    return {};
  }

  void read_types(Set& set) {
    set.properties.clear();
    set.key_types.clear();
    set.data_types.clear();
    for (std::size_t at = at_; at < words_.size() && words_[at] != "\n"; ++at)
      set.properties.push_back(words_[at]);
    std::vector<std::string>* types = &set.key_types;
    while (!skip("\n") && !skip(";")) {
      const std::string word = next();
      if (word == ":") {
        types = &set.data_types;
      } else if (word == "udp" && skip("dport")) {
        types->push_back("inet_service");
      } else if (word == "@th") {  // @th,96,24 or @th,64,128
        for (int rest = 0; rest < 3; ++rest) next();
        types->push_back(next() == "24" ? "vni" : "raw");
      } else if (word != "." && word != "interval") {
        types->push_back(word);
      }
    }
  }

  Status read_elements(const std::string& set_name, Set& set) {
    while (!skip("}")) {
      if (skip("\n") || skip(",")) continue;
      TRY(Element element, read_element(set));
      element.set = set_name;
      const auto key = key_of(element);
      set.elements[key] = std::move(element);
    }
    return {};
  }

  Status read_fields(const std::vector<std::string>& types, ElementBytes& first,
                     ElementBytes& last) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (i > 0 && !skip(".")) return fail(Code::kInvalid, "syntax error near {}", next());
      const std::string word = next();
      TRY_STATUS(append(types[i], word, first, last));
    }
    return {};
  }

  Result<Element> read_element(const Set& set) {
    Element element;
    ElementBytes last, last_data;
    TRY_STATUS(read_fields(set.key_types, element.key, last));
    if (set.interval) element.key_end = last;
    if (set.data_types.empty()) return element;
    if (!skip(":")) return fail(Code::kInvalid, "syntax error near {}", next());
    if (set.data_types.front() != "verdict") {
      TRY_STATUS(read_fields(set.data_types, element.data, last_data));
      if (!std::ranges::equal(element.data.bytes(), last_data.bytes()))
        element.data = element.data.until(last_data);
      return element;
    }
    Verdict verdict{.kind = verdict_kind(next())};
    if (verdict.kind == Verdict::Kind::kGoto || verdict.kind == Verdict::Kind::kJump)
      verdict.chain = next();
    element.verdict = verdict;
    return element;
  }

  std::string_view text_;
  std::vector<std::string> words_;
  const kernel::TableName& table_;
  const std::string family_ = table_.family == kernel::TableFamily::kInet ? "inet" : "bridge";
  std::size_t at_ = 0;
};

Status FakeFirewall::run(std::string_view nft_text) {
  const std::lock_guard lock(mutex_);
  if (failure_) return fail(*failure_);
  texts_.emplace_back(nft_text);
  TRY(auto state, Reader(nft_text, table_).read(state_));
  state_ = std::move(state);
  return {};
}

Status FakeFirewall::apply(std::span<const ElementChange> changes) {
  if (changes.empty()) return {};
  const std::lock_guard lock(mutex_);
  if (failure_) return fail(*failure_);
  ++transactions_;
  if (!state_)
    return fail(Code::kNotFound, "change firewall table {}: it is not there", table_.text());
  Table next = *state_;
  for (const ElementChange& one : changes) TRY_STATUS(change(next, one));
  state_ = std::move(next);
  return {};
}

Status FakeFirewall::change(Table& table, const ElementChange& change) {
  const Element& element = change.element;
  const auto set = table.sets.find(element.set);
  if (set == table.sets.end())
    return fail(Code::kNotFound, "change set {}: it is not there", element.set);
  auto& elements = set->second.elements;
  const auto there = elements.find(key_of(element));
  const bool same_key =
      there != elements.end() && last_key_of(there->second) == last_key_of(element);
  if (change.kind == ElementChange::Kind::kRemove) {
    if (same_key) elements.erase(there);
    return {};
  }
  if (element.verdict && !element.verdict->chain.empty() &&
      !table.chains.contains(element.verdict->chain))
    return fail(Code::kNotFound, "change set {}: chain {} is missing", element.set,
                element.verdict->chain);
  if (same_key) {
    if (same_data(there->second, element)) return {};
    return fail(Code::kExists, "change set {}: the key is there with other data", element.set);
  }
  // Present elements do not overlap each other, so of one field only the neighbours can overlap the
  // new one.
  const auto overlaps = [&](const auto& other) {
    return overlap(set->second.key_types, element, other.second);
  };
  const auto behind = elements.lower_bound(key_of(element));
  const bool near = (behind != elements.end() && overlaps(*behind)) ||
                    (behind != elements.begin() && overlaps(*std::prev(behind)));
  const bool in_fields = set->second.key_types.size() > 1 && !element.key_end.empty();
  if (!element.key_end.empty() && (near || (in_fields && std::ranges::any_of(elements, overlaps))))
    return fail(Code::kExists, "change set {}: the interval overlaps another one", element.set);
  elements[key_of(element)] = element;
  return {};
}

Result<std::vector<Element>> FakeFirewall::elements(std::string_view set) {
  const std::lock_guard lock(mutex_);
  if (!state_ || !state_->sets.contains(set))
    return fail(Code::kNotFound, "read set {}: it is not there", set);
  std::vector<Element> list;
  for (const auto& [key, element] : state_->sets.find(set)->second.elements)
    list.push_back(element);
  return list;
}

Result<bool> FakeFirewall::present(std::string_view table_comment) {
  const std::lock_guard lock(mutex_);
  return state_ && state_->comment == table_comment;
}

Result<std::optional<std::string>> FakeFirewall::comment() {
  const std::lock_guard lock(mutex_);
  return state_ ? std::optional(state_->comment) : std::nullopt;
}

// A rule leads to another chain by its last words, "jump limits" or "goto limits".
std::uint32_t FakeFirewall::uses_of(const Table& table, std::string_view chain) {
  std::size_t uses = 0;
  const auto leads_there = [&](const std::string& rule) {
    for (const std::string_view how : {"jump ", "goto "})
      if (rule.ends_with(fmt::format("{}{} ", how, chain))) return true;
    return false;
  };
  for (const auto& [name, lines] : table.chains) {
    const auto own = std::ranges::count_if(lines, is_rule);
    uses += static_cast<std::size_t>(name == chain ? own : 0);
    uses += static_cast<std::size_t>(std::ranges::count_if(lines, leads_there));
  }
  for (const auto& [name, set] : table.sets)
    uses += static_cast<std::size_t>(std::ranges::count_if(set.elements, [&](const auto& each) {
      return each.second.verdict && each.second.verdict->chain == chain;
    }));
  return static_cast<std::uint32_t>(uses);
}

Result<std::uint32_t> FakeFirewall::chain_uses(std::string_view chain) {
  const std::lock_guard lock(mutex_);
  return state_ ? uses_of(*state_, chain) : 0U;
}

kernel::TableShape FakeFirewall::shape_of(const std::optional<Table>& table) {
  kernel::TableShape shape;
  if (!table) return shape;
  shape.parts["the table"] = table->comment + "\n" + table->flags;
  for (const auto& [name, set] : table->sets)
    shape.parts["set " + name] = fmt::format("{}", fmt::join(set.properties, " "));
  for (const auto& [name, lines] : table->chains) {
    std::string& properties = shape.parts["chain " + name];
    for (const std::string& line : lines)
      is_rule(line) ? shape.rules[name].push_back(line) : void(properties += line);
  }
  return shape;
}

Result<std::vector<std::string>> FakeFirewall::differences(std::string_view nft_text) {
  const std::lock_guard lock(mutex_);
  if (failure_) return fail(*failure_);
  TRY(const auto want, Reader(nft_text, table_).read(std::nullopt));
  return kernel::shape_differences(shape_of(state_), shape_of(want));
}

Result<std::string> FakeFirewall::list_text() {
  const std::lock_guard lock(mutex_);
  return state_ ? state_->text : std::string();
}

std::vector<std::string> FakeFirewall::texts() const {
  const std::lock_guard lock(mutex_);
  return texts_;
}

std::size_t FakeFirewall::transactions() const {
  const std::lock_guard lock(mutex_);
  return transactions_;
}

void FakeFirewall::flush() {
  const std::lock_guard lock(mutex_);
  state_.reset();
}

void FakeFirewall::fail_with(std::optional<Error> error) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(error);
}

}  // namespace fairlead::testing
