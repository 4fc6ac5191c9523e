#include "plugin-api/netavark/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plugin-api/netavark/recording_service.h"

namespace fairlead::netavark {
namespace {

using ::testing::HasSubstr;
using testing::kPodmanId;
using testing::PodmanService;

constexpr const char* kFolder = "/etc/containers/networks";
constexpr const char* kFile = "/etc/containers/networks/shop.json";

class OfPodman : public ::testing::Test {
 protected:
  Network network_of(const std::string& driver, const std::string& id = kPodmanId) {
    return {.name = "shop",
            .id = id,
            .driver = driver,
            .interface = driver == "bridge" ? "podman1" : ""};
  }
  Result<network::Network> ensure(const Network& network) {
    return Networks(service_, nullptr, surroundings_).ensure(network, kFolder);
  }
  std::size_t collect() {
    const auto collected = Networks(service_, nullptr, surroundings_).collect();
    EXPECT_TRUE(collected);
    return collected ? *collected : 0;
  }

  PodmanService service_;
  Surroundings surroundings_ = service_.services().surroundings;
};

TEST_F(OfPodman, AreMadeAndBoundOnce) {
  ASSERT_TRUE(ensure(network_of("fairlead")));
  ASSERT_TRUE(ensure(network_of("fairlead")));
  EXPECT_EQ(service_.count("create_network"), 1U);
  EXPECT_EQ(service_.count("bind"), 1U);
}

TEST_F(OfPodman, ThatJoinMakeNothingAndSayWhatIsMissing) {
  Network network = network_of("fairlead");
  network.options = {{"network", "blog"}};
  EXPECT_THAT(ensure(network).error().text, HasSubstr("fairlead network create blog"));
  service_.has_network("blog", "10.60.0.0/24");
  ASSERT_TRUE(ensure(network));
  EXPECT_EQ(service_.calls, json::Json::array());
}

TEST_F(OfPodman, ThatJoinMayNotContradict) {
  service_.has_network("blog", "10.60.0.0/24");
  Network network = network_of("fairlead");
  network.options = {{"network", "blog"}};
  network.subnets = {{.subnet = *Cidr::parse("10.60.0.0/24")}};
  EXPECT_TRUE(ensure(network));
  network.subnets[0].gateway = *IpAddress::parse("10.60.0.9");
  EXPECT_THAT(ensure(network).error().text, HasSubstr("its gateway is not 10.60.0.9"));
  network.subnets = {{.subnet = *Cidr::parse("10.61.0.0/24")}};
  EXPECT_THAT(ensure(network).error().text, HasSubstr("it has no subnet 10.61.0.0/24"));
  network.subnets.clear();
  network.options["mtu"] = "1400";
  EXPECT_THAT(ensure(network).error().text, HasSubstr("mtu=1400 is not its own"));
  network.options.erase("mtu");
  network.internal = true;
  EXPECT_THAT(ensure(network).error().text, HasSubstr("it is not internal"));
}

TEST_F(OfPodman, OfAnotherNetworksNameAreCalledPodman) {
  service_.has_network("shop", "10.60.0.0/24");
  const auto made = ensure(network_of("bridge"));
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->name.str(), "podman-shop");
  ASSERT_TRUE(ensure(network_of("bridge")));
  EXPECT_EQ(service_.count("create_network"), 1U);
}

TEST_F(OfPodman, OfTheDriverSayHowToJoinTheNetworkOfTheirName) {
  service_.has_network("shop", "10.60.0.0/24");
  EXPECT_THAT(ensure(network_of("fairlead")).error().text, HasSubstr("-o network=shop"));
  EXPECT_EQ(service_.networks.size(), 1U);
}

TEST_F(OfPodman, ThatAreMadeAnewReplaceTheOldOnesAtOnce) {
  ASSERT_TRUE(ensure(network_of("fairlead")));
  Network again = network_of("fairlead", std::string(64, 'b'));  // after `podman network rm`
  again.options = {{"mtu", "1400"}};
  const auto made = ensure(again);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->id, again.id);
  EXPECT_EQ(service_.networks.size(), 1U);
}

TEST_F(OfPodman, AreNotReplacedWhileContainersAreOnThem) {
  ASSERT_TRUE(ensure(network_of("fairlead")));
  service_.endpoints.insert(kPodmanId + "/1");
  EXPECT_FALSE(ensure(network_of("fairlead", std::string(64, 'b'))));
  EXPECT_TRUE(service_.networks.contains(kPodmanId));
}

TEST_F(OfPodman, WhoseFileWasChangedAreMadeAnewWhenNobodyUsesThem) {
  ASSERT_TRUE(ensure(network_of("bridge")));
  Network changed = network_of("bridge");
  changed.options = {{"mtu", "1400"}};
  service_.endpoints.insert(kPodmanId + "/1");
  EXPECT_FALSE(ensure(changed)->options.mtu);  // as it is
  service_.endpoints.clear();
  EXPECT_EQ(ensure(changed)->options.mtu, 1400U);
}

TEST_F(OfPodman, TakeTheSubnetOfOneThatPodmanHasRemoved) {
  Network network = network_of("fairlead");
  network.subnets = {{.subnet = *Cidr::parse("10.60.0.0/24")}};
  ASSERT_TRUE(ensure(network));
  Network other = network;
  other.name = "blog";
  other.id = std::string(64, 'b');
  service_.files[kFile] = R"({"id":")" + kPodmanId + R"("})";
  EXPECT_FALSE(ensure(other));
  service_.files.clear();
  EXPECT_TRUE(ensure(other));
}

TEST_F(OfPodman, AreCollectedWhenTheirFilesAreGone) {
  ASSERT_TRUE(ensure(network_of("fairlead")));
  EXPECT_EQ(collect(), 0U);  // Podman writes it just now
  service_.now += Networks::kGrace;
  service_.files[kFile] = R"({"id":")" + kPodmanId + R"("})";
  EXPECT_EQ(collect(), 0U);
  service_.files[kFile] = R"({"id":)";  // half written
  EXPECT_EQ(collect(), 0U);
  service_.files[kFile] = R"({"id":"of another one of that name"})";
  EXPECT_EQ(collect(), 1U);
  EXPECT_TRUE(service_.networks.empty());
}

TEST_F(OfPodman, AreNotCollectedWhileOthersUseThem) {
  ASSERT_TRUE(ensure(network_of("fairlead")));
  service_.now += 60;
  service_.endpoints.insert(kPodmanId + "/of-cni");
  EXPECT_EQ(collect(), 0U);
  service_.endpoints.clear();
  service_.bindings["docker's"] = kPodmanId;
  EXPECT_EQ(collect(), 1U);  // of Podman nothing is left; Docker has it
  EXPECT_TRUE(service_.networks.contains(kPodmanId));
}

TEST_F(OfPodman, AndNoOthersAreCollected) {
  service_.has_network("shop", "10.60.0.0/24");
  service_.now += 60;
  EXPECT_EQ(collect(), 0U);
}

TEST_F(OfPodman, OwnDriversGoWithTheirLastContainer) {
  const Network network = network_of("bridge");
  ASSERT_TRUE(ensure(network));
  Networks networks(service_, nullptr, surroundings_);
  service_.endpoints.insert(kPodmanId + "/1");
  ASSERT_TRUE(networks.release(network));
  EXPECT_TRUE(service_.networks.contains(kPodmanId));
  service_.endpoints.clear();
  ASSERT_TRUE(networks.release(network));
  EXPECT_TRUE(service_.networks.empty());
}

TEST_F(OfPodman, OfTheDriverStayWithoutContainers) {
  const Network network = network_of("fairlead");
  ASSERT_TRUE(ensure(network));
  ASSERT_TRUE(Networks(service_, nullptr, surroundings_).release(network));
  EXPECT_FALSE(service_.networks.empty());
}

}  // namespace
}  // namespace fairlead::netavark
