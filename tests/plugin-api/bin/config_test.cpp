#include "plugin-api/bin/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refused(std::string_view text) {
  const auto config = parse_config(text, {});
  return config ? "" : config.error().text;
}

TEST(ConfigTest, what_is_not_said_stays_as_it_was) {
  Config base;
  base.paths.run_dir = "/run/other";
  const auto config = parse_config("{}", base);
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->paths.run_dir, "/run/other");
  EXPECT_FALSE(config->cluster);
}

TEST(ConfigTest, flags_over_a_file_leave_its_cluster_alone) {
  const auto file = parse_config(R"({"cluster": {"etcd": ["http://10.0.0.1:2379"]}})", {});
  ASSERT_TRUE(file) << file.error().text;
  const auto config = parse_config(R"({"log_level": "debug"})", *file);
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->cluster);
}

TEST(ConfigTest, a_cluster_is_read_whole) {
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

TEST(ConfigTest, what_cannot_work_is_refused_by_its_name) {
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

}  // namespace
}  // namespace fairlead
