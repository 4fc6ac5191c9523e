// Other plugins as processes, with real programs.
#include "plugin-api/cni/plugin_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace fairlead::cni {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PluginProcess : public ::testing::Test {
 protected:
  PluginProcess() {
    std::string name = fs::temp_directory_path() / "plugins-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~PluginProcess() override { fs::remove_all(folder_); }

  std::string program(const std::string& name, const std::string& text, mode_t mode = 0755) {
    const std::string path = folder_ / name;
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    ::chmod(path.c_str(), mode);
    return path;
  }

  fs::path folder_;
};

TEST_F(PluginProcess, IsFoundInTheFirstFolderThatHasIt) {
  fs::create_directories(folder_ / "a/static");  // no program
  fs::create_directories(folder_ / "b");
  program("b/static", "exit 0", 0644);  // cannot be run
  const std::string path = program("static", "exit 0");
  const std::string folders =
      fmt::format("/nowhere::{0}/a:{1}:{1}", folder_.string(), folder_.string());
  EXPECT_EQ(find_plugin(folders, "static").value_or(""), path);
}

TEST_F(PluginProcess, ThatIsNowhereIsNamedWithTheFolders) {
  const auto found = find_plugin("/nowhere:/neither", "static");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kNotFound);
  EXPECT_THAT(found.error().text, HasSubstr("/nowhere:/neither"));
  EXPECT_THAT(find_plugin("", "static").error().text, HasSubstr("empty"));
}

TEST_F(PluginProcess, APathIsNoName) {
  program("x", "exit 0");
  for (const char* name : {"", ".", "..", "../x", "a/x", "/bin/sh"})
    EXPECT_EQ(find_plugin(folder_.string(), name).error().code, Code::kInvalid) << name;
}

TEST_F(PluginProcess, GetsTheInputTheCommandAndTheEnvironment) {
  ::setenv("CNI_COMMAND", "ADD", 1);
  ::setenv("CNI_IFNAME", "eth0", 1);
  ::setenv("FAIRLEAD_TEST_MARK", "kept", 1);
  const auto outcome = run_plugin(
      {program("p", "cat; echo \" $CNI_COMMAND $CNI_IFNAME $FAIRLEAD_TEST_MARK\"; exit 3"),
       {"DEL", "net1"},
       "{config}"});
  ::unsetenv("CNI_COMMAND");
  ::unsetenv("CNI_IFNAME");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(*outcome, (PluginOutcome{3, "{config} DEL net1 kept\n"}));
}

TEST_F(PluginProcess, LargeInputsAndAnswersBlockNobody) {
  const std::string input(900'000, 'x');
  const auto outcome = run_plugin({program("p", "cat; cat >/dev/null"), {"ADD"}, input});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->out, input);
  // It does not read what it gets.
  EXPECT_EQ(run_plugin({program("q", "exit 0"), {"ADD"}, std::string(2 << 20, 'x')})->exit_code, 0);
  EXPECT_FALSE(run_plugin({program("r", "head -c 2000000 /dev/zero"), {"ADD"}, ""}));
}

TEST_F(PluginProcess, ThatIsKilledOrCannotBeRunIsAnError) {
  EXPECT_THAT(run_plugin({program("p", "kill -9 $$"), {"ADD"}, ""}).error().text,
              HasSubstr("signal 9"));
  const auto missing = run_plugin({"/nowhere/p", {"ADD"}, ""});
  EXPECT_TRUE(!missing || missing->exit_code == 127);
}

// A runtime that kills the caller must not find the plugin at work afterwards.
TEST_F(PluginProcess, EndsWithItsCaller) {
  const std::string pid_file = folder_ / "pid";
  const std::string path =
      program("p", fmt::format("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 100", pid_file));
  const pid_t caller = ::fork();
  if (caller == 0) {
    (void)run_plugin({path, {"ADD"}, ""});
    ::_exit(0);
  }
  pid_t plugin = 0;
  while (!(std::ifstream(pid_file) >> plugin)) ::usleep(1000);
  ASSERT_EQ(::kill(plugin, 0), 0);
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  const auto state = [&] {
    std::ifstream file(fmt::format("/proc/{}/stat", plugin));
    std::string text;
    std::getline(file, text);
    return text.empty() ? 'X' : text[text.rfind(')') + 2];
  };
  const auto has_ended = [&] { return state() == 'X' || state() == 'Z'; };
  for (int waited = 0; !has_ended() && waited < 5000; ++waited) ::usleep(1000);
  EXPECT_TRUE(has_ended()) << "process " << plugin << " goes on without its caller";
}

}  // namespace
}  // namespace fairlead::cni
