#include "plugin-api/bin/podman_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/hash.h"

namespace fairlead {
namespace {

namespace fs = std::filesystem;

class Folder : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(path_); }
  fs::path path_ = fs::temp_directory_path() / ("fairlead-podman-" + random_hex(8));
  PodmanFolder folder_{path_.string()};
};

TEST_F(Folder, IsDueWhenAFileComesOrGoesAndOnceMoreAfterTheGrace) {
  EXPECT_TRUE(folder_.is_due(0, 2));  // nobody knows what was before
  EXPECT_FALSE(folder_.is_due(1, 2));
  EXPECT_TRUE(folder_.is_due(3, 2));
  EXPECT_FALSE(folder_.is_due(100, 2));
  fs::create_directory(path_);
  EXPECT_TRUE(folder_.is_due(101, 2));
  std::ofstream(path_ / "shop.json") << "{}";
  EXPECT_TRUE(folder_.is_due(102, 2));
  EXPECT_FALSE(folder_.is_due(103, 2));
  EXPECT_TRUE(folder_.is_due(105, 2));
  fs::remove(path_ / "shop.json");
  EXPECT_TRUE(folder_.is_due(106, 2));
  fs::remove_all(path_);
  EXPECT_TRUE(folder_.is_due(107, 2));
}

}  // namespace
}  // namespace fairlead
