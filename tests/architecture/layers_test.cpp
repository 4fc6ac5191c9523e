// The arrows between the layers, and the proof that a wrong one is found.
#include "tests/architecture/layers.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/paths.h"

namespace fairlead::architecture {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Architecture, EveryIncludeOfTheSourcesIsAnAllowedArrow) {
  const Report report = check_layers(fairlead::testing::source_path(""));
  EXPECT_GT(report.files, 50U) << "were the sources found in " << fairlead::testing::source_path("")
                               << "?";
  for (const Violation& violation : report.violations) ADD_FAILURE() << violation;
}

// A source tree of its own for each test.
class PlantedTree : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "fairlead-layers-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void plant(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  // What is said about a file at `path` that includes `header` (with its quotes or brackets).
  std::vector<Violation> including(const std::string& path, const std::string& header) {
    plant(path, "#pragma once\n#include " + header + "\n");
    auto found = check_layers(root_).violations;
    std::filesystem::remove(root_ / path);
    return found;
  }

  std::filesystem::path root_;
};

TEST_F(PlantedTree, AnEmptyTreeHasNoViolations) {
  EXPECT_THAT(check_layers(root_).violations, IsEmpty());
  EXPECT_EQ(check_layers(root_).files, 0U);
}

TEST_F(PlantedTree, ABadArrowIsShownWithFileLineAndReason) {
  EXPECT_THAT(including("network/api/types.h", "\"network/kernel/links/links.h\""),
              ElementsAre(AllOf(
                  HasSubstr("network/api/types.h:2: #include \"network/kernel/links/links.h\""),
                  HasSubstr("network/api may not see network/kernel/links; it may see base"))));
}

struct Arrow {
  const char* file;
  const char* header;
};

TEST_F(PlantedTree, ForbiddenArrowsAreFound) {
  for (const Arrow& arrow : std::vector<Arrow>{
           {"base/log.cpp", "\"base/json/json.h\""},
           {"base/log.cpp", "\"base/state/store.h\""},
           {"base/log.cpp", "\"network/api/types.h\""},
           {"base/json/json.h", "\"base/state/store.h\""},
           {"network/api/types.h", "\"base/json/json.h\""},
           {"network/api/types.h", "\"volume/api/types.h\""},
           {"network/kernel/links/links.cpp", "\"network/api/types.h\""},
           {"network/kernel/links/links.cpp", "\"base/state/store.h\""},
           {"network/kernel/host/netns.cpp", "\"network/kernel/links/links.h\""},
           {"network/kernel/firewall/firewall.cpp", "\"network/kernel/links/links.h\""},
           {"network/nat/nat.cpp", "\"network/kernel/links/links.h\""},
           {"network/nat/nat.cpp", "\"base/json/json.h\""},
           {"network/drivers/bridge.cpp", "\"base/state/store.h\""},
           {"network/drivers/bridge.cpp", "\"network/ipam/ipam.h\""},
           {"network/service/service.cpp", "\"network/drivers/bridge.h\""},
           {"network/service/service.cpp", "\"volume/api/service.h\""},
           {"network/ipam/ipam.cpp", "\"network/kernel/links/links.h\""},
           {"volume/service/service.cpp", "\"volume/backends/dir.h\""},
           {"volume/backends/dir.cpp", "\"base/state/store.h\""},
           {"plugin-api/docker/adapter.cpp", "\"network/service/service.h\""},
           {"plugin-api/docker/adapter.cpp", "\"network/kernel/host/netns.h\""},
           {"plugin-api/docker/adapter.cpp", "\"plugin-api/cni/codec.h\""},
           {"plugin-api/cni/adapter.cpp", "\"base/state/store.h\""},
           {"plugin-api/http/server.cpp", "\"network/api/types.h\""},
           {"plugin-api/http/client.cpp", "\"base/http_client/http_client.h\""},
       })
    EXPECT_EQ(including(arrow.file, arrow.header).size(), 1U)
        << arrow.file << " includes " << arrow.header;
}

TEST_F(PlantedTree, AllowedArrowsAreNotComplainedAbout) {
  for (const Arrow& arrow : std::vector<Arrow>{
           {"base/log.cpp", "\"base/log.h\""},
           {"base/log.cpp", "<fmt/format.h>"},
           {"base/result.h", "<tl/expected.hpp>"},
           {"base/state/sqlite_store.cpp", "<sqlite3.h>"},
           {"base/json/json.h", "<nlohmann/json.hpp>"},
           {"network/kernel/links/route.cpp", "<libmnl/libmnl.h>"},
           {"network/kernel/links/route.cpp", "<linux/rtnetlink.h>"},
           {"network/nat/nat.cpp", "\"network/kernel/firewall/firewall.h\""},
           {"network/service/service.cpp", "\"network/api/driver.h\""},
           {"network/service/records.cpp", "\"base/json/json.h\""},
           {"network/ipam/ipam.h", "\"base/state/store.h\""},
           {"plugin-api/docker/adapter.h", "\"plugin-api/http/message.h\""},
           {"plugin-api/http/server.cpp", "<boost/beast.hpp>"},
           {"base/http_client/connection.h", "<boost/beast.hpp>"},
           {"base/state/etcd_client.h", "\"base/http_client/http_client.h\""},
           {"plugin-api/bin/wiring.cpp", "\"network/drivers/bridge.h\""},
           {"plugin-api/bin/wiring.cpp", "\"base/state/sqlite_store.h\""},
       })
    EXPECT_THAT(including(arrow.file, arrow.header), IsEmpty())
        << arrow.file << " includes " << arrow.header;
}

TEST_F(PlantedTree, EachLibraryHasOneOwner) {
  for (const Arrow& arrow : std::vector<Arrow>{
           {"network/service/service.cpp", "<libmnl/libmnl.h>"},
           {"network/nat/nat.cpp", "<nftables/libnftables.h>"},
           {"network/drivers/bridge.cpp", "<netlink/route/link.h>"},
           {"plugin-api/docker/adapter.cpp", "<boost/asio.hpp>"},
           {"base/state/etcd_client.cpp", "<boost/asio.hpp>"},
           {"base/state/etcd_client.cpp", "<openssl/ssl.h>"},
           {"plugin-api/docker/codec.cpp", "<nlohmann/json.hpp>"},
           {"plugin-api/native/codec.h", "<nlohmann/json_fwd.hpp>"},
           {"network/ipam/ipam.cpp", "<sqlite3.h>"},
           {"base/log.cpp", "\"sqlite3.h\""},
           {"plugin-api/bin/main.cpp", "<CLI/CLI.hpp>"},
       })
    EXPECT_EQ(including(arrow.file, arrow.header).size(), 1U)
        << arrow.file << " includes " << arrow.header;
}

TEST_F(PlantedTree, HeadersAreNamedFromTheRoot) {
  EXPECT_THAT(including("base/log.cpp", "\"log.h\""), ElementsAre(HasSubstr("from the root")));
  EXPECT_THAT(including("base/log.cpp", "\"../network/api/types.h\""),
              ElementsAre(HasSubstr("from the root")));
}

TEST_F(PlantedTree, BracketsAndOddBlanksDoNotHideAnArrow) {
  EXPECT_EQ(including("network/api/types.h", "<network/kernel/links/links.h>").size(), 1U);
  plant("network/api/odd.h", "  #\tinclude   \"network/kernel/links/links.h\"  // why\n");
  EXPECT_EQ(check_layers(root_).violations.size(), 1U);
}

TEST_F(PlantedTree, AFolderWithoutALayerIsFound) {
  EXPECT_THAT(including("network/misc/x.h", "<string>"),
              ElementsAre(HasSubstr("not in the table of layers")));
}

TEST_F(PlantedTree, EveryBadLineIsReported) {
  plant("base/a.h",
        "#include \"network/api/types.h\"\n#include <string>\n#include \"volume/api/types.h\"\n");
  plant("base/b.cpp", "#include \"network/api/types.h\"\n");
  EXPECT_EQ(check_layers(root_).violations.size(), 3U);
  EXPECT_EQ(check_layers(root_).files, 2U);
}

}  // namespace
}  // namespace fairlead::architecture
