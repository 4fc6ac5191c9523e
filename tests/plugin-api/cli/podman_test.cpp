// fairlead podman install and uninstall, over folders of the test.
#include <gmock/gmock.h>

#include "tests/plugin-api/cli/install_fixture.h"

namespace fairlead::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kProgram =
    "\x7f"
    "ELF Fairlead's networks are root's";

class PodmanCommands : public InstallTest {
 protected:
  PodmanCommands() : InstallTest(kProgram) {
    podman_ = {.program = path("built/plugin"),
               .local = path("built/local"),
               .plugin_folders = {path("libexec/netavark"), path("lib/netavark")},
               .helper_folders = {path("libexec/podman")},
               .own_folder = path("libexec/fairlead"),
               .config_folder = path("etc/containers.conf.d"),
               .volume_socket = "/run/docker/plugins/fairlead.sock"};
  }
};

TEST_F(PodmanCommands, InstallPutsThePluginAndTellsOfVolumes) {
  const auto done = run("podman install");
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr(path("libexec/netavark/fairlead") + ": installed\n"));
  EXPECT_EQ(read("libexec/netavark/fairlead"), kProgram);
  EXPECT_EQ(read("libexec/fairlead/fairlead-netavark-local"), std::string(kProgram) + " local");
  const std::string fragment = read("etc/containers.conf.d/fairlead.conf");
  EXPECT_THAT(
      fragment,
      HasSubstr("[engine.volume_plugins]\nfairlead = \"/run/docker/plugins/fairlead.sock\"\n"));
  EXPECT_THAT(fragment, Not(HasSubstr("helper_binaries_dir")));
  EXPECT_FALSE(has("libexec/fairlead/podman"));
  EXPECT_THAT(run("podman install").out, HasSubstr("fairlead.conf: there already\n"));
}

TEST_F(PodmanCommands, TheDropInComesBeforePodmansOwnFolders) {
  ASSERT_EQ(run("podman install --drop-in").exit_code, 0);
  EXPECT_EQ(read("libexec/fairlead/podman/netavark"), kProgram);
  EXPECT_THAT(read("etc/containers.conf.d/fairlead.conf"),
              HasSubstr("helper_binaries_dir = [\"" + path("libexec/fairlead/podman") + "\", \"" +
                        path("libexec/podman") + "\"]\n"));
  ASSERT_EQ(run("podman install").exit_code, 0);  // without it again
  EXPECT_FALSE(has("libexec/fairlead/podman"));
  EXPECT_THAT(read("etc/containers.conf.d/fairlead.conf"), Not(HasSubstr("helper_binaries_dir")));
}

TEST_F(PodmanCommands, AnotherFolderIsNamedToPodman) {
  ASSERT_EQ(run("podman install --dir " + path("own")).exit_code, 0);
  EXPECT_TRUE(has("own/fairlead"));
  EXPECT_THAT(read("etc/containers.conf.d/fairlead.conf"),
              HasSubstr("netavark_plugin_dirs = [\"" + path("own") + "\", "));
  EXPECT_EQ(run("podman install --dir relative").exit_code, 1);
}

TEST_F(PodmanCommands, TheFolderThatIsThereIsTaken) {
  make_folder("lib/netavark");
  ASSERT_EQ(run("podman install").exit_code, 0);
  EXPECT_TRUE(has("lib/netavark/fairlead"));
  EXPECT_FALSE(has("libexec/netavark"));
}

TEST_F(PodmanCommands, UninstallTakesBackAllOfItAndNothingElse) {
  ASSERT_EQ(run("podman install --drop-in").exit_code, 0);
  write("libexec/netavark/other", "#!/bin/sh\n");
  const auto gone = run("podman uninstall");
  EXPECT_EQ(gone.exit_code, 0) << gone.err;
  for (const char* file :
       {"libexec/netavark/fairlead", "libexec/fairlead/podman",
        "libexec/fairlead/fairlead-netavark-local", "etc/containers.conf.d/fairlead.conf"})
    EXPECT_FALSE(has(file)) << file;
  EXPECT_TRUE(has("libexec/netavark/other"));
  EXPECT_EQ(run("podman uninstall").exit_code, 0);
  ASSERT_EQ(run("podman install --drop-in").exit_code, 0);
  EXPECT_EQ(run("podman install --remove").exit_code, 0);
  EXPECT_FALSE(has("etc/containers.conf.d/fairlead.conf"));
  EXPECT_FALSE(has("libexec/netavark/fairlead"));
}

TEST_F(PodmanCommands, OthersFilesStay) {
  make_folder("etc/containers.conf.d");
  write("etc/containers.conf.d/fairlead.conf", "[engine]\n");
  EXPECT_THAT(run("podman install").err, HasSubstr("is not Fairlead's"));
  EXPECT_THAT(run("podman uninstall").err, HasSubstr("is not Fairlead's"));
  EXPECT_EQ(read("etc/containers.conf.d/fairlead.conf"), "[engine]\n");
  fs::remove(root_ / "etc/containers.conf.d/fairlead.conf");
  write("libexec/netavark/fairlead", "#!/bin/sh\n");
  EXPECT_THAT(run("podman uninstall").err, HasSubstr("is not Fairlead's plugin"));
}

TEST_F(PodmanCommands, OnlyRootMay) {
  uid_ = 1000;
  EXPECT_THAT(run("podman install").err, HasSubstr("use sudo"));
  EXPECT_FALSE(has("libexec"));
}

}  // namespace
}  // namespace fairlead::testing
