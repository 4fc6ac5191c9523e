#include "volume/api/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Map = std::map<std::string, std::string>;

VolumeOptions parsed(const Map& options) {
  auto result = parse_options(options);
  EXPECT_TRUE(result) << (result ? "" : result.error().text);
  return result.value_or(VolumeOptions{});
}

Error refusal(const Map& options) {
  const auto result = parse_options(options);
  EXPECT_FALSE(result);
  return result ? Error{} : result.error();
}

TEST(Options, NoneAreTheDefaults) {
  EXPECT_EQ(parsed({}), VolumeOptions{});
  EXPECT_EQ(to_map(VolumeOptions{}), Map{});
}

TEST(Options, OwnerAndModeAreRead) {
  const auto options = parsed({{"uid", "1000"}, {"gid", "100"}, {"mode", "2775"}});
  EXPECT_EQ(options.uid, 1000U);
  EXPECT_EQ(options.gid, 100U);
  EXPECT_EQ(options.mode, 02775U);
}

TEST(Options, ASnapshotIsShownByItsName) {
  const auto options = parsed({{"snapshot", "data@monday"}});
  EXPECT_EQ(options.view_volume, "data");
  EXPECT_EQ(options.view_snapshot, "monday");
  EXPECT_EQ(to_map(options), (Map{{"snapshot", "data@monday"}}));
  EXPECT_THAT(refusal({{"snapshot", "data"}}).text, HasSubstr("snapshot=data@<snapshot>"));
  for (const char* bad : {"", "@monday", "data@", "../x@monday", "data@a/b"})
    EXPECT_EQ(refusal({{"snapshot", bad}}).code, Code::kInvalid) << bad;
}

TEST(Options, MayStandInO) {
  EXPECT_EQ(parsed({{"o", "uid=1000,gid=100,mode=0700,size=1g"}}),
            parsed({{"uid", "1000"}, {"gid", "100"}, {"mode", "0700"}, {"size", "1g"}}));
}

TEST(Options, EqualRequestsHaveOneCanonicalMap) {
  const Map canonical{{"mode", "0700"}, {"retain", "1d"}, {"size", "1g"}, {"uid", "7"}};
  EXPECT_EQ(
      to_map(parsed(
          {{"uid", "007"}, {"mode", "700"}, {"size", "1024M"}, {"retain", "24h"}, {"gid", "0"}})),
      canonical);
  EXPECT_EQ(to_map(parsed(
                {{"o", "size=1GiB,,uid=7,mode=0700"}, {"retain", "86400s"}, {"access", "shared"}})),
            canonical);
  EXPECT_EQ(to_map(parsed(canonical)), canonical);
}

TEST(Options, TheCanonicalMapIsReadToTheSameOptions) {
  for (const Map& map :
       {Map{{"type", "nfs"}, {"device", ":/export"}, {"o", "addr=10.0.0.1,nfsvers=4,ro"}},
        Map{{"type", "none"}, {"o", "bind"}, {"device", "/srv/x"}},
        Map{{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=100m,uid=1000"}},
        Map{{"o", "rw,nodev,nosuid"}, {"inodes", "1000"}}}) {
    const auto options = parsed(map);
    EXPECT_EQ(parsed(to_map(options)), options);
  }
}

TEST(Options, DockersTypesChooseABackend) {
  EXPECT_EQ(parsed({{"type", "tmpfs"}, {"device", "tmpfs"}}).backend, "tmpfs");
  EXPECT_EQ(parsed({{"type", "none"}, {"o", "bind"}, {"device", "/x"}}).backend, "bind");
  EXPECT_EQ(parsed({{"type", "nfs4"}, {"device", ":/x"}}).backend, "nfs");
  EXPECT_EQ(parsed({{"type", "cifs"}, {"device", "//h/s"}}).backend, "cifs");
  EXPECT_EQ(parsed({{"type", "ext4"}, {"device", "/dev/sdx"}}).backend, "mount");
  EXPECT_THAT(refusal({{"type", "tmpfs"}, {"backend", "dir"}}).text, HasSubstr("give one of them"));
}

TEST(Options, DeviceAloneIsRefused) {
  EXPECT_EQ(refusal({{"device", "/dev/sdx"}}).code, Code::kInvalid);
}

TEST(Options, LabelsAreKeptApart) {
  const auto options = parsed({{"label.env", "prod"}, {"label.a.b", ""}});
  EXPECT_EQ(options.labels, (Map{{"env", "prod"}, {"a.b", ""}}));
  EXPECT_EQ(to_map(options), (Map{{"label.env", "prod"}, {"label.a.b", ""}}));
  EXPECT_EQ(refusal({{"label.", "x"}}).code, Code::kInvalid);
}

TEST(Options, AnUnknownOneNamesTheClosest) {
  const auto error = refusal({{"moed", "0700"}});
  EXPECT_EQ(error.code, Code::kInvalid);
  EXPECT_THAT(error.text, AllOf(HasSubstr("\"moed\""), HasSubstr("did you mean \"mode\"?")));
  EXPECT_THAT(refusal({{"o", "nodve"}}).text, HasSubstr("did you mean \"nodev\"?"));
  EXPECT_THAT(refusal({{"xyzzy", "1"}}).text, HasSubstr("known are"));
}

TEST(Options, KnownButUnavailableOnesSayWhatToDo) {
  EXPECT_EQ(refusal({{"trash", "7d"}}).code, Code::kUnsupported);
  EXPECT_THAT(refusal({{"trash", "7d"}}).text, HasSubstr("use retain="));
  EXPECT_EQ(refusal({{"encrypt", "luks"}, {"keyfile", "/k"}}).code, Code::kUnsupported);
}

TEST(Options, AccessHasThreeWordsAndReadonlyIsOneOfThem) {
  EXPECT_EQ(parsed({{"access", "single"}}).access, Access::kSingle);
  EXPECT_EQ(to_map(parsed({{"readonly", "true"}})), (Map{{"access", "read-only"}}));
  EXPECT_EQ(to_map(parsed({{"readonly", "true"}, {"access", "read-only"}})),
            (Map{{"access", "read-only"}}));
  EXPECT_EQ(to_map(parsed({{"readonly", "false"}, {"access", "shared"}})), Map{});
  EXPECT_THAT(refusal({{"readonly", "true"}, {"access", "single"}}).text,
              HasSubstr("contradicts access=single"));
  EXPECT_THAT(refusal({{"readonly", "false"}, {"access", "read-only"}}).text,
              HasSubstr("contradicts access=read-only"));
  EXPECT_EQ(refusal({{"access", "sngle"}}).code, Code::kInvalid);
}

TEST(Options, AnIdmapIsSortedAndMapsNoIdTwice) {
  EXPECT_EQ(parsed({{"idmap", "0-100000-65536"}}).idmap,
            (std::vector<IdRange>{{0, 100000, 65536}}));
  EXPECT_EQ(to_map(parsed({{"idmap", "70000:200000:1,0:100000:65536"}})),
            (Map{{"idmap", "0-100000-65536,70000-200000-1"}}));
  for (const char* bad : {"", "0", "0-1", "0-1-0", "0-1-2-3", "0-1-2,", "a-b-c", "-1-0-5",
                          "4294967295-0-1", "0-4294967290-6", "0-0-5,4-10-1", "0-0-5,10-4-1"})
    EXPECT_EQ(refusal({{"idmap", bad}}).code, Code::kInvalid) << bad;
  std::string many = "0-0-1";
  for (int k = 1; k < 341; ++k) many += fmt::format(",{}-{}-1", k, k);
  EXPECT_EQ(refusal({{"idmap", many}}).code, Code::kInvalid);
}

TEST(Options, AScheduleIsReadInAnyOrder) {
  const auto options = parsed({{"snapshots", "daily:7,hourly:24"}});
  EXPECT_EQ(options.snapshots, (Schedule{.hourly = 24, .daily = 7}));
  EXPECT_EQ(to_map(options), (Map{{"snapshots", "hourly:24,daily:7"}}));
  EXPECT_EQ(parsed({{"snapshots", "weekly:4,monthly:12,yearly:3"}}).snapshots,
            (Schedule{.weekly = 4, .monthly = 12, .yearly = 3}));
  for (const char* bad : {"", "hourly", "hourly:", "hourly:0", "hourly:1001", "minutely:5",
                          "hourly:1,hourly:2", "hourly:1,", ":5", "hourly:-1"})
    EXPECT_EQ(refusal({{"snapshots", bad}}).code, Code::kInvalid) << bad;
}

TEST(Options, ASourceIsAVolumeOrItsSnapshot) {
  EXPECT_EQ(parsed({{"from", "shop"}}).from_volume, "shop");
  EXPECT_EQ(to_map(parsed({{"from", "shop@monday"}})), (Map{{"from", "shop@monday"}}));
  for (const char* bad : {"", "@x", "shop@", "../x", "shop@../x", "shop@a@b"})
    EXPECT_EQ(refusal({{"from", bad}}).code, Code::kInvalid) << bad;
}

TEST(Options, ThoseOfBackendsAreChecked) {
  const Map all{{"pool", "fast"},
                {"fstype", "xfs"},
                {"compress", "zstd:9"},
                {"cow", "false"},
                {"discard", "false"},
                {"encrypt", "fscrypt"},
                {"keyfile", "/etc/keys/shop"},
                {"passwordfile", "/etc/cifs"}};
  EXPECT_EQ(to_map(parsed(all)), all);
  EXPECT_EQ(to_map(parsed({{"cow", "on"}, {"discard", "true"}})), Map{});
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"pool", "../x"},
                                                        {"fstype", "ntfs"},
                                                        {"compress", "zstd:16"},
                                                        {"compress", "zlib:0"},
                                                        {"compress", "lzo:1"},
                                                        {"compress", ""},
                                                        {"cow", "maybe"},
                                                        {"keyfile", "key"},
                                                        {"keyfile", "/etc/../key"},
                                                        {"keyfile", "/etc/"},
                                                        {"encrypt", "rot13"}})
    EXPECT_THAT(refusal({{key, value}}).text, HasSubstr("\"" + key + "\"")) << key << value;
}

TEST(Options, AKeyAndItsEncryptionGoTogether) {
  EXPECT_THAT(refusal({{"encrypt", "fscrypt"}}).text, HasSubstr("add keyfile="));
  EXPECT_THAT(refusal({{"keyfile", "/k"}}).text, HasSubstr("add encrypt=fscrypt"));
}

TEST(Options, TheSameOneTwiceMustAgree) {
  EXPECT_EQ(parsed({{"size", "1g"}, {"o", "size=1024m"}}).size, 1ULL << 30);
  EXPECT_THAT(refusal({{"size", "1g"}, {"o", "size=2g"}}).text, HasSubstr("given twice"));
  EXPECT_THAT(refusal({{"o", "uid=0,uid=5"}}).text, HasSubstr("given twice"));
}

TEST(Options, BadValuesAreRefusedWithTheirKey) {
  for (const auto& [key, value] : Map{{"uid", "root"},
                                      {"gid", "-1"},
                                      {"mode", "0999"},
                                      {"size", "0"},
                                      {"retain", "soon"},
                                      {"inodes", "0"},
                                      {"backend", ""}})
    EXPECT_THAT(refusal({{key, value}}).text, HasSubstr("\"" + key + "\"")) << key;
  EXPECT_FALSE(parse_options({{"mode", "10000"}}));
  EXPECT_FALSE(parse_options({{"uid", "4294967295"}}));
  EXPECT_FALSE(parse_options({{"uid", "1 "}}));
}

TEST(Options, HostileTextsAreRefusedAndShownHarmless) {
  for (const Map& map :
       {Map{{"uid", std::string("1\0", 2)}}, Map{{std::string("a\x1b[2J"), "x"}},
        Map{{"label.x", "\xff"}}, Map{{std::string(65536, 'k'), "x"}},
        Map{{"label.x", std::string(65536, 'v')}}, Map{{"device", "a\nb"}, {"type", "x"}}}) {
    const auto error = refusal(map);
    EXPECT_EQ(error.code, Code::kInvalid);
    EXPECT_LT(error.text.size(), 600U);
    EXPECT_EQ(error.text.find('\x1b'), std::string::npos);
  }
  Map many;
  for (int k = 0; k < 300; ++k) many["label." + std::to_string(k)] = "x";
  EXPECT_EQ(refusal(many).code, Code::kInvalid);
}

TEST(Difference, NamesTheFirst) {
  const auto between = [](const Map& is, const Map& asked) {
    return difference(parsed(is), parsed(asked));
  };
  EXPECT_EQ(between({{"mode", "0700"}}, {{"mode", "700"}}), "");
  EXPECT_EQ(between({{"size", "1g"}}, {{"size", "2g"}}), "size is 1g, not 2g");
  EXPECT_EQ(between({}, {{"uid", "5"}}), "uid is not set, not 5");
  EXPECT_EQ(between({{"uid", "5"}}, {}), "uid is 5, not unset");
  EXPECT_EQ(between({{"label.a", "b"}}, {{"label.a", "c"}}), "label.a is b, not c");
}

TEST(VolumeOptionsThatGrow, SayByHowMuchAndUpToWhere) {
  const auto options = parse_options({{"size", "10g"}, {"autogrow", "20%:max=102400m"}});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->autogrow, (AutoGrow{.percent = 20, .most = 100ULL << 30}));
  EXPECT_EQ(to_map(*options).at("autogrow"), "20%:max=100g");
  EXPECT_FALSE(to_map(parse_options({}).value()).contains("autogrow"));
  for (const char* text : {"", "20", "20%", "20:max=1g", "0%:max=1g", "101%:max=1g",
                           "20%:max=", "20%:max=0", "x%:max=1g", "20%:most=1g", "-1%:max=1g"})
    EXPECT_EQ(parse_options({{"autogrow", text}}).error().code, Code::kInvalid) << text;
}

TEST(Options, ABackupIsAScheduleAndAFolder) {
  const auto options =
      parsed({{"backup", "hourly:24,daily:7@/srv/backup"}, {"backup_exclude", "*.tmp,@caches"}});
  EXPECT_EQ(options.backup.every, (Schedule{.hourly = 24, .daily = 7}));
  EXPECT_EQ(options.backup.folder, "/srv/backup");
  EXPECT_EQ(to_map(options), (Map{{"backup", "hourly:24,daily:7@/srv/backup"},
                                  {"backup_exclude", "*.tmp,@caches"}}));
  for (const char* wrong : {"daily:7", "daily:7@", "daily:7@srv", "@/srv", "daily:7@/srv/../etc",
                            "daily:0@/srv", "last:3@/srv", "daily:7@/", "daily:7@/srv/"})
    EXPECT_EQ(refusal({{"backup", wrong}}).code, Code::kInvalid) << wrong;
  EXPECT_THAT(refusal({{"backup_exclude", "*.tmp"}}).text, HasSubstr("add backup="));
  EXPECT_THAT(refusal({{"backup", "daily:7@/srv"}, {"backup_exclude", "[x"}}).text,
              HasSubstr("is not a pattern"));
}

TEST(Options, ABackupMayGoToAnotherHostAndBeEncrypted) {
  for (const char* target :
       {"sftp:me@nas:/backup", "sftp://me@nas:2222/backup", "rclone:cloud:backup/shop",
        "s3:bucket/folder", "s3:https://minio:9000/bucket"}) {
    const std::string text = std::string("daily:7@") + target;
    const auto options = parsed({{"backup", text}, {"backup_keyfile", "/etc/fairlead/b.key"}});
    EXPECT_EQ(options.backup.folder, target);
    EXPECT_EQ(to_map(options), (Map{{"backup", text}, {"backup_keyfile", "/etc/fairlead/b.key"}}));
  }
  for (const char* wrong :
       {"daily:7@sftp:nas", "daily:7@sftp:-oX:/b", "daily:7@sftp://me:secret@nas/b",
        "daily:7@sftp:nas:/b/../c", "daily:7@rclone:cloud:..", "daily:7@s3:", "daily:7@ftp:x:/b"})
    EXPECT_EQ(refusal({{"backup", wrong}}).code, Code::kInvalid) << wrong;
  EXPECT_THAT(refusal({{"backup_keyfile", "/k"}}).text, HasSubstr("add backup="));
  EXPECT_THAT(refusal({{"backup_passphrasefile", "/p"}}).text, HasSubstr("add backup="));
  EXPECT_EQ(refusal({{"backup", "daily:7@/srv"}, {"backup_keyfile", "secret"}}).code,
            Code::kInvalid);
  EXPECT_THAT(
      refusal(
          {{"backup", "daily:7@/srv"}, {"backup_keyfile", "/k"}, {"backup_passphrasefile", "/p"}})
          .text,
      HasSubstr("by a key file or by a passphrase"));
}

TEST(Options, ARetentionAlsoCountsTheLast) {
  const auto keep = parse_retention("daily:7,last:3");
  ASSERT_TRUE(keep) << keep.error().text;
  EXPECT_EQ(*keep, (Retention{.last = 3, .periods = {.daily = 7}}));
  EXPECT_EQ(format_retention(*keep), "last:3,daily:7");
  EXPECT_EQ(format_retention({.last = 1}), "last:1");
  for (const char* wrong : {"", "last", "last:0", "last:1,last:2", "newest:3", "last:1001"})
    EXPECT_FALSE(parse_retention(wrong)) << wrong;
  EXPECT_THAT(parse_retention("x").error().text, HasSubstr("write last, hourly"));
}

}  // namespace
}  // namespace fairlead::volume
