#include "plugin-api/netavark/drop_in_create.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plugin-api/netavark/recording_service.h"

namespace fairlead::netavark {
namespace {

using ::testing::HasSubstr;
using testing::podmans_network;

class Completed : public ::testing::Test {
 protected:
  Result<json::Json> complete_it() {
    const auto creation = decode_creation(document_.dump());
    EXPECT_TRUE(creation) << creation.error().text;
    if (!creation) return fail(creation.error());
    return complete(*creation, occupied_);
  }
  json::Json completed() {
    const auto made = complete_it();
    EXPECT_TRUE(made) << made.error().text;
    return made ? *made : json::Json();
  }
  std::string refusal() {
    const auto made = complete_it();
    EXPECT_FALSE(made);
    return made ? "" : made.error().text;
  }
  json::Json& network() { return document_["network"]; }

  json::Json document_{{"network", podmans_network("bridge")},
                       {"used", json::Json::object()},
                       {"options", json::Json::object()}};
  std::vector<Cidr> occupied_;
};

TEST_F(Completed, HasABridgeASubnetAndAGateway) {
  document_["used"]["interfaces"] = json::Json::array({"podman0", "podman1"});
  document_["used"]["subnets"] = json::Json::array({"10.89.0.0/24"});
  occupied_ = {*Cidr::parse("10.89.1.0/24")};
  const auto made = completed();
  EXPECT_EQ(made["network_interface"], "podman2");
  EXPECT_EQ(made["subnets"].dump(), R"([{"subnet":"10.89.2.0/24","gateway":"10.89.2.1"}])");
  EXPECT_EQ(made["ipam_options"]["driver"], "host-local");
  EXPECT_EQ(made["id"], std::string(64, 'a'));
}

TEST_F(Completed, TakesTheSubnetFromThePools) {
  document_["options"]["subnet_pools"] =
      json::Json::array({{{"base", "10.200.0.0/24"}, {"size", 26}}});
  document_["used"]["subnets"] = json::Json::array({"10.200.0.0/26"});
  EXPECT_EQ(completed()["subnets"][0]["subnet"], "10.200.0.64/26");
}

TEST_F(Completed, HasBothFamilies) {
  network()["ipv6_enabled"] = true;
  const auto made = completed();
  ASSERT_EQ(made["subnets"].size(), 2U);
  EXPECT_THAT(made["subnets"][1]["subnet"].string(), HasSubstr("fd"));
  EXPECT_TRUE(made["ipv6_enabled"].boolean());
}

TEST_F(Completed, TakesDockersWords) {
  network()["options"] = {{"com.docker.network.driver.mtu", "1400"},
                          {"com.docker.network.bridge.name", "br7"}};
  const auto made = completed();
  EXPECT_EQ(made["options"].dump(), R"({"mtu":"1400"})");
  EXPECT_EQ(made["network_interface"], "br7");
}

TEST_F(Completed, OfMacvlanHasNoNamesAndNoChosenSubnet) {
  document_["network"] = podmans_network("macvlan");
  network()["options"] = {{"parent", "eth0"}};
  const auto made = completed();
  EXPECT_EQ(made["network_interface"], "eth0");
  EXPECT_FALSE(made["dns_enabled"].boolean());
  EXPECT_EQ(made["ipam_options"]["driver"], "none");
  EXPECT_FALSE(made.contains("subnets"));
}

TEST_F(Completed, RefusesWhatIsTaken) {
  document_["used"]["names"] = {{"shop", std::string(64, 'b')}};
  EXPECT_THAT(refusal(), HasSubstr("network already exists"));
  document_["used"] = {{"subnets", json::Json::array({"10.1.0.0/16"})}};
  network()["subnets"] = json::Json::array({{{"subnet", "10.1.2.0/24"}}});
  EXPECT_THAT(refusal(), HasSubstr("subnet 10.1.2.0/24 is already used"));
  document_["used"] = {{"interfaces", json::Json::array({"br0"})}};
  network()["network_interface"] = "br0";
  EXPECT_THAT(refusal(), HasSubstr("br0 is in use"));
}

TEST_F(Completed, RefusesWhatTheFirstContainerWouldBeRefused) {
  network()["options"] = {{"bogus", "1"}};
  EXPECT_THAT(refusal(), HasSubstr("bogus"));
  network()["options"] = json::Json::object();
  network()["ipam_options"] = {{"driver", "dhcp"}};
  EXPECT_THAT(refusal(), HasSubstr("dhcp"));
}

}  // namespace
}  // namespace fairlead::netavark
