#include "plugin-api/cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "network/api/options.h"
#include "plugin-api/cli/command_text.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/cli/word_hints.h"
#include "volume/api/options.h"

namespace fairlead::cli {

namespace {

// ---- the parser

// Takes one value for each occurrence of the option, so that `-o a=b NAME` does not take the NAME.
void add_repeated(CLI::App& app, const char* names, std::vector<std::string>& values,
                  const char* type, const char* help) {
  app.add_option(names, values, help)->type_name(type)->allow_extra_args(false);
}

void add_flag(CLI::App& app, const char* names, bool& value, const char* help) {
  app.add_flag(names, value, help);
}

void add_text(CLI::App& app, const char* names, std::string& value, const char* type,
              const char* help) {
  app.add_option(names, value, help)->type_name(type);
}

void add_network_spec(CLI::App& app, Invocation& line) {
  add_repeated(app, "--subnet", line.subnets, "CIDR",
               "Subnet, like 10.89.0.0/24; several times; default: a free one is chosen");
  add_repeated(app, "--ip-range", line.ranges, "CIDR",
               "Give addresses out of this part of its subnet only");
  add_repeated(app, "--gateway", line.gateways, "IP",
               "Gateway of its subnet; default: the first address");
  add_repeated(app, "--aux-address", line.aux_addresses, "NAME=IP",
               "An address that is never given out");
  add_repeated(app, "--reserve", line.reservations, "CONTAINER=IP",
               "An address that only the container of that name gets");
  add_flag(app, "--ipv6", line.ipv6, "Give IPv6 addresses too");
  add_flag(app, "--internal", line.internal, "No way out, and no published ports");
  add_text(app, "-d,--driver,--mode", line.mode, "MODE", "Kind of network; default: bridge");
  add_text(app, "-f,--file", line.file, "FILE", "Take what inspect printed (- for stdin)");
  add_flag(app, "--dry-run", line.dry_run,
           "Print what would be asked for, as JSON, and change nothing");
}

void add_pool_spec(CLI::App& app, Invocation& line) {
  add_text(app, "--size", line.size, "SIZE", "In one file of that size, which is sparse");
  add_text(app, "--device", line.device, "DEVICE", "On a block device, like /dev/sdb1");
  add_text(app, "--fstype", line.fstype, "TYPE",
           "btrfs (default: snapshots, limits, checksums) or xfs");
  add_flag(app, "--overwrite", line.overwrite, "Also when the device holds something already");
}

// `word` is "NAME", "[NAME]", "NAME..." or "[NAME...]". Brackets within a word ("NAME[@SNAPSHOT]")
// are only shown.
void add_positional(CLI::App& app, std::string word, Invocation& line) {
  const bool optional = word.front() == '[';
  if (optional) word = word.substr(1, word.size() - 2);
  const bool many = word.ends_with("...");
  if (many) word.resize(word.size() - 3);
  auto* option = app.add_option_function<std::vector<std::string>>(
      word, [&line](const std::vector<std::string>& given) {
        line.names.insert(line.names.end(), given.begin(), given.end());
      });
  if (!many) option->expected(1)->allow_extra_args(false);
  option->required(!optional);
}

void add_arguments(CLI::App& app, const Command& command, Invocation& line) {
  for (const std::string& word : argument_words(command)) add_positional(app, word, line);
  if (command.takes & kGroup)
    add_text(app, "--group", line.group, "GROUP",
             "Several volumes at one moment: their names with commas, or a label group=GROUP");
  if (command.takes & kAffix) {
    add_text(app, "--suffix", line.suffix, "TEXT", "Of the clones of a group: test makes db-test");
    add_text(app, "--prefix", line.prefix, "TEXT", "Before their names: test makes test-db");
  }
  if (command.takes & kHooks)
    add_flag(app, "--no-hooks", line.settings.no_hooks,
             "Run nothing in the containers that use the volume");
  if (command.takes & kPolicy)
    add_flag(app, "--dry-run", line.dry_run, "Show what would be added, and change nothing");
  if (command.takes & kRecovery)
    add_flag(app, "--dry-run", line.dry_run, "Show what would be taken back, and change nothing");
  if (command.takes & kPoolSpec) add_pool_spec(app, line);
  if (command.takes & kOutput)
    add_text(app, "-o,--output", line.output, "FILE", "Write there (- for stdout, the default)");
  if (command.takes & kDigest)
    add_text(app, "--sha256", line.sha256, "HEX", "Only an archive with this digest");
  if (command.takes & kTo)
    add_text(app, "--to", line.to, "DIR",
             "The folder of the backups, made when missing; or sftp:HOST:/DIR");
  if (command.takes & kExclude) {
    add_repeated(app, "--exclude", line.excludes, "PATTERN",
                 "Leave out what fits, as in .gitignore (*.tmp, /cache, logs/); several times");
    add_flag(app, "--exclude-caches", line.exclude_caches,
             "Of folders with a CACHEDIR.TAG, keep that file only");
    add_repeated(app, "--exclude-if-present", line.exclude_if_present, "NAME",
                 "Of folders with a file of that name, keep that file only; several times");
  }
  if (command.takes & kKeep)
    add_text(app, "--keep", line.keep, "KIND:N,...",
             "Keep so many: last:3,hourly:24,daily:7,weekly:5,monthly:12,yearly:2");
  if (command.takes & kBackupsOf)
    add_text(app, "--volume", line.of_volume, "NAME", "Only the backups of this volume");
  if (command.takes & kPruneBackups) {
    add_flag(app, "--dry-run", line.dry_run, "Show what would be removed, and change nothing");
    add_flag(app, "-f,--force", line.force,
             "Also while the index of another backup cannot be read");
  }
  if (command.takes & kRepairBackup)
    add_flag(app, "--repair", line.repair,
             "Mend what can be mended, from what is good and from volumes that are there");
  if (command.takes & kFrom) {
    add_text(app, "--from", line.from, "DIR", "The folder of the backups, or sftp:HOST:/DIR");
    add_text(app, "--backup", line.backup, "ID", "This one, as backup ls shows it");
  }
  if (command.takes & kSecret) {
    add_text(app, "--key-file", line.key_file, "FILE", "The backups are encrypted with this key");
    add_text(app, "--passphrase-file", line.passphrase_file, "FILE",
             "The backups are encrypted with the passphrase in it");
  }
  if (command.takes & kAs) add_text(app, "--as", line.as, "NEW", "Under another name");
  if (command.takes & kRepair) add_flag(app, "--repair", line.repair, "Mend what can be mended");
  if (command.takes & kNetworkSpec) add_network_spec(app, line);
  if (command.takes & kOptions) {
    add_repeated(app, "-o,--opt", line.options, "K=V", "An option; several times");
    add_repeated(app, "--label", line.labels, "K=V", "A label; several times");
    if (!(command.takes & kNetworkSpec))
      add_text(app, "--size", line.size, "SIZE", "A hard limit, like 10g: the same as -o size=");
  }
  if (command.takes & kForce)
    add_flag(app, "-f,--force", line.force, "What does not exist is no error");
  if (command.takes & kForceAll)
    add_flag(app, "-f,--force", line.force,
             "What does not exist is no error; remove also what Docker made");
  if (command.takes & kForceLive)
    add_flag(app, "-f,--force", line.force,
             "What does not exist is no error; remove also the endpoint that has the address");
  if (command.takes & kYes) add_flag(app, "-f,--force", line.force, "Do not ask");
  if (command.takes & kSure)
    add_flag(app, "-f,--force", line.force, "Do not ask, and remove also what is alive");
  if (command.takes & kPoolFilter)
    add_text(app, "--pool", line.pool, "POOL", "Only those in this pool");
  if (command.takes & kDoctor) {
    add_flag(app, "--fix", line.fix, "Mend what can be mended without any risk, and look again");
    add_flag(app, "--list", line.list_checks, "Show the checks, and make none");
  }
  if (command.takes & kFolder)
    add_text(app, "--dir", line.folder, "DIR",
             "This folder; default: of /opt/cni/bin and /usr/lib/cni those that exist");
  if (command.takes & kPodmanFolder)
    add_text(app, "--dir", line.folder, "DIR",
             "The folder of netavark's plugins; default: /usr/local/libexec/netavark and the like");
  if (command.takes & kDropIn) {
    add_flag(app, "--drop-in", line.drop_in,
             "Also take netavark's place, for the networks that Podman makes by itself");
    add_flag(app, "--remove", line.take_back, "Take all of it back: the same as podman uninstall");
  }
  if (command.takes & kSince) {
    add_text(app, "--since", line.since, "WHEN",
             "Also what happened since then: so long ago (10m), a time as shown, or a revision");
    add_text(app, "--until", line.until, "now", "End when all until now is shown");
    add_text(app, "--kind", line.kinds, "KIND,...",
             "Only these: network, endpoint, port, volume, snapshot");
  }
  if (command.takes & kExplain) {
    add_flag(app, "-4", line.only_v4, "IPv4 only");
    add_flag(app, "-6", line.only_v6, "IPv6 only");
    add_flag(app, "--trace", line.trace,
             "Send a real packet, or wait for one from outside, and show the rules that it passes");
    add_text(app, "--wait", line.wait, "SECONDS",
             "How long to wait for a packet from outside; default: 30");
  }
  if (command.takes & kGraph)
    add_text(app, "--format", line.picture, "FORMAT", "svg, dot or mermaid; default: svg");
  if (command.takes & kNoTrunc)
    add_flag(app, "--no-trunc", line.no_trunc, "Do not shorten anything");
  if (command.takes & kFilter)
    add_repeated(app, "-f,--filter", line.filters, "name=TEXT",
                 "Only those whose name contains TEXT");
  if (command.takes & kVolumeFilter)
    add_repeated(app, command.takes & kPrune ? "--filter" : "-f,--filter", line.filters,
                 "KEY=VALUE",
                 "Only those with name=TEXT, label=K[=V], label!=K[=V], driver=, pool=, health=, "
                 "dangling=BOOL or mounted=BOOL; of one key any, of several all");
  if (command.takes & kOfVolume)
    add_repeated(app, "-f,--filter", line.filters, "volume=NAME", "Only those of this volume");
  if (command.takes & kPrune) {
    add_flag(app, "-a,--all", line.all,
             "Also those with a name of their own, not only those whose name was made up");
    add_flag(app, "-f,--force", line.force, "Do not ask");
    add_flag(app, "--dry-run", line.dry_run, "Show what would be removed, and change nothing");
  }
  if (command.takes & kLook) {
    add_flag(app, "-R,--recursive", line.recursive, "Everything below it");
    add_flag(app, "-l,--long", line.long_form, "With kind, mode, owner, size and time");
  }
  if (command.takes & kNetworkFilter)
    add_text(app, "--network", line.network, "NETWORK", "Only those of this network");
  if (command.takes & kLimit)
    add_text(app, "--max-connections", line.max_connections, "N",
             "At once to each of these ports; default: what the network has, or any number");
}

void add_globals(CLI::App& app, Invocation& line, bool& version) {
  add_flag(app, "--json", line.json, "Print JSON");
  add_text(app, "--format", line.format, "TEMPLATE",
           "Show the JSON so: a template like '{{.Name}}', 'table {{.Name}}\\t{{.Driver}}', a path "
           "like .state.mtu, or json");
  add_flag(app, "-q,--quiet", line.quiet, "Print names and ids only");
  app.add_flag("-v,--verbose", line.verbose, "Tell each step on stderr; twice: everything");
  add_text(app, "--config", line.settings.config, "FILE",
           "The configuration (/etc/fairlead/fairlead.json)");
  add_text(app, "--state-dir", line.settings.state_dir, "DIR",
           "Where the store is (/var/lib/fairlead)");
  add_text(app, "--run-dir", line.settings.run_dir, "DIR",
           "Where locks and sockets are (/run/fairlead)");
  add_text(app, "--volume-dir", line.settings.volume_dir, "DIR",
           "Where volumes are (/var/lib/fairlead/volumes)");
  add_flag(app, "--version", version, "Show the version");
}

// CLI11's own formatter, except for a usage line like Docker's: "Usage: fairlead network rm
// [OPTIONS] NAME...".
class HelpText : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    return app->get_description() + "\n\n";
  }
  std::string make_positionals(const CLI::App*) const override { return ""; }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = "Usage: " + name + " [OPTIONS]";
    for (const CLI::Option* option :
         app->get_options([](const CLI::Option* one) { return one->get_positional(); }))
      usage += usage_of(*option);
    return usage + (app->get_subcommands({}).empty() ? "\n" : " COMMAND\n");
  }

 private:
  static std::string usage_of(const CLI::Option& option) {
    const std::string word = option.get_name() + (option.get_expected_max() > 1 ? "..." : "");
    return option.get_required() ? " " + word : " [" + word + "]";
  }
};

std::string known_options(const Command& command) {
  const auto names = option_keys(command);
  if (names.empty()) return "";
  std::string text = "Options for -o (Docker's names of them are taken too):\n ";
  std::size_t column = 0;
  for (const std::string& name : names) {
    if (column > 70) text += "\n ", column = 0;
    text += " " + name;
    column += name.size() + 1;
  }
  return text + "\n\n";
}

std::string footer_of(const Command& command) {
  std::string footer = known_options(command) + "Examples:\n  ";
  for (const char c : command.examples) footer += c == '\n' ? "\n  " : std::string(1, c);
  if (command.takes & kLeavesOut)
    footer += fmt::format(
        "\n\nThe exit code is {} when something could not be kept; it is named on stderr.",
        kIncomplete);
  if (command.takes & kDoctor) footer += "\n\n" + std::string(kDoctorExitCodes);
  return footer + "\n\nGlobal options: fairlead --help";
}

// Under which heading the help of a group shows a command; empty: under the usual one.
std::string heading_of(std::string_view group, std::string_view name) {
  struct Row {
    std::string_view heading, names;  // names with a space before and behind each
  };
  static constexpr auto kOfVolume =
      std::to_array<Row>({{"Volumes", " ls inspect create rm prune rename label set recover "},
                          {"Size and health", " resize usage check "},
                          {"Content", " ls-files cat cp clone rollback snapshot "},
                          {"Archives and backups", " export import backup restore "}});
  if (group != "volume") return "";
  for (const Row& row : kOfVolume)
    if (row.names.find(fmt::format(" {} ", name)) != std::string_view::npos)
      return std::string(row.heading);
  return "";
}

void put_under_heading(CLI::App& sub, std::string_view group) {
  if (const std::string heading = heading_of(group, sub.get_name()); !heading.empty())
    sub.group(heading);
}

struct Parser {
  Invocation line;
  bool version = false;
  CLI::App app{"Networks and volumes for containers, whatever runs them", "fairlead"};

  Parser() {
    app.require_subcommand(0, 1);
    app.formatter(std::make_shared<HelpText>());
    app.get_formatter()->label("Subcommands", "Commands");
    add_globals(app, line, version);
    app.footer("More: fairlead COMMAND --help");
    for (const Group& group : groups()) {
      CLI::App* sub = app.add_subcommand(std::string(group.name), std::string(group.summary));
      sub->require_subcommand(0, 1)->fallthrough();
      if (!group.alias.empty()) sub->alias(std::string(group.alias));
    }
    for (const Command& command : commands())
      add_command(command.group.empty() ? app : *app.get_subcommand(std::string(command.group)),
                  command);
    for (const Group& group : groups())
      if (!group.also_in.empty()) add_again(group);
  }

  // Makes `fairlead volume snapshot create` the same as `fairlead snapshot create`.
  void add_again(const Group& group) {
    CLI::App* sub = app.get_subcommand(std::string(group.also_in))
                        ->add_subcommand(std::string(group.name), std::string(group.summary));
    sub->require_subcommand(0, 1)->fallthrough();
    put_under_heading(*sub, group.also_in);
    for (const Command& command : commands())
      if (command.group == group.name) add_command(*sub, command);
  }

  void add_command(CLI::App& place, const Command& command) {
    CLI::App* parent = &place;
    CLI::App* sub = parent->add_subcommand(std::string(command.name), std::string(command.summary));
    sub->fallthrough()->footer(footer_of(command));
    if (!command.alias.empty()) sub->alias(std::string(command.alias));
    put_under_heading(*sub, command.group);
    add_arguments(*sub, command, line);
    sub->callback([this, &command] { line.command = &command; });
  }
};

// ---- explaining errors in the line

// The innermost command that the line names, and its full name.
struct WordPosition {
  CLI::App* app;
  std::string name;
};

WordPosition innermost(CLI::App& app) {
  WordPosition place{&app, "fairlead"};
  while (true) {
    const auto named = place.app->get_subcommands();
    if (named.empty()) return place;
    place = {named.front(), place.name + " " + named.front()->get_name()};
  }
}

std::vector<std::string> option_words(const CLI::App* app) {
  std::vector<std::string> words;
  for (; app != nullptr; app = app->get_parent())
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
      for (const std::string& name : option->get_snames()) words.push_back("-" + name);
    }
  return words;
}

std::vector<std::string> command_words(const CLI::App* app) {
  std::vector<std::string> words;
  for (const CLI::App* sub : app->get_subcommands({})) words.push_back(sub->get_name());
  return words;
}

// A word that begins another one is meant for it; otherwise the closest one that begins alike, for
// "vol" is as close to "pool" as to "volume". A single letter says too little to guess.
std::string closest_of(std::string_view word, const std::vector<std::string>& words) {
  if (word.size() > 64 || word.size() < 2 || (word.size() == 2 && word[0] == '-')) return "";
  std::vector<std::string_view> alike, begun;
  const std::size_t first = word.find_first_not_of('-');
  for (const std::string& one : words) {
    if (one.starts_with(word)) begun.push_back(one);
    if (first < one.size() && first < word.size() && one[first] == word[first] &&
        one.starts_with(word.substr(0, first)))
      alike.push_back(one);
  }
  if (begun.size() == 1) return std::string(begun.front());
  return closest_word(word, alike.data(), alike.size());
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& words) {
  const std::string closest = closest_of(word, words);
  return closest.empty() ? "" : fmt::format("; did you mean \"{}\"?", closest);
}

std::string group_of(const WordPosition& place) {
  const auto space = place.name.rfind(' ');
  return space == std::string::npos ? "" : place.name.substr(space + 1);
}

// Describes a word that CLI11 could not place: an unknown command, an unknown option, or one name
// too many.
std::string describe(const WordPosition& place, const std::string& word) {
  const bool leaf = place.app->get_subcommands({}).empty();
  const std::string shown = shorten(word, 64);
  if (word.size() > 1 && word[0] == '-')
    return fmt::format("unknown option \"{}\"{}", shown,
                       did_you_mean(word.substr(0, word.find('=')), option_words(place.app)));
  if (leaf) return fmt::format("unexpected argument \"{}\"", shown);
  if (const std::string_view hint = word_hint(group_of(place), word); !hint.empty())
    return fmt::format("unknown command \"{}\"; {}", shown, hint);
  return fmt::format("unknown command \"{}\"{}", shown,
                     did_you_mean(word, command_words(place.app)));
}

EarlyExit misuse(const WordPosition& place, const std::string& what) {
  return {kUsage, fmt::format("fairlead: {}; see \"{} --help\"\n", printable(what), place.name)};
}

EarlyExit explain(CLI::App& app, const std::string& message) {
  const WordPosition place = innermost(app);
  for (const CLI::App* at = place.app; at != nullptr; at = at->get_parent())
    if (const auto rest = at->remaining(); !rest.empty())
      return misuse(place, describe(place, rest.front()));
  return misuse(place, message);
}

// Makes `fairlead jobs` the same as `fairlead jobs ls`.
const Command* fallback_of(CLI::App& app) {
  const std::string named = innermost(app).name;
  for (const Group& group : groups())
    if (!group.fallback.empty() && named == fmt::format("fairlead {}", group.name))
      return &*std::ranges::find_if(commands(), [&](const Command& command) {
        return command.group == group.name && command.name == group.fallback;
      });
  return nullptr;
}

bool is_group(std::string_view word) {
  return std::ranges::any_of(groups(), [&](const Group& group) {
    return group.name == word || (!group.alias.empty() && group.alias == word);
  });
}

// --size 10g says the same as -o size=10g.
void merge_size(Invocation& line) {
  if (line.command->takes & kOptions && !line.size.empty())
    line.options.push_back("size=" + line.size);
}

std::vector<OptionText> texts_of(const CLI::App& app) {
  std::vector<OptionText> texts;
  for (const CLI::Option* option :
       app.get_options([](const CLI::Option* one) { return one->nonpositional(); })) {
    OptionText text{.names = {}, .type = {}, .help = option->get_description()};
    for (const std::string& name : option->get_snames()) text.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) text.names.push_back("--" + name);
    if (option->get_expected_max() > 0) text.type = option->get_type_name();
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace

std::vector<OptionText> options_of(const Command& command) {
  Invocation line;
  CLI::App app;
  app.set_help_flag();
  add_arguments(app, command, line);
  return texts_of(app);
}

std::vector<OptionText> global_options() {
  Invocation line;
  bool version = false;
  CLI::App app;
  add_globals(app, line, version);
  return texts_of(app);
}

std::vector<std::string> option_keys(const Command& command) {
  if (!(command.takes & kOptions)) return {};
  return command.takes & kNetworkSpec ? network::option_names() : volume::option_names();
}

std::vector<std::string> argument_words(const Command& command) {
  std::vector<std::string> words;
  for (std::string_view text = command.arguments; !text.empty();) {
    const std::size_t end = std::min(text.find(' '), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string full_name(const Command& command) {
  return fmt::format("fairlead {}{}{}", command.group, command.group.empty() ? "" : " ",
                     command.name);
}

std::variant<Invocation, EarlyExit> parse_command_line(const std::vector<std::string>& args) {
  Parser parser;
  // CLI11 takes the words from the back
  std::vector<std::string> words(args.rbegin(), args.rend());
  // `fairlead help network`, as `docker help network`, and `fairlead network help`
  const auto help =
      std::find(args.begin(), args.begin() + std::min<long>(2, std::ssize(args)), "help");
  if (help != args.begin() + std::min<long>(2, std::ssize(args)) &&
      (help == args.begin() || is_group(args.front()))) {
    words.erase(words.end() - 1 - (help - args.begin()));
    words.insert(words.begin(), "--help");
  }
  if (args.size() == 1 && args.front() == "-v") words = {"--version"};  // as docker -v
  try {
    parser.app.parse(words);
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{kDone, parser.app.help()};
  } catch (const CLI::ParseError& error) {
    return explain(parser.app, error.what());
  }
  if (parser.line.command == nullptr) parser.line.command = fallback_of(parser.app);
  if (parser.line.command == nullptr && parser.version)
    parser.line.command = &*std::ranges::find(commands(), "version", &Command::name);
  if (parser.line.command != nullptr) {
    merge_size(parser.line);
    if (!parser.line.format.empty() && parser.line.format != "table") parser.line.json = true;
    return parser.line;
  }
  return EarlyExit{kUsage, parser.app.help()};
}

}  // namespace fairlead::cli
