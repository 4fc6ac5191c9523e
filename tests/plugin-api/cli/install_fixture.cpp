#include "tests/plugin-api/cli/install_fixture.h"

#include <fstream>
#include <iterator>

#include "base/hash.h"

namespace fairlead::testing {

namespace fs = std::filesystem;

InstallTest::InstallTest(const std::string& program)
    : root_(fs::temp_directory_path() / ("fairlead-install-" + random_hex(8))) {
  make_folder("built");
  write("built/plugin", program);
  write("built/local", program + " local");
}

InstallTest::~InstallTest() { fs::remove_all(root_); }

void InstallTest::write(const std::string& name, const std::string& text) const {
  std::ofstream(root_ / name, std::ios::binary) << text;
}

std::string InstallTest::read(const std::string& name) const {
  std::ifstream file(root_ / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t InstallTest::files_in(const std::string& name) const {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(root_ / name), fs::directory_iterator()));
}

}  // namespace fairlead::testing
