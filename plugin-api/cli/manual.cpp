#include "plugin-api/cli/manual.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "plugin-api/cli/cli.h"
#include "plugin-api/cli/command_text.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/roff.h"

namespace fairlead::cli {

namespace {

constexpr std::string_view kAbout =
    "Fairlead makes networks and volumes for containers, whatever runs them: Docker, Podman, "
    "containerd, CRI-O, Nomad. The command line has the whole core in its own process, so that it "
    "works without fairleadd(8) too. It needs root.";

// "Create a network" becomes "create a network", for the section NAME.
std::string uncapitalised(std::string_view text) {
  std::string lower(text);
  const bool is_word = lower.size() > 1 && lower[1] >= 'a' && lower[1] <= 'z';
  if (is_word && lower[0] >= 'A' && lower[0] <= 'Z') lower[0] = static_cast<char>(lower[0] + 32);
  return lower;
}

std::vector<const Command*> commands_of(std::string_view group) {
  std::vector<const Command*> of_group;
  for (const Command& command : commands())
    if (command.group == group) of_group.push_back(&command);
  return of_group;
}

std::string usage_of(const Command& command) {
  std::string usage = options_of(command).empty() ? "" : "[OPTIONS]";
  for (const std::string& word : argument_words(command))
    usage += (usage.empty() ? "" : " ") + word;
  return usage;
}

void add_options(Roff& page, const std::vector<OptionText>& options) {
  for (const OptionText& option : options)
    page.term(fmt::format("{}", fmt::join(option.names, ", ")), option.type, option.help + ".");
}

// The summary, options and examples of one command.
void describe(Roff& page, const Command& command) {
  page.paragraph(std::string(command.summary) + ".");
  if (!command.alias.empty())
    page.paragraph(fmt::format("It is called {} as well.", command.alias));
  add_options(page, options_of(command));
  if (const auto keys = option_keys(command); !keys.empty())
    page.paragraph(fmt::format("The options for -o are: {}. Docker's names of them are taken too.",
                               fmt::join(keys, ", ")));
  if (command.takes & kLeavesOut)
    page.paragraph(
        fmt::format("The exit code is {} when something could not be kept; it is named on stderr.",
                    kIncomplete));
  if (command.takes & kDoctor) page.paragraph(kDoctorExitCodes);
  page.paragraph(command.examples.find('\n') == std::string_view::npos ? "Example:" : "Examples:");
  page.example(command.examples);
}

void add_global_options(Roff& page) {
  page.heading("GLOBAL OPTIONS");
  add_options(page, global_options());
}

void add_exit_status(Roff& page) {
  page.heading("EXIT STATUS");
  page.term(std::to_string(kDone), "", "Done.");
  page.term(std::to_string(kFailed), "", "Something failed; stderr says what, and why.");
  page.term(std::to_string(kUsage), "", "The command line was wrong.");
  page.term(std::to_string(kIncomplete), "",
            "Done, but something could not be kept; stderr names it.");
  page.term(std::to_string(kInterrupted), "", "Stopped by Ctrl-C.");
}

void add_environment(Roff& page) {
  page.heading("ENVIRONMENT");
  page.term("FAIRLEAD_CONFIG", "", "The configuration, instead of /etc/fairlead/fairlead.json.");
  page.term("FAIRLEAD_RUN_DIR", "", "Where locks and sockets are.");
  page.term("FAIRLEAD_STATE_DIR", "", "Where the store is.");
  page.term("FAIRLEAD_VOLUME_DIR", "", "Where volumes are.");
}

void add_files(Roff& page) {
  page.heading("FILES");
  page.term("/etc/fairlead/fairlead.json", "", "The configuration: fairlead.json(5).");
  page.term("/var/lib/fairlead/state.db", "", "The store: what was asked for.");
  page.term("/run/fairlead/api.sock", "", "The socket of the daemon's API.");
}

constexpr std::string_view kDaemonPages =
    "fairleadd(8), fairlead.json(5), fairlead-cni(8), "
    "fairlead-netavark(8)";

std::string page_of(std::string_view group) { return fmt::format("fairlead-{}", group); }

// A group's page, or that of a command without a group: the same with one command.
ManualPage page_with(std::string_view word, std::string_view summary,
                     const std::vector<const Command*>& shown, const ManualImprint& imprint) {
  const std::string name = page_of(word);
  Roff page(name, 1, imprint.date, imprint.source());
  page.name(name, uncapitalised(summary)).heading("SYNOPSIS");
  for (const Command* command : shown) page.usage(full_name(*command), usage_of(*command));
  page.heading("DESCRIPTION");
  for (const Command* command : shown) {
    if (!command->group.empty())
      page.subheading(fmt::format("{} {}", full_name(*command), usage_of(*command)));
    describe(page, *command);
  }
  add_global_options(page);
  page.heading("SEE ALSO").paragraph(fmt::format("fairlead(1), {}", kDaemonPages));
  return {name, 1, page.text()};
}

ManualPage overview(const ManualImprint& imprint) {
  Roff page("fairlead", 1, imprint.date, imprint.source());
  page.name("fairlead", "networks and volumes for containers, whatever runs them");
  page.heading("SYNOPSIS").usage("fairlead", "[OPTIONS] COMMAND [ARGUMENT...]");
  page.usage("fairlead", "COMMAND --help");
  page.heading("DESCRIPTION").paragraph(kAbout);
  page.heading("COMMANDS");
  for (const Group& group : groups())
    page.term(fmt::format("fairlead {}", group.name), "",
              fmt::format("{}: {}(1).", group.summary, page_of(group.name)));
  for (const Command* command : commands_of(""))
    page.term(full_name(*command), usage_of(*command),
              fmt::format("{}: {}(1).", command->summary, page_of(command->name)));
  add_global_options(page);
  add_exit_status(page);
  add_environment(page);
  add_files(page);
  page.heading("SEE ALSO").paragraph(kDaemonPages);
  return {"fairlead", 1, page.text()};
}

}  // namespace

std::vector<ManualPage> command_pages(const ManualImprint& imprint) {
  std::vector<ManualPage> pages{overview(imprint)};
  for (const Group& group : groups())
    pages.push_back(page_with(group.name, group.summary, commands_of(group.name), imprint));
  for (const Command* command : commands_of(""))
    pages.push_back(page_with(command->name, command->summary, {command}, imprint));
  return pages;
}

}  // namespace fairlead::cli
