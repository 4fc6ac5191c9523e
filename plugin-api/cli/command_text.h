// What the parser knows of each command, as plain values: for manual pages and completions. It is
// asked of the parser itself, so that neither differs from --help.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fairlead::cli {

struct Command;

struct OptionText {
  std::vector<std::string> names;  // "-o", "--opt"
  std::string type;                // "K=V"; empty: it takes no value
  std::string help;
};

// The options of the command itself, as --help lists them.
std::vector<OptionText> options_of(const Command& command);
// Those that every command takes, and --help.
std::vector<OptionText> global_options();

// What may stand before the = of -o, of a command that has it; else empty.
std::vector<std::string> option_keys(const Command& command);

// The words of a command's arguments: "NAME", "[NEW]", "PORT...".
std::vector<std::string> argument_words(const Command& command);

// Of `fairlead doctor`, for its help and its manual page.
inline constexpr std::string_view kDoctorExitCodes =
    "The exit code is 0 when all is well, 1 with warnings, 2 with problems (and for a wrong "
    "option),\nand 3 when something could not be looked at.";

// "fairlead network rm", or "fairlead status".
std::string full_name(const Command& command);

}  // namespace fairlead::cli
