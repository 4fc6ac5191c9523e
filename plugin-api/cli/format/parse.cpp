#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/json/json.h"
#include "plugin-api/cli/format/nodes.h"

namespace fairlead::format {

namespace {

constexpr int kDeepest = 32;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// As docker: who writes '{{.Name}}\t{{.Driver}}' in a shell means a tab.
std::string with_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const bool escape = text[i] == '\\' && (next == 't' || next == 'n');
    plain += escape ? (next == 't' ? '\t' : '\n') : text[i];
    i += escape ? 1 : 0;
  }
  return plain;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Parsed> parse() {
    const std::size_t start = skipped(0);
    if (text_.find("{{") == std::string_view::npos && start < text_.size() && text_[start] == '.')
      return parse_path();
    std::string ended;
    TRY(auto nodes, parse_nodes(0, ended));
    if (!ended.empty()) return wrong(last_action_, fmt::format("{{{{{}}}}} ends nothing", ended));
    return Parsed{std::move(nodes), false};
  }

 private:
  tl::unexpected<Error> wrong(std::size_t at, std::string_view message) const {
    return fail_at(text_, at, message);
  }

  Result<Parsed> parse_path() {
    pos_ = skipped(0);
    Node node{.kind = Node::Kind::kShow};
    TRY(auto operand, parse_operand(0));
    skip_spaces();
    if (pos_ < text_.size()) return wrong(pos_, "a path ends here; a template stands in {{ }}");
    node.pipe.commands.push_back({std::move(operand)});
    return Parsed{{std::move(node)}, true};
  }

  // Until the end, or the action that ends the nodes, which goes into `ended`: "end", "else".
  Result<std::vector<Node>> parse_nodes(int depth, std::string& ended) {
    std::vector<Node> nodes;
    if (depth > kDeepest) return wrong(pos_, "it is nested too deep");
    while (ended.empty() && pos_ < text_.size()) {
      const std::size_t open = std::min(text_.find("{{", pos_), text_.size());
      take_text(open, nodes);
      if (open == text_.size()) break;
      TRY_STATUS(parse_action(depth, nodes, ended));
    }
    return nodes;
  }

  void take_text(std::size_t open, std::vector<Node>& nodes) {
    std::string_view text = text_.substr(pos_, open - pos_);
    if (trim_next_)
      while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    trim_next_ = false;
    const bool trims = text_.substr(open).starts_with("{{-") && open + 3 < text_.size() &&
                       is_space(text_[open + 3]);
    if (trims)
      while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    if (!text.empty()) nodes.push_back({.kind = Node::Kind::kText, .text = with_escapes(text)});
    pos_ = open + (trims ? 3 : 2);
    last_action_ = open;
  }

  Status parse_action(int depth, std::vector<Node>& nodes, std::string& ended) {
    skip_spaces();
    if (text_.substr(pos_).starts_with("/*")) {
      const std::size_t end = text_.find("*/", pos_ + 2);
      if (end == std::string_view::npos) return wrong(pos_, "the comment has no end");
      pos_ = end + 2;
      return close();
    }
    const std::string word = keyword();
    if (word == "end" || word == "else") {
      ended = word;
      return word == "else" && !closes() ? Status() : close();
    }
    for (const char* unknown : {"define", "template", "block", "break", "continue"})
      if (word == unknown) return wrong(last_action_, fmt::format("{} is not known here", word));
    Node node{.kind = word == "if"      ? Node::Kind::kIf
                      : word == "with"  ? Node::Kind::kWith
                      : word == "range" ? Node::Kind::kRange
                                        : Node::Kind::kShow};
    if (node.kind == Node::Kind::kShow) pos_ -= word.size();
    TRY(node.pipe, parse_pipe(depth));
    TRY_STATUS(close());
    if (node.kind == Node::Kind::kShow) {
      if (!node.pipe.variables.empty()) node.kind = Node::Kind::kSet;
    } else {
      TRY_STATUS(parse_block(depth, node));
    }
    nodes.push_back(std::move(node));
    return {};
  }

  // What stands between {{if}}, {{else}} and {{end}}.
  Status parse_block(int depth, Node& node) {
    const std::size_t opened = last_action_;
    std::string ended;
    TRY(node.body, parse_nodes(depth + 1, ended));
    if (ended == "else") {
      ended.clear();
      if (in_action_) {  // {{else if ...}}
        in_action_ = false;
        return parse_else_if(depth, node);
      }
      TRY(node.otherwise, parse_nodes(depth + 1, ended));
    }
    if (ended != "end") return wrong(opened, "there is no {{end}} for it");
    return {};
  }

  // It shares its {{end}} with the {{if}} before it.
  Status parse_else_if(int depth, Node& node) {
    skip_spaces();
    if (const std::string word = keyword(); word != "if")
      return wrong(last_action_, "{{else}} is followed by }} or by if");
    if (depth >= kDeepest) return wrong(pos_, "it is nested too deep");
    Node inner{.kind = Node::Kind::kIf};
    TRY(inner.pipe, parse_pipe(depth));
    TRY_STATUS(close());
    TRY_STATUS(parse_block(depth + 1, inner));
    node.otherwise.push_back(std::move(inner));
    return {};
  }

  // The word of an action, if it is followed by no more of a name.
  std::string keyword() {
    std::size_t end = pos_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    std::string word(text_.substr(pos_, end - pos_));
    pos_ = end;
    return word;
  }

  bool closes() {
    in_action_ = true;
    skip_spaces();
    const std::string_view rest = text_.substr(pos_);
    const bool closing = rest.starts_with("}}") || rest.starts_with("-}}");
    if (closing) in_action_ = false;
    return closing;
  }

  Status close() {
    skip_spaces();
    if (text_.substr(pos_).starts_with("-}}")) {
      trim_next_ = true;
      ++pos_;
    }
    if (!text_.substr(pos_).starts_with("}}")) {
      if (pos_ >= text_.size()) return wrong(last_action_, "there is no }} for it");
      return wrong(pos_, "this was not expected here");
    }
    pos_ += 2;
    return {};
  }

  std::size_t skipped(std::size_t at) const {
    while (at < text_.size() && is_space(text_[at])) ++at;
    return at;
  }
  void skip_spaces() { pos_ = skipped(pos_); }
  bool at_end_of_pipe() const {
    const std::string_view rest = text_.substr(pos_);
    return rest.empty() || rest.starts_with("}}") || rest.starts_with("-}}") || rest[0] == ')';
  }

  // `$i, $one := ` in front of a pipe.
  void take_variables(Pipe& pipe) {
    const std::size_t before = pos_;
    std::vector<std::string> names;
    while (pos_ < text_.size() && text_[pos_] == '$' && names.size() < 2) {
      ++pos_;
      names.push_back(keyword());
      skip_spaces();
      if (pos_ < text_.size() && text_[pos_] == ',') ++pos_;
      skip_spaces();
    }
    const std::string_view rest = text_.substr(pos_);
    const std::size_t sign = rest.starts_with(":=") ? 2 : rest.starts_with("=") ? 1 : 0;
    if (!names.empty() && sign != 0) {
      pos_ += sign;
      pipe.assigns = sign == 1;
      pipe.variables = std::move(names);
      return;
    }
    pos_ = before;
  }

  Result<Pipe> parse_pipe(int depth) {
    if (depth > kDeepest) return wrong(pos_, "it is nested too deep");
    skip_spaces();
    Pipe pipe;
    take_variables(pipe);
    pipe.at = skipped(pos_);
    while (true) {
      TRY(auto command, parse_command(depth));
      pipe.commands.push_back(std::move(command));
      if (pos_ >= text_.size() || text_[pos_] != '|') return pipe;
      ++pos_;
    }
  }

  Result<Command> parse_command(int depth) {
    Command command;
    for (skip_spaces(); !at_end_of_pipe() && text_[pos_] != '|'; skip_spaces()) {
      TRY(auto operand, parse_operand(depth));
      command.push_back(std::move(operand));
    }
    if (command.empty()) return wrong(pos_, "something is missing here");
    const bool calls = command.front().kind == Operand::Kind::kFunction;
    if (!calls && command.size() > 1)
      return wrong(command[1].at, "what stands before it is no function");
    return command;
  }

  Result<Operand> parse_operand(int depth) {
    Operand operand;
    operand.at = pos_;
    const char c = text_[pos_];
    if (c == '.' || c == '$') {
      if (c == '$') {
        ++pos_;
        operand.kind = Operand::Kind::kVariable;
        operand.name = keyword();
      }
    } else if (c == '(') {
      ++pos_;
      operand.kind = Operand::Kind::kPipe;
      TRY(auto inner, parse_pipe(depth + 1));
      if (pos_ >= text_.size() || text_[pos_] != ')')
        return wrong(operand.at, "there is no ) for it");
      ++pos_;
      operand.pipe = std::make_shared<const Pipe>(std::move(inner));
    } else if (c == '"' || c == '`') {
      operand.kind = Operand::Kind::kLiteral;
      TRY(operand.literal, parse_text(c));
    } else if ((c >= '0' && c <= '9') || c == '-' || c == '+') {
      operand.kind = Operand::Kind::kLiteral;
      TRY(operand.literal, parse_number());
    } else {
      return parse_name(std::move(operand));
    }
    TRY(operand.path, parse_steps());
    return operand;
  }

  Result<Operand> parse_name(Operand operand) {
    operand.name = keyword();
    operand.kind = Operand::Kind::kLiteral;
    if (operand.name.empty()) return wrong(operand.at, "this was not expected here");
    if (operand.name == "true" || operand.name == "false") {
      operand.literal = json::Json(operand.name == "true");
    } else if (operand.name != "nil") {
      operand.kind = Operand::Kind::kFunction;
      if (!is_function(operand.name)) {
        const std::string closest = closest_function(operand.name);
        return wrong(operand.at,
                     fmt::format("there is no function \"{}\"{}", operand.name,
                                 closest.empty() ? "; fields begin with a full stop"
                                                 : fmt::format("; did you mean \"{}\"?", closest)));
      }
    }
    return operand;
  }

  Result<json::Json> parse_text(char quote) {
    const std::size_t begin = pos_++;
    while (pos_ < text_.size() && text_[pos_] != quote) {
      if (quote == '"' && text_[pos_] == '\\') ++pos_;
      ++pos_;
    }
    if (pos_ >= text_.size()) return wrong(begin, "the text has no end");
    ++pos_;
    const std::string_view whole = text_.substr(begin, pos_ - begin);
    if (quote == '`') return json::Json(whole.substr(1, whole.size() - 2));
    auto value = json::parse(whole);  // Go's escapes, as far as JSON has them
    if (!value) return wrong(begin, "the text has an escape that is not known");
    return value;
  }

  Result<json::Json> parse_number() {
    const std::size_t begin = pos_++;
    while (pos_ < text_.size() && (is_word(text_[pos_]) || text_[pos_] == '.')) ++pos_;
    std::string_view word = text_.substr(begin, pos_ - begin);
    if (word[0] == '+') word.remove_prefix(1);
    auto value = json::parse(word);
    if (!value || !value->is_number()) return wrong(begin, "this is no number");
    return value;
  }

  // ".a.b[0].c[]"; a single full stop is no step.
  Result<std::vector<Step>> parse_steps() {
    std::vector<Step> steps;
    while (pos_ < text_.size() && (text_[pos_] == '.' || text_[pos_] == '[')) {
      Step step;
      step.at = pos_;
      if (text_[pos_++] == '[') {
        TRY_STATUS(parse_index(step));
      } else {
        step.key = keyword();
        const bool only = pos_ >= text_.size() || text_[pos_] != '[';
        if (step.key.empty() &&
            (!steps.empty() || (only && pos_ < text_.size() && text_[pos_] == '.')))
          return wrong(step.at, "a name is missing behind it");
        if (step.key.empty()) continue;
      }
      steps.push_back(std::move(step));
    }
    return steps;
  }

  Status parse_index(Step& step) {
    step.kind = Step::Kind::kEach;
    if (pos_ < text_.size() && text_[pos_] == '"') {  // ["a key with a.dot"]
      step.kind = Step::Kind::kKey;
      TRY(const auto key, parse_text('"'));
      step.key = key.string();
    } else if (pos_ < text_.size() && text_[pos_] != ']') {
      step.kind = Step::Kind::kIndex;
      const auto [end, error] =
          std::from_chars(text_.data() + pos_, text_.data() + text_.size(), step.index);
      if (error != std::errc{}) return wrong(pos_, "an index is a number, as in [0]");
      pos_ = static_cast<std::size_t>(end - text_.data());
    }
    if (pos_ >= text_.size() || text_[pos_] != ']') return wrong(step.at, "there is no ] for it");
    ++pos_;
    return {};
  }

  std::string_view text_;
  std::size_t pos_ = 0;
  std::size_t last_action_ = 0;  // where the {{ of the action at hand stands
  bool trim_next_ = false;       // behind -}}
  bool in_action_ = false;       // behind {{else, which goes on
};

}  // namespace

Result<Parsed> parse_template(std::string_view text) { return Parser(text).parse(); }

tl::unexpected<Error> fail_at(std::string_view text, std::size_t at, std::string_view message) {
  at = std::min(at, text.size());
  const std::size_t before = text.substr(0, at).rfind('\n');
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const std::string_view line = text.substr(begin, text.find('\n', at) - begin);
  const auto column = std::ranges::count_if(text.substr(begin, at - begin), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  });
  return fail(Code::kInvalid, "{}\n  {}\n  {:>{}}", message, line, "^", column + 1);
}

}  // namespace fairlead::format
