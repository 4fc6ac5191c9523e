#include <filesystem>
#include <fstream>

#include "network/api/options.h"
#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using network::NetworkRef;
using network::NetworkSpec;
using network::NetworkText;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Return;

class NetworkCommand : public CliTest {
 protected:
  // The spec that the line asks the service for.
  NetworkSpec asked_for(const std::string& line) {
    NetworkSpec asked;
    EXPECT_CALL(*networks_, create_network)
        .WillOnce([&](const NetworkSpec& spec) -> Result<network::Network> {
          asked = spec;
          return shop_network();
        });
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
    return asked;
  }
};

TEST_F(NetworkCommand, EmptyListsHaveOnlyAHeader) {
  EXPECT_EQ(run("network ls").out, "NETWORK ID   NAME   MODE   SUBNETS   ENDPOINTS   CREATED\n");
  EXPECT_EQ(run("network ls -q").out, "");
  EXPECT_EQ(run("network ls --json").out, "[]\n");
}

TEST_F(NetworkCommand, ListsAreFilteredByName) {
  has_networks();
  EXPECT_EQ(run("network ls -q --filter name=ho").out, "aaaaaaaaaaaa\n");
  EXPECT_EQ(run("network ls -q --filter name=ho --filter name=x").out, "");
  EXPECT_EQ(run("network ls -q --no-trunc --filter name=ho").out, kShopId + "\n");
}

TEST_F(NetworkCommand, CreateTakesANameAlone) {
  const NetworkSpec spec = asked_for("network create shop");
  EXPECT_EQ(spec.name.str(), "shop");
  EXPECT_EQ(spec.options, network::NetworkOptions{});
  EXPECT_TRUE(spec.subnets.empty());
  EXPECT_FALSE(spec.ipv6 || spec.internal);
}

TEST_F(NetworkCommand, CreateTakesWhatDockersTakes) {
  const NetworkSpec spec = asked_for(
      "network create --subnet 10.89.0.0/24 --subnet fd89::/64 --gateway fd89::1 --gateway "
      "10.89.0.1 --ip-range 10.89.0.128/25 "
      "--aux-address router=10.89.0.5 --ipv6 --internal -d bridge -o "
      "com.docker.network.driver.mtu=1400 -o icc=false --label team=a "
      "--label bare shop");
  ASSERT_EQ(spec.subnets.size(), 2U);
  EXPECT_EQ(spec.subnets[0], (network::SubnetSpec{Family::kV4,
                                                  cidr("10.89.0.0/24"),
                                                  cidr("10.89.0.128/25"),
                                                  ip("10.89.0.1"),
                                                  {{"router", ip("10.89.0.5")}}}));
  EXPECT_EQ(spec.subnets[1],
            (network::SubnetSpec{Family::kV6, cidr("fd89::/64"), std::nullopt, ip("fd89::1"), {}}));
  EXPECT_TRUE(spec.ipv6 && spec.internal);
  EXPECT_EQ(spec.options.mtu, 1400U);
  EXPECT_FALSE(spec.options.icc);
  EXPECT_EQ(spec.labels, (std::map<std::string, std::string>{{"team", "a"}, {"bare", ""}}));
}

TEST_F(NetworkCommand, CreateReadsOptionsAfterTheNameToo) {
  EXPECT_EQ(asked_for("network create shop --opt=mtu=1400 -omode=macvlan").options.mode, "macvlan");
}

TEST_F(NetworkCommand, CreateTakesWhatInspectPrints) {
  EXPECT_CALL(*networks_, inspect_network).WillOnce(Return(shop_network()));
  stdin_ = run("network inspect shop").out;
  const NetworkSpec spec = asked_for("network create -f -");
  EXPECT_EQ(spec.id, kShopId);
  EXPECT_EQ(spec.options, shop_network().options);
  ASSERT_EQ(spec.subnets.size(), 2U);
  EXPECT_EQ(spec.subnets[0].range, cidr("10.89.0.128/25"));
  EXPECT_EQ(spec.labels, shop_network().labels);
}

TEST_F(NetworkCommand, CreateFromAFileUnderAnotherNameMakesACopy) {
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("fairlead-cli-test-{}.json", getpid());
  std::ofstream(path) << R"({"name": "shop", "id": ")" + kShopId + R"(", "internal": true})";
  const NetworkSpec spec = asked_for("network create -f " + path.string() + " copy");
  std::filesystem::remove(path);
  EXPECT_EQ(spec.name.str(), "copy");
  EXPECT_EQ(spec.id, "");
  EXPECT_TRUE(spec.internal);
}

TEST_F(NetworkCommand, CreateTakesSeveralFromOneFileAndGoesOnAfterErrors) {
  stdin_ = R"([{"name": "a"}, {"name": "b"}])";
  EXPECT_CALL(*networks_, create_network)
      .WillOnce(Return(fail(Code::kExists, "create network a: subnet 10.0.0.0/24 overlaps eth0")))
      .WillOnce(Return(shop_network()));
  const Outcome outcome = run("network create -f -");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.out, kShopId + "\n");
  EXPECT_EQ(outcome.err, "fairlead: create network a: subnet 10.0.0.0/24 overlaps eth0\n")
      << "the action is said once";
}

TEST_F(NetworkCommand, CreateExplainsAFileThatIsWrong) {
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"{", "fairlead: read -: the text is not valid JSON (at byte 2 of 1)"},
           {R"([{"name": "a"}, {"nam": "b"}])",
            "fairlead: read -: network 2: field nam is not known; did you mean \"name\"?"},
           {"[7]",
            "fairlead: read -: network 1: the document must be a JSON object, not number"}}) {
    stdin_ = text;
    const Outcome outcome = run("network create -f -");
    EXPECT_EQ(outcome.exit_code, cli::kUsage);
    EXPECT_EQ(outcome.err, says + "; see \"fairlead network create --help\"\n");
  }
}

TEST_F(NetworkCommand, CreateRefusesAFileThatIsTooLarge) {
  stdin_ = std::string((1 << 20) + 1, ' ');
  EXPECT_NE(run("network create -f -").err.find("larger than 1 MiB"), std::string::npos);
}

TEST_F(NetworkCommand, CreateIsSilentWhenAsked) {
  EXPECT_CALL(*networks_, create_network).WillOnce(Return(shop_network()));
  EXPECT_EQ(run("network create -q shop").out, "");
}

TEST_F(NetworkCommand, DryRunChangesNothingAndCanBeFedBack) {
  EXPECT_CALL(*networks_, create_network).Times(0);
  const std::string line = "--subnet 10.89.0.0/24 --gateway 10.89.0.1 -o mtu=1400 shop";
  stdin_ = run("network create --dry-run " + line).out;
  EXPECT_EQ(opened_, 0);
  EXPECT_EQ(run("network create --dry-run -f -").out, stdin_);
}

TEST_F(NetworkCommand, InspectShowsWhatItFoundAndNamesWhatItDidNot) {
  EXPECT_CALL(*networks_, inspect_network(NetworkRef(NetworkText{"gone"})))
      .WillOnce(Return(fail(Code::kNotFound, "there is no network gone")));
  EXPECT_CALL(*networks_, inspect_network(NetworkRef(NetworkText{"shop"})))
      .WillOnce(Return(shop_network()));
  const Outcome outcome = run("network inspect gone shop");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: inspect network gone: there is no network gone\n");
  EXPECT_NE(outcome.out.find("\"name\": \"shop\""), std::string::npos);
}

class NetworkRemove : public NetworkCommand {
 protected:
  NetworkRemove() {
    EXPECT_CALL(*networks_, remove_network(NetworkRef(NetworkText{"busy"})))
        .WillRepeatedly(Return(fail(Code::kInUse, "web uses it")));
    EXPECT_CALL(*networks_, remove_network(NetworkRef(NetworkText{"gone"})))
        .WillRepeatedly(Return(fail(Code::kNotFound, "no such network")));
    EXPECT_CALL(*networks_, remove_network(NetworkRef(NetworkText{"shop"})))
        .WillRepeatedly(Return(Status()));
  }
};

TEST_F(NetworkRemove, GoesOnAfterErrors) {
  const Outcome outcome = run("network rm busy gone shop");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.out, "shop\n");
  EXPECT_EQ(outcome.err,
            "fairlead: remove network busy: web uses it\nfairlead: remove network gone: no such "
            "network\n");
}

TEST_F(NetworkRemove, ByForceIgnoresOnlyWhatIsMissing) {
  EXPECT_EQ(run("network rm -f gone shop").exit_code, cli::kDone);
  EXPECT_EQ(run("network rm -f gone").err, "");
  EXPECT_EQ(run("network rm -f busy").exit_code, cli::kFailed);
}

TEST_F(NetworkCommand, RemovesNothingWhereAnotherStoreOwnsTheNamespace) {
  foreign_ = Error{Code::kInUse, 0, "they belong to the store in /srv/other"};
  EXPECT_CALL(*networks_, remove_network).Times(0);
  const Outcome refused = run("network rm -f shop");
  EXPECT_EQ(refused.exit_code, cli::kFailed);
  EXPECT_THAT(refused.err, HasSubstr("/srv/other"));
}

TEST_F(NetworkCommand, WhatDockerMadeIsRemovedByItsOwnCommandOrByForce) {
  network::Network unnamed = plain_network(), named = shop_network(), other = shop_network();
  unnamed.name = NetworkName::parse("docker-" + unnamed.id.substr(0, 12)).value();
  named.labels[network::kMadeForLabel] = "docker";
  other.name = NetworkName::parse("docker-mine").value();
  for (const network::Network& one : {unnamed, named, other})
    ON_CALL(*networks_, inspect_network(NetworkRef(NetworkText{one.name.str()})))
        .WillByDefault(Return(one));
  EXPECT_CALL(*networks_, remove_network).Times(0);
  const Outcome refused = run("network rm docker-bbbbbbbbbbbb shop");
  EXPECT_EQ(refused.exit_code, cli::kFailed);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(refused.err, HasSubstr("fairlead: remove network docker-bbbbbbbbbbbb: network "
                                     "docker-bbbbbbbbbbbb was made by Docker"));
  EXPECT_THAT(refused.err, HasSubstr("`docker network rm bbbbbbbbbbbb`"));
  EXPECT_THAT(refused.err, HasSubstr("`docker network rm shop`"));
  ::testing::Mock::VerifyAndClearExpectations(networks_.get());
  EXPECT_CALL(*networks_, remove_network).Times(3).WillRepeatedly(Return(Status()));
  EXPECT_EQ(run("network rm docker-mine").exit_code, cli::kDone) << "it is only called so";
  EXPECT_EQ(run("network rm -f docker-bbbbbbbbbbbb shop").exit_code, cli::kDone);
}

TEST_F(NetworkRemove, ShowsOddNamesSafely) {
  EXPECT_CALL(*networks_, remove_network(NetworkRef(NetworkText{"a\nb"})))
      .WillOnce(Return(Status()));
  EXPECT_EQ(run("network rm", {"a\nb"}).out, "a\\x0ab\n");
}

}  // namespace
}  // namespace fairlead::testing
