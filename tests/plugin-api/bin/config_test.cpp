#include "plugin-api/bin/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/hash.h"

namespace fairlead {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refused(std::string_view text) {
  const auto config = parse_config(text, {});
  return config ? "" : config.error().text;
}

TEST(ConfigTest, WhatIsNotSaidStaysAsItWas) {
  Config base;
  base.paths.run_dir = "/run/other";
  const auto config = parse_config("{}", base);
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->paths.run_dir, "/run/other");
  EXPECT_FALSE(config->cluster);
}

TEST(ConfigTest, TheSocketOfDockerIsAPathOrAsDockerHostHasIt) {
  const auto socket = [](std::string_view text) {
    const auto config = parse_config(text, {});
    return config ? config->docker_socket : "refused: " + config.error().text;
  };
  EXPECT_EQ(socket("{}"), "/run/docker.sock");
  EXPECT_EQ(socket(R"({"docker_socket": "/run/user/7/docker.sock"})"), "/run/user/7/docker.sock");
  EXPECT_EQ(socket(R"({"docker_socket": "unix:///run/other.sock"})"), "/run/other.sock");
  EXPECT_EQ(socket(R"({"docker_socket": ""})"), "");
  EXPECT_THAT(socket(R"({"docker_socket": "tcp://10.0.0.1:2375"})"),
              HasSubstr("dockerd is asked on this host only"));
  EXPECT_THAT(socket(R"({"docker_socket": "docker.sock"})"), HasSubstr("not an absolute path"));
}

// ---- the page

Result<Config> loaded(const Flags& flags) {
  return load_config(flags, [](const char*) { return nullptr; });
}

TEST(ConfigTest, ThereIsNoPageUnlessItIsAskedFor) {
  EXPECT_FALSE(parse_config("{}", {})->ui.place);
  EXPECT_FALSE(parse_config(R"({"ui": ""})", {})->ui.place);
  const auto config = parse_config(R"({"ui": "127.0.0.1:7780", "ui_write": true})", {});
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->ui.place->to_string(), "127.0.0.1:7780");
  EXPECT_TRUE(config->ui.write);
  EXPECT_THAT(refused(R"({"ui": "7780"})"),
              HasSubstr("field ui: 7780 is not an address and a port"));
}

TEST(ConfigTest, TheFlagsOfThePageGoBeforeTheFile) {
  const auto config = loaded({.ui = "[::1]:7781", .ui_write = true});
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->ui.place->to_string(), "[::1]:7781");
  EXPECT_TRUE(config->ui.write);
  EXPECT_FALSE(loaded({})->ui.write);
  EXPECT_THAT(loaded({.ui = "x:1"}).error().text, HasSubstr("--ui: "));
}

TEST(ConfigTest, ThePageIsForThisMachineUnlessItIsSaidTwice) {
  for (const char* place : {"0.0.0.0:7780", "[::]:7780", "192.0.2.1:7780"}) {
    const auto config = loaded({.ui = place});
    ASSERT_FALSE(config) << place;
    EXPECT_THAT(config.error().text, HasSubstr("\"ui_anywhere\": true")) << place;
  }
  const std::string file = ::testing::TempDir() + "/ui-" + random_hex(8) + ".json";
  std::ofstream(file) << R"({"ui": "0.0.0.0:7780", "ui_anywhere": true})";
  const auto config = loaded({.config = file});
  std::filesystem::remove(file);
  ASSERT_TRUE(config) << config.error().text;
}

TEST(ConfigTest, FlagsOverAFileLeaveItsClusterAlone) {
  const auto file = parse_config(R"({"cluster": {"etcd": ["http://10.0.0.1:2379"]}})", {});
  ASSERT_TRUE(file) << file.error().text;
  const auto config = parse_config(R"({"log_level": "debug"})", *file);
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->cluster);
}

TEST(ConfigTest, AClusterIsReadWhole) {
  const auto config = parse_config(R"({"cluster": {
      "etcd": ["https://10.0.0.1:2379", "https://10.0.0.2:2379"], "name": "east", "address": "eth1",
      "host": "node1", "ca_file": "/tls/ca.crt", "certificate_file": "/tls/client.crt",
      "key_file": "/tls/client.key", "user": "node1", "password_file": "/tls/password"}})",
                                   {});
  ASSERT_TRUE(config) << config.error().text;
  const ClusterConfig& cluster = *config->cluster;
  EXPECT_THAT(cluster.etcd.endpoints,
              ElementsAre("https://10.0.0.1:2379", "https://10.0.0.2:2379"));
  EXPECT_EQ(cluster.etcd.prefix, "/fairlead/v1/east/");
  EXPECT_EQ(cluster.name, "east");
  EXPECT_EQ(cluster.address, "eth1");
  EXPECT_EQ(cluster.host, "node1");
  EXPECT_EQ(cluster.etcd.ca_file, "/tls/ca.crt");
  EXPECT_EQ(cluster.etcd.certificate_file, "/tls/client.crt");
  EXPECT_EQ(cluster.etcd.key_file, "/tls/client.key");
  EXPECT_EQ(cluster.etcd.user, "node1");
  EXPECT_EQ(cluster.etcd.password_file, "/tls/password");
}

TEST(ConfigTest, WhatCannotWorkIsRefusedByItsName) {
  EXPECT_THAT(refused(R"({"cluster": {}})"), HasSubstr("cluster.etcd"));
  EXPECT_THAT(refused(R"({"cluster": {"etcd": "http://x"}})"), HasSubstr("etcd"));
  EXPECT_THAT(refused(R"({"cluster": {"etcd": ["http://x"], "name": "a/b"}})"),
              HasSubstr("cluster.name"));
  EXPECT_THAT(refused(R"({"cluster": {"etcd": ["http://x"], "ca_file": "ca.crt"}})"),
              HasSubstr("not an absolute path"));
  EXPECT_THAT(refused(R"({"cluster": {"etcd": ["http://x"], "adress": "eth1"}})"),
              HasSubstr("address"));
  EXPECT_THAT(refused(R"({"clusters": {}})"), HasSubstr("cluster"));
}

TEST(ConfigTest, EveryFieldOfTheWrongTypeIsRefusedByItsName) {
  for (const char* key : {"run_dir", "state_dir", "volume_dir", "plugin_dir", "bind_roots",
                          "backup_roots", "device_roots", "api_group", "allow_forwarding",
                          "counters", "foreign_firewalls", "restart_docker_containers",
                          "docker_socket", "metrics_address", "log_level", "log_format", "cluster"})
    EXPECT_THAT(refused(fmt::format(R"({{"{}": 7}})", key)),
                HasSubstr(fmt::format("field {} must be ", key)));
  for (const char* key : {"name", "address", "host", "ca_file", "certificate_file", "key_file",
                          "user", "password_file"})
    EXPECT_THAT(refused(fmt::format(R"({{"cluster": {{"etcd": ["http://x"], "{}": 7}}}})", key)),
                HasSubstr(fmt::format("field cluster.{} must be a string", key)));
  for (const char* ratio : {"\"1\"", "-1", "1001", "true"})
    EXPECT_THAT(refused(fmt::format(R"({{"overcommit": {}}})", ratio)),
                HasSubstr("field overcommit"))
        << ratio;
  for (const auto& [text, ratio] : {std::pair("0", 0.0), {"1", 1.0}, {"2.5", 2.5}})
    EXPECT_EQ(parse_config(fmt::format(R"({{"overcommit": {}}})", text), {})->paths.overcommit,
              ratio);
  for (const char* mask : {"7", "\"\"", "\"0x0\"", "\"0x90000000\"", "\"0x1f0000000\"", "\"f0\""})
    EXPECT_THAT(refused(fmt::format(R"({{"uplink_mask": {}}})", mask)),
                HasSubstr("field uplink_mask"))
        << mask;
  EXPECT_THAT(refused(R"({"dns_port": 65536})"), HasSubstr("field dns_port must be 0 to 65535"));
  EXPECT_THAT(refused(R"({"reconcile_seconds": 0})"),
              HasSubstr("field reconcile_seconds must be 1 to 86400, not 0"));
  EXPECT_THAT(refused(R"({"cluster": {"etcd": ["http://x"], "wireguard_port": 0}})"),
              HasSubstr("field cluster.wireguard_port must be 1 to 65535, not 0"));
  EXPECT_THAT(refused(R"({"bind_roots": ["/srv", "x"]})"),
              HasSubstr("field bind_roots[1]: \"x\" is not an absolute path"));
  EXPECT_THAT(refused(R"({"log_level": "loud"})"),
              HasSubstr("field log_level: \"loud\" is not one of debug, info, warn, error"));
}

TEST(ConfigTest, BackupRootsAreFoldersAndTargetsOnOtherHosts) {
  const auto config = parse_config(
      R"({"backup_roots": ["/srv/backup", "sftp:me@nas:/b", "rclone:cloud:", "s3:bucket"]})", {});
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_THAT(config->paths.backup_roots,
              ElementsAre("/srv/backup", "sftp:me@nas:/b", "rclone:cloud:", "s3:bucket"));
  EXPECT_FALSE(config->paths.backups_anywhere);
  EXPECT_THAT(refused(R"({"backup_roots": ["srv"]})"), HasSubstr("not an absolute path"));
  EXPECT_THAT(refused(R"({"backup_roots": ["/srv", "sftp:nas"]})"),
              HasSubstr("field backup_roots[1]: the backup target \"sftp:nas\""));
  EXPECT_THAT(refused(R"({"backup_roots": ["sftp:nas:/a/../b"]})"), HasSubstr("no . and .."));
}

TEST(ConfigTest, OtherFirewallsAreOpenedOrReported) {
  EXPECT_TRUE(parse_config("{}", {})->paths.open_foreign_firewalls);
  EXPECT_TRUE(parse_config(R"({"foreign_firewalls": "open"})", {})->paths.open_foreign_firewalls);
  EXPECT_FALSE(
      parse_config(R"({"foreign_firewalls": "report"})", {})->paths.open_foreign_firewalls);
  EXPECT_THAT(refused(R"({"foreign_firewalls": "close"})"),
              HasSubstr("field foreign_firewalls: \"close\" is not one of open, report"));
}

TEST(ConfigTest, ContainersOfDockerAreStartedOnlyWhenAskedFor) {
  EXPECT_FALSE(parse_config("{}", {})->restart_docker_containers);
  const auto config = parse_config(
      R"({"restart_docker_containers": true, "docker_socket": "/run/other.sock"})", {});
  EXPECT_TRUE(config->restart_docker_containers);
  EXPECT_EQ(config->docker_socket, "/run/other.sock");
  EXPECT_THAT(refused(R"({"docker_socket": "tcp://x"})"), HasSubstr("is not a Unix socket"));
}

TEST(ConfigTest, EmptyWordsAndPathsAreTaken) {
  Config base;
  base.log_level = log::Level::kWarn;
  base.paths.volume_dir = "/volumes";
  const auto config = parse_config(
      R"({"log_level": "", "log_format": "", "volume_dir": "", "cluster": {"etcd": ["http://x"], "ca_file": ""}})",
      base);
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->log_level, log::Level::kWarn);
  EXPECT_EQ(config->paths.volume_dir, "");
}

// A configuration file, and an environment that names it.
class LoaderTest : public ::testing::Test {
 protected:
  ~LoaderTest() override { std::filesystem::remove(file_); }

  void write(std::string_view text) {
    std::ofstream(file_) << text;
    environment_["FAIRLEAD_CONFIG"] = file_;
  }
  Result<Config> load(const Flags& flags = {}) {
    return load_config(flags, [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }
  std::string refused(const Flags& flags = {}) {
    const auto config = load(flags);
    return config ? "" : config.error().text;
  }

  const std::string file_ =
      std::filesystem::temp_directory_path() / ("fairlead-config-" + random_hex(8));
  std::map<std::string, std::string> environment_;
};

TEST_F(LoaderTest, EnvironmentGoesOverTheFileAndFlagsOverBoth) {
  write(R"({"run_dir": "/file/run", "state_dir": "/file/state", "volume_dir": "/file/volumes",
            "plugin_dir": "/file/plugins", "bind_roots": ["/srv"], "log_level": "warn"})");
  environment_["FAIRLEAD_STATE_DIR"] = "/environment/state";
  environment_["FAIRLEAD_VOLUME_DIR"] = "/environment/volumes";
  environment_["FAIRLEAD_RUN_DIR"] = "";
  const auto config = load({.volume_dir = "/flag/volumes", .log_level = "debug"});
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->paths.run_dir, "/file/run");
  EXPECT_EQ(config->paths.plugin_dir, "/file/plugins");
  EXPECT_EQ(config->paths.state_dir, "/environment/state");
  EXPECT_EQ(config->paths.volume_dir, "/flag/volumes");
  EXPECT_THAT(config->paths.bind_roots, ElementsAre("/srv"));
  EXPECT_EQ(config->log_level, log::Level::kDebug);
}

TEST_F(LoaderTest, AFlagNamesAnotherFileThanTheEnvironment) {
  write(R"({"state_dir": "/one"})");
  EXPECT_THAT(refused({.config = file_ + ".missing"}), HasSubstr(file_ + ".missing"));
  environment_["FAIRLEAD_CONFIG"] = "/nowhere/fairlead.json";
  EXPECT_THAT(refused(), HasSubstr("/nowhere/fairlead.json"));
  EXPECT_EQ(load({.config = file_})->paths.state_dir, "/one");
}

TEST_F(LoaderTest, AFlagIsAValueAndNoTextOfAConfiguration) {
  write("{}");
  const auto quoted = load({.state_dir = R"(/a"b\)"});
  ASSERT_TRUE(quoted) << quoted.error().text;
  EXPECT_EQ(quoted->paths.state_dir, R"(/a"b\)");
  const auto clever = load({.run_dir = R"(/x","log_level":"debug)"});
  ASSERT_TRUE(clever) << clever.error().text;
  EXPECT_EQ(clever->paths.run_dir, R"(/x","log_level":"debug)");
  EXPECT_EQ(clever->log_level, log::Level::kInfo);
}

TEST_F(LoaderTest, WhatCannotBeIsRefusedByTheNameOfItsSource) {
  write("{}");
  EXPECT_THAT(refused({.run_dir = "run"}), HasSubstr("--run-dir: \"run\" is not an absolute path"));
  EXPECT_THAT(refused({.state_dir = ""}), HasSubstr("--state-dir"));
  EXPECT_THAT(refused({.log_level = "loud"}), HasSubstr("--log-level: \"loud\" is not one of"));
  EXPECT_THAT(refused({.log_format = "xml"}), HasSubstr("--log-format"));
  environment_["FAIRLEAD_STATE_DIR"] = "state";
  EXPECT_THAT(refused(), HasSubstr("FAIRLEAD_STATE_DIR: \"state\" is not an absolute path"));
  environment_.erase("FAIRLEAD_STATE_DIR");
  for (const char* key : {"run_dir", "state_dir", "plugin_dir"}) {
    write(fmt::format(R"({{"{}": ""}})", key));
    EXPECT_THAT(refused(), HasSubstr(key));
  }
  write(R"({"state_dirs": "/x"})");
  EXPECT_THAT(refused(), ::testing::AllOf(HasSubstr(file_), HasSubstr("state_dirs"),
                                          HasSubstr("did you mean")));
  write("{");
  EXPECT_THAT(refused(), HasSubstr(file_));
}

}  // namespace
}  // namespace fairlead
