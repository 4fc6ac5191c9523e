// The manual pages of the command line: fairlead(1), and one for each group and each command
// without a group, out of the table of commands. What is new in the table has its page by itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fairlead::cli {

struct ManualPage {
  std::string name;  // "fairlead-network"
  int section = 1;
  std::string text;  // for man(1)
  std::string file_name() const { return name + "." + std::to_string(section); }
};

// What stands at the foot of each page.
struct ManualImprint {
  std::string date, version;
  std::string source() const { return "fairlead " + version; }
};

std::vector<ManualPage> command_pages(const ManualImprint& imprint);

}  // namespace fairlead::cli
