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

TEST(Options, MayStandInO) {
  EXPECT_EQ(parsed({{"o", "uid=1000,gid=100,mode=0700,size=1g"}}),
            parsed({{"uid", "1000"}, {"gid", "100"}, {"mode", "0700"}, {"size", "1g"}}));
}

TEST(Options, EqualWishesHaveOneCanonicalMap) {
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
  EXPECT_EQ(to_map(options), Map{});
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
  for (const char* key : {"from", "snapshots", "fstype", "pool", "encrypt", "idmap", "readonly",
                          "trash", "compress"}) {
    const auto error = refusal({{key, "x"}});
    EXPECT_EQ(error.code, Code::kUnsupported) << key;
    EXPECT_THAT(error.text, HasSubstr("not available: ")) << key;
  }
  EXPECT_EQ(refusal({{"access", "single"}}).code, Code::kUnsupported);
  EXPECT_EQ(refusal({{"access", "sngle"}}).code, Code::kInvalid);
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
  EXPECT_EQ(difference({{"a", "1"}}, {{"a", "1"}}), "");
  EXPECT_EQ(difference({{"size", "1g"}}, {{"size", "2g"}}), "size is 1g, not 2g");
  EXPECT_EQ(difference({}, {{"uid", "5"}}), "uid is not set, not 5");
  EXPECT_EQ(difference({{"uid", "5"}}, {}), "uid is 5, not unset");
}

}  // namespace
}  // namespace fairlead::volume
