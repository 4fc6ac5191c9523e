#include "plugin-api/cli/complete.h"

#include <algorithm>
#include <optional>
#include <ostream>

#include "plugin-api/cli/command_text.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/complete_names.h"
#include "plugin-api/cli/text.h"
#include "volume/api/options.h"

namespace fairlead::cli {

namespace {

// What the words before the one to complete say.
struct Place {
  const Group* group = nullptr;
  const Command* command = nullptr;
  std::vector<std::string> arguments;
  std::vector<OptionText> options = global_options();
  std::optional<OptionText> asks;  // the option whose value comes next
  bool options_ended = false;      // behind --
  CliSettings settings;
};

const Group* group_called(std::string_view word) {
  const auto all = groups();
  const auto found = std::ranges::find_if(all, [&](const Group& group) {
    return group.name == word || (!group.alias.empty() && group.alias == word);
  });
  return found == all.end() ? nullptr : &*found;
}

const Command* command_called(std::string_view group, std::string_view word) {
  const auto all = commands();
  const auto found = std::ranges::find_if(all, [&](const Command& command) {
    return command.group == group && !word.empty() &&
           (command.name == word || command.alias == word);
  });
  return found == all.end() ? nullptr : &*found;
}

void enter(Place& place, const Command& command) {
  place.command = &command;
  auto options = options_of(command);
  place.options.insert(place.options.begin(), options.begin(), options.end());
}

std::optional<OptionText> option_called(const Place& place, std::string_view word) {
  const auto found = std::ranges::find_if(place.options, [&](const OptionText& option) {
    return std::ranges::find(option.names, word) != option.names.end();
  });
  return found == place.options.end() ? std::nullopt : std::optional(*found);
}

// The store that the rest of the line is about.
void keep_setting(Place& place, std::string_view option, const std::string& value) {
  if (option == "--config") place.settings.config = value;
  if (option == "--state-dir") place.settings.state_dir = value;
  if (option == "--run-dir") place.settings.run_dir = value;
  if (option == "--volume-dir") place.settings.volume_dir = value;
}

void read_option(Place& place, const std::string& word) {
  const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
  const std::string name = word.substr(0, equals);
  const auto option = option_called(place, name);
  if (!option || option->type.empty()) return;
  if (equals == std::string::npos)
    place.asks = option;
  else
    keep_setting(place, name, word.substr(equals + 1));
}

void read_word(Place& place, const std::string& word) {
  if (place.asks) {
    keep_setting(place, place.asks->names.back(), word);
    place.asks.reset();
  } else if (!place.options_ended && word == "--") {
    place.options_ended = true;
  } else if (!place.options_ended && word.size() > 1 && word[0] == '-') {
    read_option(place, word);
  } else if (place.command != nullptr) {
    place.arguments.push_back(word);
  } else if (const Group* group = group_called(word);
             group != nullptr && (place.group == nullptr || group->also_in == place.group->name)) {
    place.group = group;
  } else if (const Command* command =
                 command_called(place.group == nullptr ? "" : place.group->name, word)) {
    enter(place, *command);
  }
}

class Answer {
 public:
  Answer(std::string wanted, const CliContext& context)
      : wanted_(std::move(wanted)), context_(context) {}

  void propose(std::string_view word, std::string_view says) {
    if (!word.starts_with(wanted_) || std::ranges::find(words_, word) != words_.end()) return;
    words_.emplace_back(word);
    context_.out << printable(word);
    if (!says.empty()) context_.out << '\t' << printable(says);
    context_.out << '\n';
  }
  void propose(const std::vector<Candidate>& candidates, std::string_view prefix = {}) {
    for (const Candidate& one : candidates) propose(std::string(prefix) + one.word, one.says);
  }
  // Options with a key: `-o si` becomes `-o size=`.
  void propose_keys(const std::vector<std::string>& keys, std::string_view prefix = {}) {
    for (const std::string& key : keys) propose(std::string(prefix) + key + "=", "");
    says_ = ":nospace";
  }
  void let_shell(Names kind) {
    if (kind == Names::kFiles) says_ = ":files";
    if (kind == Names::kFolders) says_ = ":folders";
  }
  int end() {
    context_.out << says_ << '\n';
    return kDone;
  }
  const std::string& wanted() const { return wanted_; }

 private:
  std::string wanted_;
  const CliContext& context_;
  std::vector<std::string> words_;
  std::string says_ = ":none";
};

// An option that is told apart by nothing but its type stands in the same table as arguments.
void propose_value(Answer& answer, const Place& place, const OptionText& option,
                   const CliContext& context, std::string_view prefix) {
  const bool takes_key = option.names.back() == "--opt";
  if (takes_key && place.command != nullptr)
    return answer.propose_keys(option_keys(*place.command), prefix);
  if (option.names.back() == "--volume")
    return answer.propose(names_of(Names::kVolumes, "", place.settings, context), prefix);
  if (option.type.find('|') != std::string::npos) {
    for (std::size_t at = 0; at < option.type.size();) {
      const std::size_t end = std::min(option.type.find('|', at), option.type.size());
      answer.propose(std::string(prefix) + option.type.substr(at, end - at), "");
      at = end + 1;
    }
    return;
  }
  const Names kind = names_at("", "", option.type);
  answer.let_shell(kind);
  answer.propose(names_of(kind, "", place.settings, context), prefix);
}

void propose_options(Answer& answer, const Place& place) {
  for (const OptionText& option : place.options)
    for (const std::string& name : option.names)
      if (name.starts_with("--") || answer.wanted().size() < 2) answer.propose(name, option.help);
}

void propose_commands(Answer& answer, const Place& place) {
  const std::string_view of = place.group == nullptr ? "" : place.group->name;
  for (const Group& group : groups())
    if (group.also_in == of || place.group == nullptr) answer.propose(group.name, group.summary);
  for (const Command& command : commands())
    if (command.group == of) answer.propose(command.name, command.summary);
}

void propose_arguments(Answer& answer, const Place& place, const CliContext& context) {
  const Command& command = *place.command;
  const auto words = argument_words(command);
  if (words.empty()) return;
  const bool repeats = words.back().find("...") != std::string::npos;
  if (place.arguments.size() >= words.size() && !repeats) return;
  const std::string& word = words[std::min(place.arguments.size(), words.size() - 1)];
  if (command.group == "volume" && command.name == "set" && word == "OPTION...")
    return answer.propose_keys(volume::option_names());
  const Names kind = names_at(command.group, command.name, word);
  answer.let_shell(kind);
  const std::string before = place.arguments.empty() ? "" : place.arguments.front();
  auto candidates = names_of(kind, before, place.settings, context);
  std::erase_if(candidates, [&](const Candidate& one) {  // said already
    return std::ranges::find(place.arguments, one.word) != place.arguments.end();
  });
  answer.propose(candidates);
}

}  // namespace

int complete(const std::vector<std::string>& words, const CliContext& context) {
  Place place;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) read_word(place, words[i]);
  Answer answer(words.empty() ? "" : words.back(), context);
  const std::string& wanted = answer.wanted();
  const std::size_t equals = wanted.starts_with("--") ? wanted.find('=') : std::string::npos;
  if (place.asks) {
    propose_value(answer, place, *place.asks, context, "");
  } else if (!place.options_ended && equals != std::string::npos) {
    if (const auto option = option_called(place, wanted.substr(0, equals)))
      propose_value(answer, place, *option, context, wanted.substr(0, equals + 1));
  } else if (!place.options_ended && wanted.starts_with('-')) {
    propose_options(answer, place);
  } else if (place.command == nullptr) {
    propose_commands(answer, place);
  } else {
    propose_arguments(answer, place, context);
  }
  return answer.end();
}

}  // namespace fairlead::cli
