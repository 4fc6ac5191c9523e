// Writes the manual pages: fairlead-manual FOLDER DATE < what fairleadd --help prints. A tool of the
// build, which is not installed.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "plugin-api/bin/manual.h"
#include "plugin-api/bin/version.h"

namespace fairlead {
namespace {

bool write_page(const std::string& folder, const cli::ManualPage& page) {
  const std::string path = folder + "/" + page.file_name();
  std::ofstream file(path);
  file << page.text;
  file.close();
  if (!file) std::cerr << "fairlead-manual: write " << path << ": it cannot be written\n";
  return !file.fail();
}

int run(const std::string& folder, const std::string& date) {
  const cli::ManualImprint imprint{.date = date, .version = std::string(kVersion)};
  const std::string usage(std::istreambuf_iterator<char>(std::cin), {});
  auto pages = cli::command_pages(imprint);
  pages.push_back(daemon_page(usage, imprint));
  pages.push_back(config_page(imprint));
  for (cli::ManualPage& page : plugin_pages(imprint)) pages.push_back(std::move(page));
  for (const cli::ManualPage& page : pages)
    if (!write_page(folder, page)) return 1;
  return 0;
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) {
  if (argc == 3) return fairlead::run(argv[1], argv[2]);
  std::fputs("usage: fairlead-manual FOLDER DATE < what fairleadd --help prints\n", stderr);
  return 2;
}
