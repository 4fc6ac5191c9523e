// What the completions of bash, zsh and fish ask for: `fairlead __complete WORD...` prints what can
// stand in place of the last word, which may be empty.
//
//   network<TAB>Create, show and remove networks      one a line: the word, and what it is
//   size=
//   :nospace                                          the last line: what the shell does
//
//   :none     nothing more
//   :nospace  a word that ends with =, @ or : is not finished
//   :files    the names of files are proposed
//   :folders  those of folders
#pragma once

#include <string>
#include <vector>

#include "plugin-api/cli/cli.h"

namespace fairlead::cli {

inline constexpr std::string_view kCompleteWord = "__complete";

// It never fails, and prints no errors: where nothing is known, nothing is proposed.
int complete(const std::vector<std::string>& words, const CliContext& context);

}  // namespace fairlead::cli
