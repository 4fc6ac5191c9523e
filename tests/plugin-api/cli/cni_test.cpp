// fairlead cni install and uninstall, over folders of the test.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/plugin-api/cli/install_fixture.h"

namespace fairlead::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kProgram =
    "\x7f"
    "ELF CNI fairlead plugin 1";

class CniCommands : public InstallTest {
 protected:
  CniCommands() : InstallTest(kProgram) {
    cni_ = {.program = path("built/plugin"),
            .local = path("built/local"),
            .folders = {path("opt/cni/bin"), path("lib/cni")}};
  }
};

TEST_F(CniCommands, TheUsualFolderIsMadeWhenThereIsNone) {
  const auto done = run("cni install");
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr(path("opt/cni/bin/fairlead") + ": installed\n"));
  EXPECT_EQ(read("opt/cni/bin/fairlead"), kProgram);
  EXPECT_EQ(read("opt/cni/bin/fairlead-cni-local"), std::string(kProgram) + " local");
  struct stat status {};
  ASSERT_EQ(::stat(path("opt/cni/bin/fairlead").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
  EXPECT_FALSE(has("lib"));
}

TEST_F(CniCommands, EachUsualFolderThatIsThereGetsItAndTwiceIsOnce) {
  for (const char* folder : {"opt/cni/bin", "lib/cni"}) make_folder(folder);
  ASSERT_EQ(run("cni install").exit_code, 0);
  const auto again = run("cni install");
  EXPECT_EQ(again.exit_code, 0);
  for (const char* folder : {"opt/cni/bin", "lib/cni"}) {
    EXPECT_THAT(again.out, HasSubstr(path(folder) + "/fairlead: there already\n"));
    EXPECT_EQ(files_in(folder), 2U);
  }
  write("lib/cni/fairlead", "CNI fairlead plugin 0");
  EXPECT_THAT(run("cni install").out, HasSubstr(path("lib/cni/fairlead") + ": replaced\n"));
  EXPECT_EQ(read("lib/cni/fairlead"), kProgram);

  const auto gone = run("cni uninstall");
  EXPECT_EQ(gone.exit_code, 0) << gone.err;
  EXPECT_THAT(gone.out, HasSubstr(path("lib/cni/fairlead") + ": removed\n"));
  EXPECT_EQ(files_in("opt/cni/bin") + files_in("lib/cni"), 0U);
  EXPECT_EQ(run("cni uninstall").exit_code, 0);
}

TEST_F(CniCommands, TheFolderMayBeNamedAndHasToBeThere) {
  const auto missing = run("cni install --dir " + path("nowhere"));
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("folder " + path("nowhere") + " does not exist"));
  make_folder("own");
  EXPECT_EQ(run("cni install --dir " + path("own")).exit_code, 0);
  EXPECT_EQ(files_in("own"), 2U);
  EXPECT_FALSE(has("opt"));
}

TEST_F(CniCommands, ALinkIsReplacedAndNotWhatItLeadsTo) {
  make_folder("own");
  write("victim", "precious");
  fs::create_symlink(root_ / "victim", root_ / "own/fairlead");
  EXPECT_EQ(run("cni install --dir " + path("own")).exit_code, 0);
  EXPECT_EQ(read("victim"), "precious");
  EXPECT_FALSE(fs::is_symlink(root_ / "own/fairlead"));
}

TEST_F(CniCommands, WhatIsNotFairleadsOrIsThePackagesStays) {
  make_folder("own");
  write("own/fairlead", "#!/bin/sh");
  const auto refused = run("cni uninstall --dir " + path("own"));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("is not Fairlead's plugin"));
  EXPECT_EQ(read("own/fairlead"), "#!/bin/sh");

  make_folder("lib/cni");
  write("lib/cni/fairlead", kProgram);
  cni_.program = path("lib/cni/fairlead");
  cni_.local.clear();
  EXPECT_THAT(run("cni install").out, HasSubstr(path("lib/cni/fairlead") + ": there already\n"));
  EXPECT_THAT(run("cni uninstall").out, HasSubstr("goes with the package"));
  EXPECT_EQ(read("lib/cni/fairlead"), kProgram);
}

TEST_F(CniCommands, WithoutRootOrThePluginNothingIsDone) {
  uid_ = 1000;
  EXPECT_THAT(run("cni install").err, HasSubstr("only root"));
  uid_ = 0;
  cni_.program.clear();
  EXPECT_THAT(run("cni install").err, HasSubstr("was not found"));
  EXPECT_FALSE(has("opt"));
}

TEST_F(CniCommands, AFolderInThePlaceOfThePluginIsToldAndLeavesNothing) {
  make_folder("own/fairlead");
  const auto refused = run("cni install --dir " + path("own"));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr(path("own/fairlead")));
  EXPECT_EQ(files_in("own"), 2U) << "the folder and fairlead-cni-local";
}

}  // namespace
}  // namespace fairlead::testing
