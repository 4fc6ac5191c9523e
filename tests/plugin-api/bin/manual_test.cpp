#include "plugin-api/bin/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "plugin-api/bin/config.h"
#include "plugin-api/bin/config_words.h"
#include "plugin-api/cli/command_text.h"
#include "plugin-api/cli/commands.h"

namespace fairlead {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

const cli::ManualImprint kImprint{.date = "2026-12-01", .version = "0.2.0"};

constexpr std::string_view kUsage = R"(fairleadd: networks and volumes for containers

Usage: fairleadd [options]

  --run-dir DIR       locks and the API socket                    (/run/fairlead)
  --log-level LEVEL   debug, info, warn or error                  (info)
  --version           print the version

It stays in the foreground. SIGTERM ends it.
)";

std::vector<cli::ManualPage> all_pages() {
  auto pages = cli::command_pages(kImprint);
  pages.push_back(daemon_page(kUsage, kImprint));
  pages.push_back(config_page(kImprint));
  for (cli::ManualPage& page : plugin_pages(kImprint)) pages.push_back(std::move(page));
  return pages;
}

struct Said {
  int exit_code = -1;
  std::string text;
};

Said run_shell(const std::string& command) {
  Said said;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) said.text += static_cast<char>(c);
  said.exit_code = ::pclose(pipe);
  return said;
}

bool has_program(const std::string& name) { return run_shell("command -v " + name).exit_code == 0; }

// The pages as files in a folder of their own.
class ManualPages : public ::testing::Test {
 protected:
  ManualPages() {
    char name[] = "/tmp/fairlead-manual-XXXXXX";
    folder_ = ::mkdtemp(name);
    for (const cli::ManualPage& page : all_pages())
      std::ofstream(folder_ / page.file_name()) << page.text;
  }
  ~ManualPages() override { std::filesystem::remove_all(folder_); }

  // What `program` prints that reads each page, and ends with an error where it has something to say.
  void expect_silent(const std::string& program) {
    if (!has_program(program.substr(0, program.find(' '))))
      GTEST_SKIP() << program << " is not installed";
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      const Said said = run_shell(program + " " + entry.path().string());
      EXPECT_EQ(said.text, "") << entry.path();
      EXPECT_EQ(said.exit_code, 0) << entry.path();
    }
  }

  std::string rendered(const std::string& file) {
    return run_shell("groff -man -Tascii -P-cbou -rLL=200n " + (folder_ / file).string()).text;
  }

  std::filesystem::path folder_;
};

TEST_F(ManualPages, GroffHasNothingToSay) { expect_silent("groff -man -ww -z"); }

TEST_F(ManualPages, MandocHasNothingToSay) { expect_silent("mandoc -T lint"); }

TEST_F(ManualPages, AWrongPageIsFound) {
  if (!has_program("mandoc")) GTEST_SKIP() << "mandoc is not installed";
  std::ofstream(folder_ / "wrong.1") << ".TH WRONG 1\n.SHH NAME\n";
  EXPECT_NE(run_shell("mandoc -T lint " + (folder_ / "wrong.1").string()).exit_code, 0);
}

TEST_F(ManualPages, TellEachCommandWithItsOptionsAndExamples) {
  std::map<std::string_view, std::string> texts;
  for (const cli::Command& command : cli::commands()) {
    const auto page = command.group.empty() ? command.name : command.group;
    std::string& text = texts[page];
    if (text.empty()) text = rendered(fmt::format("fairlead-{}.1", page));
    EXPECT_THAT(text, HasSubstr(cli::full_name(command)));
    EXPECT_THAT(text,
                HasSubstr(std::string(command.examples.substr(0, command.examples.find('\n')))));
    for (const cli::OptionText& option : cli::options_of(command))
      for (const std::string& name : option.names)
        EXPECT_THAT(text, HasSubstr(name)) << cli::full_name(command);
  }
}

TEST_F(ManualPages, OfTheDaemonSaysWhatItsHelpSays) {
  const std::string text = rendered("fairleadd.8");
  EXPECT_THAT(text, HasSubstr("fairleadd - networks and volumes for containers"));
  EXPECT_THAT(text,
              HasSubstr("--run-dir DIR\n              Locks and the API socket (/run/fairlead)."));
  EXPECT_THAT(text, HasSubstr("--version\n              Print the version."));
  EXPECT_THAT(text, HasSubstr("It stays in the foreground."));
}

TEST(ConfigWordsTest, AreThereForEachKeyThatIsRead) {
  std::vector<std::string> told;
  for (const ConfigWords& words : config_words()) told.emplace_back(words.key);
  EXPECT_THAT(told, UnorderedElementsAreArray(config_keys()));
}

TEST(RoffTest, TextIsNeverAMacro) {
  // A line that begins with a full stop, and a backslash, are what they are.
  for (const cli::ManualPage& page : all_pages()) {
    EXPECT_EQ(page.text.find("\n.\n"), std::string::npos);
    EXPECT_EQ(page.text.find("\n'"), std::string::npos) << page.name;
  }
}

}  // namespace
}  // namespace fairlead
