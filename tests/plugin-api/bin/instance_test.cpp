#include "plugin-api/bin/instance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/hash.h"

namespace fairlead {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class InstanceTest : public ::testing::Test {
 protected:
  InstanceTest() { std::filesystem::create_directories(folder_ / "store"); }
  ~InstanceTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
  // A daemon that has read `file` and works with the store in `store`.
  Instance daemon(const std::string& file, const std::string& store) const {
    Config config;
    config.file = path(file);
    config.paths.state_dir = store;
    return Instance(config, path("host.json"));
  }
  static http::Request request(const std::map<std::string, std::string>& headers) {
    return {.method = "POST", .path = "/v1/cni", .headers = headers};
  }
  static std::string refused(const Status& status) { return status ? "" : status.error().text; }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("fairlead-instance-" + random_hex(8));
};

TEST_F(InstanceTest, AClientThatSaysNothingOfItsStoreIsServed) {
  EXPECT_TRUE(daemon("host.json", "/srv/a").accept(request({})));
}

TEST_F(InstanceTest, AnotherStoreIsRefusedWithBothNames) {
  const Status refused = daemon("host.json", "/srv/a").accept(request({{kStateDirHeader, "/b"}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text, AllOf(HasSubstr("/srv/a"), HasSubstr("store in /b")));
}

TEST_F(InstanceTest, OneStoreIsTheSameByEveryPath) {
  std::filesystem::create_symlink(path("store"), path("link"));
  const auto instance = daemon("host.json", path("store"));
  for (const std::string& folder : {path("store"), path("store") + "/", path("link"),
                                    path("store") + "/../store", path("store") + "//"})
    EXPECT_TRUE(instance.accept(request({{kStateDirHeader, folder}}))) << folder;
  EXPECT_TRUE(
      daemon("host.json", "/not/there").accept(request({{kStateDirHeader, "/not/there/"}})));
}

TEST_F(InstanceTest, AThinClientWithoutVariablesMeansTheHostsConfiguration) {
  const Paths defaults;
  EXPECT_TRUE(daemon("host.json", defaults.state_dir).accept_thin(request({})));
  EXPECT_FALSE(daemon("host.json", "/srv/a").accept_thin(request({})));  // flags of its own
  write("host.json", R"({"state_dir": "/srv/a"})");
  EXPECT_TRUE(daemon("host.json", "/srv/a").accept_thin(request({})));
  EXPECT_TRUE(daemon("other.json", "/srv/a").accept_thin(request({})));
  EXPECT_FALSE(daemon("other.json", "/srv/b").accept_thin(request({})));
}

TEST_F(InstanceTest, AFileThatWasChangedAfterTheDaemonReadItIsNoticed) {
  write("host.json", R"({"state_dir": "/srv/a"})");
  const auto instance = daemon("host.json", "/srv/a");
  ASSERT_TRUE(instance.accept_thin(request({})));
  write("host.json", R"({"state_dir": "/srv/b"})");
  EXPECT_THAT(refused(instance.accept_thin(request({}))), HasSubstr("/srv/b"));
}

TEST_F(InstanceTest, AFileThatIsBeingEditedDoesNotStopTheDaemon) {
  write("host.json", R"({"state_dir": )");
  EXPECT_TRUE(daemon("host.json", "/srv/a").accept_thin(request({})));
  EXPECT_FALSE(daemon("other.json", "/srv/a").accept_thin(request({})));
}

TEST_F(InstanceTest, AThinClientsVariablesDecide) {
  write("host.json", R"({"state_dir": "/srv/a"})");
  write("other.json", R"({"state_dir": "/srv/b"})");
  const auto host = daemon("host.json", "/srv/a"), other = daemon("other.json", "/srv/b");
  EXPECT_FALSE(host.accept_thin(request({{kStateDirHeader, "/srv/b"}})));
  EXPECT_TRUE(other.accept_thin(request({{kStateDirHeader, "/srv/b"}})));
  EXPECT_FALSE(host.accept_thin(request({{kConfigHeader, path("other.json")}})));
  EXPECT_TRUE(other.accept_thin(request({{kConfigHeader, path("other.json")}})));
  EXPECT_FALSE(other.accept_thin(request({})));
  // The folder of the store goes over the file.
  EXPECT_TRUE(other.accept_thin(
      request({{kConfigHeader, path("host.json")}, {kStateDirHeader, "/srv/b"}})));
}

// The file is not even opened, which would block here.
TEST_F(InstanceTest, NoFileOfTheCallersChoiceIsOpened) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_FALSE(daemon("host.json", "/srv/a").accept_thin(request({{kConfigHeader, path("fifo")}})));
}

}  // namespace
}  // namespace fairlead
