// Commands that install plugins, over folders of the test.
#pragma once

#include <filesystem>
#include <string>

#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {

class InstallTest : public CliTest {
 protected:
  // built/plugin is the program, built/local what it falls back to: the program and " local".
  explicit InstallTest(const std::string& program);
  ~InstallTest() override;

  // `name` is one below the test's folder.
  std::string path(const std::string& name) const { return root_ / name; }
  void make_folder(const std::string& name) const {
    std::filesystem::create_directories(path(name));
  }
  void write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;
  bool has(const std::string& name) const { return std::filesystem::exists(path(name)); }
  std::size_t files_in(const std::string& name) const;

  const std::filesystem::path root_;
};

}  // namespace fairlead::testing
