#include "volume/service/far_storage.h"

#include <gmock/gmock.h>

namespace fairlead::volume {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = BackupTarget::Kind;

BackupTarget parsed(const std::string& text) {
  auto target = parse_backup_target(text);
  EXPECT_TRUE(target) << target.error().text;
  return target ? *target : BackupTarget();
}

BackupTarget ssh(const std::string& name, const std::string& user, const std::string& host,
                 const std::string& port, const std::string& path) {
  return {.kind = Kind::kSsh,
          .name = name,
          .user = user,
          .host = host,
          .port = port,
          .remote = {},
          .path = path};
}

TEST(BackupTarget, AFolderOfThisHost) {
  const auto target = parsed("/srv/backup");
  EXPECT_EQ(target.kind, Kind::kLocal);
  EXPECT_EQ(target.path, "/srv/backup");
  EXPECT_EQ(parsed("/srv/sftp:x").kind, Kind::kLocal);
}

TEST(BackupTarget, OverSsh) {
  for (const auto& want : {
           ssh("sftp:nas:/b", "", "nas", "", "/b"),
           ssh("sftp:nas:b/c", "", "nas", "", "b/c"),
           ssh("sftp:me@nas:/b", "me", "nas", "", "/b"),
           ssh("sftp:me@nas:2222:/b", "me", "nas", "2222", "/b"),
           ssh("sftp:me@nas:2222", "me", "nas", "", "2222"),  // a folder of that name
           ssh("sftp:me@[fd00::1]:2222:/b", "me", "fd00::1", "2222", "/b"),
           ssh("sftp://me@nas:2222/b/", "me", "nas", "2222", "/b"),
           ssh("sftp://me@nas//srv//b", "me", "nas", "", "/srv/b"),
           ssh("sftp://[fe80::1%eth0]/b", "", "fe80::1%eth0", "", "/b"),
           ssh("sftp:nas:a@b", "", "nas", "", "a@b"),
           ssh("sftp://nas/", "", "nas", "", "/"),
       })
    EXPECT_EQ(parsed(want.name), want) << want.name << " " << parsed(want.name).path;
}

TEST(BackupTarget, OverRclone) {
  EXPECT_EQ(parsed("rclone:cloud:a/b").remote, "cloud:a/b");
  EXPECT_EQ(parsed("rclone::local:/tmp/x").remote, ":local:/tmp/x");
  EXPECT_EQ(parsed("s3:bucket/a").remote, ":s3,provider=AWS,env_auth=true:bucket/a");
  EXPECT_EQ(parsed("s3:https://h.example:9000/bucket//a/").remote,
            ":s3,provider=Other,endpoint=\"https://h.example:9000\",env_auth=true:bucket/a");
  EXPECT_EQ(parsed("s3:bucket").kind, Kind::kRclone);
}

TEST(BackupTarget, WhatIsNoneIsRefused) {
  for (const char* text : {"",
                           "srv/backup",
                           "sftp:",
                           "sftp:nas",
                           "sftp:nas:",
                           "sftp:nas/b",
                           "sftp://nas",
                           "sftp://nas:0/b",
                           "sftp://nas:70000/b",
                           "sftp://nas:x/b",
                           "sftp://:22/b",
                           "sftp:[fd00::1:/b",
                           "sftp:@nas:/b",
                           "rclone:",
                           "rclone:remote",
                           "rclone:-x:y",
                           "s3:",
                           "s3:http://host",
                           "s3:https://a b/c",
                           "ftp:nas:/b",
                           "sftp:nas:/b\n",
                           "nas:/b"}) {
    const auto target = parse_backup_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().code, Code::kInvalid);
    EXPECT_THAT(target.error().text, HasSubstr("the backup target"));
  }
}

TEST(BackupTarget, AnotherKindIsToldWhatItMayHaveMeant) {
  for (const char* text : {"nas:/backup", "me@nas:backup", "ftp:b/x", "C:\\\\backup"}) {
    const auto target = parse_backup_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_THAT(target.error().text, HasSubstr("is no kind of target; known are sftp:"));
  }
  EXPECT_THAT(parse_backup_target("nas:/backup").error().text,
              HasSubstr("on the host nas it is sftp:nas:/backup, and a folder of that name here "
                        "is ./nas:/backup"));
  EXPECT_EQ(kind_of("./nas:/backup"), "");
  EXPECT_EQ(kind_of("backup"), "");
}

TEST(BackupTarget, NothingBecomesAnOptionOrAShellsWord) {
  for (const char* text :
       {"sftp:-oProxyCommand=x:/b", "sftp://-oProxyCommand=x/b", "sftp:-x@nas:/b",
        "sftp:na$(id)s:/b", "sftp:nas;id:/b", "sftp:`id`@nas:/b", "sftp:na s:/b", "sftp:nas\"x:/b",
        "rclone:--config=x:y", "s3:https://h\",secret=\"x/b"})
    EXPECT_FALSE(parse_backup_target(text)) << text;
}

TEST(BackupTarget, PasswordsAndSecretsAreRefused) {
  for (const char* text : {"sftp://me:secret@nas/b", "rclone::s3,secret_access_key=x:b",
                           "rclone::ftp,host=h,pass=x:/b"}) {
    const auto target = parse_backup_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_THAT(target.error().text, HasSubstr("cannot be given here"));
  }
  EXPECT_TRUE(parse_backup_target("rclone:remote:my-secret-folder"));
}

// What is listed as "backup_roots" holds itself and what is further down, and nothing else.
TEST(BackupTarget, BeneathARootIsWhatIsFurtherDownThere) {
  struct Case {
    const char *root, *inside, *outside;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"/srv/backup", "/srv/backup/shop", "/srv/backup-not"},
           {"/srv/backup/", "/srv/backup", "/srv"},
           {"/", "/srv", "sftp:nas:/"},
           {"/srv", "/srv/a", "/srv/../etc"},
           {"sftp:me@nas:/b", "sftp:me@nas:/b/c", "sftp:me@nas:/bc"},
           {"sftp:me@nas:/b", "sftp://me@nas/b", "sftp:nas:/b"},
           {"sftp:me@nas:/b", "sftp:me@nas:/b//c", "sftp:root@nas:/b"},
           {"sftp:me@nas:/b", "sftp:me@nas:/b/", "sftp:me@nas:2222:/b"},
           {"sftp:nas:/b", "sftp:nas:/b/c", "sftp:nas2:/b"},
           {"sftp:nas:/b", "sftp:nas:/b/c", "sftp:nas:/b/../c"},
           {"sftp:nas:b", "sftp:nas:b/c", "sftp:nas:/b"},
           {"sftp:nas:/", "sftp:nas:/b", "sftp:nas:b"},
           {"rclone:cloud:b", "rclone:cloud:b/c", "rclone:cloud:bc"},
           {"rclone:cloud:b", "rclone:cloud:b", "rclone:other:b"},
           {"rclone:cloud:", "rclone:cloud:b", "rclone:cloud:/etc"},
           {"rclone:cloud:b", "rclone:cloud:b/c:d", "rclone:cloud:b:c"},
           {"rclone:cloud:b", "rclone:cloud:b/c", "rclone:cloud,endpoint=evil:b"},
           {"s3:bucket/a", "s3:bucket/a/b", "s3:bucket/ab"},
           {"s3:bucket", "s3:bucket/a", "s3:https://evil/bucket"},
           {"s3:https://minio:9000/b", "s3:https://minio:9000/b/c", "s3:https://minio:9001/b"},
           {"s3:bucket", "s3:bucket/a", "/bucket"}}) {
    EXPECT_TRUE(is_beneath_target(one.inside, one.root)) << one.inside << " in " << one.root;
    EXPECT_FALSE(is_beneath_target(one.outside, one.root)) << one.outside << " in " << one.root;
  }
}

TEST(BackupTarget, OneServerIsOne) {
  EXPECT_EQ(server_of(parsed("/srv/backup")), "");
  EXPECT_EQ(server_of(parsed("sftp:me@nas:/a")), server_of(parsed("sftp://nas:2222/b")));
  EXPECT_NE(server_of(parsed("sftp:nas:/a")), server_of(parsed("sftp:nas2:/a")));
  EXPECT_EQ(server_of(parsed("rclone:cloud:a")), server_of(parsed("rclone:cloud:b/c")));
  EXPECT_NE(server_of(parsed("s3:a/b")), server_of(parsed("s3:https://minio/a/b")));
}

TEST(BackupTarget, TheCommandAsksNothingAndEndsItsOptions) {
  const auto command = target_command(parsed("sftp:me@nas:2222:/b"), "", 0);
  EXPECT_EQ(command.front(), "ssh");
  EXPECT_THAT(command, Contains("BatchMode=yes"));
  EXPECT_THAT(command, Contains("ServerAliveInterval=15"));
  const std::vector<std::string> tail(command.end() - 8, command.end());
  EXPECT_THAT(tail, ElementsAre("-p", "2222", "-l", "me", "-s", "--", "nas", "sftp"));
  const auto own = target_command(parsed("sftp:nas:/b"), "/opt/ssh  -i /etc/key ", 0);
  EXPECT_THAT((std::vector(own.begin(), own.begin() + 4)),
              ElementsAre("/opt/ssh", "-i", "/etc/key", "-o"));
  EXPECT_THAT(own, Not(Contains("-p")));
  const auto rclone = target_command(parsed("rclone:cloud:a"), "", 5);
  EXPECT_THAT(rclone, Contains("--dir-cache-time=5s"));
  EXPECT_EQ(rclone.back(), "cloud:a");
  EXPECT_EQ(rclone[rclone.size() - 2], "--");
}

}  // namespace
}  // namespace fairlead::volume
