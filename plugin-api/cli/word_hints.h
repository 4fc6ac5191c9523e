// What people type who know other programs, and the command that does it here.
#pragma once

#include <string_view>

namespace fairlead::cli {

// The hint for a word that is no command of `group` (empty: of the program itself); empty when there
// is none.
std::string_view word_hint(std::string_view group, std::string_view word);

}  // namespace fairlead::cli
