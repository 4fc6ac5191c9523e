#include <fmt/format.h>

#include <algorithm>

#include "plugin-api/cli/format/nodes.h"
#include "plugin-api/cli/format/template.h"

namespace fairlead::format {

using json::Json;

namespace {

constexpr std::size_t kLargest = 16U << 20;
constexpr std::size_t kMostSteps = 400'000;

class Run {
 public:
  Run(std::string_view text, const Json& value, std::set<std::string>& notes)
      : text_(text), top_(value), notes_(notes) {
    variables_.emplace_back("", value);  // $
  }

  Status show(const std::vector<Node>& nodes, const Json& dot) {
    const std::size_t outside = variables_.size();
    for (const Node& node : nodes) TRY_STATUS(show(node, dot));
    variables_.resize(outside);
    return {};
  }

  // A path alone: an element on each line.
  Status show_path(const Pipe& pipe) {
    const Operand& operand = pipe.commands.front().front();
    TRY(const Json value, value_of(operand, top_));
    const bool many = std::ranges::any_of(
        operand.path, [](const Step& step) { return step.kind == Step::Kind::kEach; });
    if (!many) out_ += bare(value);
    for (std::size_t i = 0; many && i < value.size(); ++i)
      out_ += (i > 0 ? "\n" : "") + bare(value[i]);
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  // As jq -r.
  static std::string bare(const Json& value) {
    return value.is_string() ? value.string() : value.dump();
  }

  tl::unexpected<Error> wrong(std::size_t at, std::string_view message) const {
    return fail_at(text_, at, message);
  }

  Status count(std::size_t at) {
    if (++steps_ > kMostSteps || out_.size() > kLargest)
      return wrong(at, "the result would be too large");
    return {};
  }

  Status show(const Node& node, const Json& dot) {
    if (node.kind == Node::Kind::kText) {
      out_ += node.text;
      return count(0);
    }
    TRY_STATUS(count(node.pipe.at));
    TRY(const Json value, value_of(node.pipe, dot));
    switch (node.kind) {
      case Node::Kind::kShow:
        out_ += text_of(value);
        return {};
      case Node::Kind::kSet:
        return set(node.pipe, value);
      case Node::Kind::kIf:
        return show(is_true(value) ? node.body : node.otherwise, dot);
      case Node::Kind::kWith:
        return is_true(value) ? show_with(node, value) : show(node.otherwise, dot);
      default:
        return show_range(node, value, dot);
    }
  }

  Status show_with(const Node& node, const Json& value) {
    const std::size_t outside = variables_.size();
    if (!node.pipe.variables.empty()) variables_.emplace_back(node.pipe.variables.back(), value);
    TRY_STATUS(show(node.body, value));
    variables_.resize(outside);
    return {};
  }

  Status show_range(const Node& node, const Json& value, const Json& dot) {
    if (!value.is_array() && !value.is_object() && !value.is_null())
      return wrong(node.pipe.at,
                   fmt::format("range goes over a list, and not over {}", text_of(value)));
    if (value.empty()) return show(node.otherwise, dot);
    for (const Json::Member& member : value.members())
      TRY_STATUS(show_one(node, Json(member.key), member.value));
    for (std::size_t i = 0; value.is_array() && i < value.size(); ++i)
      TRY_STATUS(show_one(node, Json(i), value[i]));
    return {};
  }

  Status show_one(const Node& node, Json key, const Json& one) {
    TRY_STATUS(count(node.pipe.at));
    const std::size_t outside = variables_.size();
    const auto& names = node.pipe.variables;
    if (names.size() == 2) variables_.emplace_back(names.front(), std::move(key));
    if (!names.empty()) variables_.emplace_back(names.back(), one);
    TRY_STATUS(show(node.body, one));
    variables_.resize(outside);
    return {};
  }

  Status set(const Pipe& pipe, const Json& value) {
    const std::string& name = pipe.variables.back();
    if (!pipe.assigns) {
      variables_.emplace_back(name, value);
      return {};
    }
    Json* const variable = find_variable(name);
    if (variable == nullptr) return wrong(pipe.at, fmt::format("there is no variable ${}", name));
    *variable = value;
    return {};
  }

  Json* find_variable(const std::string& name) {
    const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                    [&](const auto& one) { return one.first == name; });
    return found == variables_.rend() ? nullptr : &found->second;
  }

  Result<Json> value_of(const Pipe& pipe, const Json& dot) {
    std::vector<Json> piped;  // the value before the |, which becomes the last argument
    for (const Command& command : pipe.commands) {
      TRY(auto value, value_of(command, std::move(piped), dot));
      piped = {std::move(value)};
    }
    return std::move(piped.front());
  }

  Result<Json> value_of(const Command& command, std::vector<Json> piped, const Json& dot) {
    const Operand& first = command.front();
    if (first.kind != Operand::Kind::kFunction) {
      if (!piped.empty()) return wrong(first.at, "what stands behind | must be a function");
      return value_of(first, dot);
    }
    if (first.name == "and" || first.name == "or") return choose(command, std::move(piped), dot);
    std::vector<Json> arguments;
    for (std::size_t i = 1; i < command.size(); ++i) {
      TRY(auto value, value_of(command[i], dot));
      arguments.push_back(std::move(value));
    }
    // docker's join, split, pad and truncate take the text first, and are piped to all the same
    const bool text_first = first.name == "join" || first.name == "split" || first.name == "pad" ||
                            first.name == "truncate";
    arguments.insert(text_first ? arguments.begin() : arguments.end(), piped.begin(), piped.end());
    auto value = call(first.name, arguments);
    return value ? std::move(value) : wrong(first.at, value.error().text);
  }

  // The first argument that decides.
  Result<Json> choose(const Command& command, std::vector<Json> piped, const Json& dot) {
    const bool wanted = command.front().name == "or";
    Json last;
    for (std::size_t i = 1; i < command.size(); ++i) {
      TRY(last, value_of(command[i], dot));
      if (is_true(last) == wanted) return last;
    }
    return piped.empty() ? std::move(last) : std::move(piped.front());
  }

  Result<Json> value_of(const Operand& operand, const Json& dot) {
    TRY_STATUS(count(operand.at));
    switch (operand.kind) {
      case Operand::Kind::kDot:
        return follow(operand, dot);
      case Operand::Kind::kVariable: {
        const Json* const variable = find_variable(operand.name);
        if (variable == nullptr)
          return wrong(operand.at, fmt::format("there is no variable ${}", operand.name));
        return follow(operand, *variable);
      }
      case Operand::Kind::kPipe: {
        TRY(const Json value, value_of(*operand.pipe, dot));
        return follow(operand, value);
      }
      case Operand::Kind::kFunction: {
        auto value = call(operand.name, {});
        return value ? std::move(value) : wrong(operand.at, value.error().text);
      }
      default:
        return operand.literal;
    }
  }

  Result<Json> follow(const Operand& operand, const Json& from) {
    return follow(operand.path, 0, from);
  }

  Result<Json> follow(const std::vector<Step>& path, std::size_t next, const Json& from) {
    const Json* at = &from;
    Json made;
    for (; next < path.size() && !at->is_null(); ++next) {
      const Step& step = path[next];
      if (step.kind == Step::Kind::kEach) return each(path, next, *at);
      if (step.kind == Step::Kind::kIndex) {
        if (!at->is_array()) return wrong(step.at, fmt::format("{} is no list", text_of(*at)));
        if (step.index >= at->size()) return Json();
        at = &(*at)[step.index];
        continue;
      }
      if (!at->is_object())
        return wrong(step.at,
                     fmt::format("there is no .{} in {}", step.key,
                                 at->is_array() ? "a list; say which: [0], or []" : text_of(*at)));
      const Json* found = find_field(*at, step.key, made);
      if (found == nullptr) {
        tell_closest(*at, step.key);
        return Json();
      }
      at = found;
    }
    return next < path.size() ? Json() : *at;
  }

  // The rest of the path, from each element; what is not there is left out.
  Result<Json> each(const std::vector<Step>& path, std::size_t next, const Json& list) {
    Json found = Json::array();
    if (!list.is_array() && !list.is_object())
      return wrong(path[next].at, fmt::format("{} is no list", text_of(list)));
    const bool nested =
        std::any_of(path.begin() + static_cast<std::ptrdiff_t>(next) + 1, path.end(),
                    [](const Step& step) { return step.kind == Step::Kind::kEach; });
    const auto add = [&](const Json& one) -> Status {
      TRY_STATUS(count(path[next].at));
      TRY(const Json value, follow(path, next + 1, one));
      if (nested)
        for (std::size_t i = 0; value.is_array() && i < value.size(); ++i)
          found.push_back(value[i]);
      else if (!value.is_null())
        found.push_back(value);
      return {};
    };
    for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) TRY_STATUS(add(list[i]));
    for (const Json::Member& member : list.members()) TRY_STATUS(add(member.value));
    return found;
  }

  void tell_closest(const Json& object, const std::string& name) {
    if (&object != &top_) return;  // labels and options may be called anything
    if (const std::string closest = closest_field(object, name); !closest.empty())
      notes_.insert(fmt::format("there is no .{}; did you mean .{}?", name, closest));
  }

  std::string_view text_;
  const Json& top_;
  std::set<std::string>& notes_;
  std::vector<std::pair<std::string, Json>> variables_;
  std::string out_;
  std::size_t steps_ = 0;
};

// "CreatedAt", "created_at": CREATED AT
std::string title_of(std::string_view name) {
  std::string title;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool capital = name[i] >= 'A' && name[i] <= 'Z';
    const bool after_small = i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z';
    if (capital && after_small) title += ' ';
    if (name[i] == '_')
      title += ' ';
    else
      title += name[i] >= 'a' && name[i] <= 'z' ? static_cast<char>(name[i] - 32) : name[i];
  }
  return title;
}

std::string last_field(const Pipe& pipe) {
  for (const Command& command : pipe.commands)
    for (const Operand& operand : command) {
      if (operand.pipe != nullptr)
        if (std::string inner = last_field(*operand.pipe); !inner.empty()) return inner;
      for (auto step = operand.path.rbegin(); step != operand.path.rend(); ++step)
        if (step->kind == Step::Kind::kKey) return step->key;
    }
  return "";
}

void add_titles(const std::vector<Node>& nodes, std::string& titles) {
  for (const Node& node : nodes) {
    if (node.kind == Node::Kind::kText) titles += node.text;
    if (node.kind == Node::Kind::kShow || node.kind == Node::Kind::kRange)
      titles += title_of(last_field(node.pipe));
    if (node.kind == Node::Kind::kIf || node.kind == Node::Kind::kWith)
      add_titles(node.body, titles);
  }
}

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  TRY(auto parsed, parse_template(text));
  return Template(std::string(text), std::make_shared<const Parsed>(std::move(parsed)));
}

Result<std::string> Template::run(const Json& value, std::set<std::string>& notes) const {
  Run run(text_, value, notes);
  if (parsed_->is_path)
    TRY_STATUS(run.show_path(parsed_->nodes.front().pipe));
  else
    TRY_STATUS(run.show(parsed_->nodes, value));
  return run.take();
}

std::string Template::titles() const {
  std::string titles;
  add_titles(parsed_->nodes, titles);
  return titles;
}

}  // namespace fairlead::format
