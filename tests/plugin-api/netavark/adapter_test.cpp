#include "plugin-api/netavark/adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plugin-api/netavark/recording_service.h"

namespace fairlead::netavark {
namespace {

using ::testing::_;
using testing::drop_in_document;
using ::testing::HasSubstr;
using testing::kPodmanId;
using testing::netavark_call;
using testing::plugin_document;
using testing::podmans_network;
using testing::PodmanService;
using ::testing::Return;

json::Json answer_of(const Outcome& outcome) {
  const auto answer = json::parse(outcome.out);
  EXPECT_TRUE(answer) << outcome.out;
  return answer ? *answer : json::Json();
}

void expect_failure(const Outcome& outcome, const std::string& message) {
  EXPECT_EQ(outcome.exit_code, 1);
  const auto answer = answer_of(outcome);
  EXPECT_EQ(answer.size(), 1U) << outcome.out;  // Podman takes no other member
  EXPECT_THAT(answer["error"].string(), HasSubstr(message));
}

// Podman's own bridge network.
json::Json bridge_network() {
  json::Json network = podmans_network("bridge");
  network["network_interface"] = "podman1";
  network["subnets"] = json::Json::array({{{"subnet", "10.89.0.0/24"}, {"gateway", "10.89.0.1"}}});
  return network;
}

json::Json two_networks() {
  json::Json document = drop_in_document(bridge_network());
  document["networks"]["blog"] = {{"interface_name", "eth1"},
                                  {"static_ips", json::Json::array({"10.90.0.2"})}};
  json::Json blog = bridge_network();
  blog["name"] = "blog";
  blog["id"] = std::string(64, 'b');
  blog["network_interface"] = "podman2";
  blog["subnets"] = json::Json::array({{{"subnet", "10.90.0.0/24"}, {"gateway", "10.90.0.1"}}});
  document["network_info"]["blog"] = blog;
  return document;
}

class Verbs : public ::testing::Test {
 protected:
  Outcome perform_call(const Call& call) { return run(call, service_.services()); }
  Outcome call(const std::string& command, const json::Json& document) {
    return perform_call(netavark_call(command, document));
  }
  PodmanService service_;
};

// ---- create

TEST_F(Verbs, CreateMakesTheNetworkAndLeavesAddressesToFairlead) {
  const auto made = answer_of(call("create", podmans_network()));
  EXPECT_EQ(made["ipam_options"]["driver"], "none");
  EXPECT_EQ(made["subnets"].dump(), R"([{"gateway":"10.208.0.1","subnet":"10.208.0.0/24"}])");
  EXPECT_EQ(made["id"], kPodmanId);
  EXPECT_TRUE(service_.networks.contains(kPodmanId));
}

TEST_F(Verbs, CreateKeepsInTheOptionsWhatPodmanWouldDrop) {
  json::Json network = podmans_network();
  network["dns_enabled"] = false;
  network["network_dns_servers"] = json::Json::array({"192.0.2.1"});
  const auto made = answer_of(call("create", network));
  EXPECT_EQ(made["options"]["dns"], "off");
  EXPECT_EQ(made["options"]["dns_servers"], "192.0.2.1");
  EXPECT_FALSE(made.contains("network_dns_servers"));
  EXPECT_EQ(call("setup", plugin_document(made)).exit_code, 0);  // Podman gives it back
  EXPECT_EQ(service_.count("create_network"), 1U);
}

TEST_F(Verbs, CreateRefusesWhatCannotBe) {
  json::Json network = podmans_network();
  network["options"] = {{"mtuu", "1"}};
  expect_failure(call("create", network), "mtu");
  network["options"] = json::Json::object();
  network["ipam_options"] = {{"driver", "dhcp"}};
  expect_failure(call("create", network), "leave out --ipam-driver");
  network["id"] = "short";
  expect_failure(call("create", network), "64 lower-case hex digits");
  EXPECT_TRUE(service_.networks.empty());
}

TEST_F(Verbs, CreateOfAJoiningNetworkShowsNoSubnetsWhichPodmanWouldFindTaken) {
  service_.has_network("blog", "10.60.0.0/24");
  json::Json network = podmans_network();
  network["options"] = {{"network", "blog"}};
  const auto made = answer_of(call("create", network));
  EXPECT_FALSE(made.contains("subnets"));
  EXPECT_EQ(call("setup", plugin_document(made)).exit_code, 0);
  EXPECT_EQ((*service_.call("attach"))["network"], "blog");
}

TEST_F(Verbs, CreateInPlaceOfOneThatWasRemovedShowsNoSubnetsEither) {
  answer_of(call("create", podmans_network()));
  service_.now += 60;  // and `podman network rm`
  json::Json again = podmans_network();
  again["id"] = std::string(64, 'b');
  EXPECT_FALSE(answer_of(call("create", again)).contains("subnets"));
  EXPECT_EQ(service_.networks.size(), 1U);
}

// ---- setup

TEST_F(Verbs, SetupOfAPluginAnswersOneStatus) {
  const auto status = answer_of(call("setup", plugin_document(podmans_network())));
  EXPECT_EQ(
      status.dump(),
      R"({"interfaces":{"eth0":{"mac_address":"02:00:00:00:00:01","subnets":[{"gateway":"10.208.0.1","ipnet":"10.208.0.2/24"}]}}})");
}

TEST_F(Verbs, SetupSaysWhereNamesAreAsked) {
  network::Attachment attached{.container_ifname = *IfName::parse("eth0"),
                               .dns = {.nameservers = {"10.208.0.1"}, .search = {"shop.internal"}}};
  EXPECT_CALL(service_, attach(_, _)).WillOnce(Return(attached));
  const auto status = answer_of(call("setup", plugin_document(podmans_network())));
  EXPECT_EQ(status["dns_server_ips"].dump(), R"(["10.208.0.1"])");
  EXPECT_EQ(status["dns_search_domains"].dump(), R"(["shop.internal"])");
}

TEST_F(Verbs, SetupOpensTheNamespaceBeforeItMakesAnything) {
  expect_failure(
      perform_call(netavark_call("setup", plugin_document(podmans_network()), "/run/netns/gone")),
      "/run/netns/gone");
  expect_failure(
      perform_call(netavark_call("setup", plugin_document(podmans_network()), "/run/netns/own")),
      "the network namespace of the host itself");
  EXPECT_EQ(service_.calls, json::Json::array());
}

TEST_F(Verbs, SetupOfAllNetworksAnswersByTheirNames) {
  const auto statuses = answer_of(call("setup", two_networks()));
  EXPECT_EQ(statuses["shop"]["interfaces"]["eth0"]["subnets"][0]["ipnet"], "10.89.0.2/24");
  EXPECT_EQ(statuses["blog"]["interfaces"]["eth1"]["subnets"][0]["ipnet"], "10.90.0.2/24");
}

TEST_F(Verbs, SetupBringsUpLoopbackInNetavarksPlace) {
  int asked = 0;
  Call call = netavark_call("setup", drop_in_document(bridge_network()));
  call.bring_up_loopback = [&](int) {
    ++asked;
    return Status();
  };
  EXPECT_EQ(perform_call(call).exit_code, 0);
  EXPECT_EQ(asked, 1);
}

TEST_F(Verbs, SetupIsAllOrNothing) {
  EXPECT_CALL(service_, attach(_, _))
      .WillOnce(Return(network::Attachment{.container_ifname = *IfName::parse("eth0")}))
      .WillRepeatedly(Return(fail(Code::kInUse, "port 80 is taken")));
  expect_failure(call("setup", two_networks()), "port 80 is taken");
  EXPECT_EQ(service_.count("remove_endpoint"), 1U);
  EXPECT_TRUE(service_.networks.empty());  // Podman's own go with the last container
}

TEST_F(Verbs, SetupForACallerThatHangsUpIsUndone) {
  Call call = netavark_call("setup", drop_in_document(bridge_network()));
  call.hung_up = [left = 1]() mutable { return left-- <= 0; };
  expect_failure(perform_call(call), "the caller hung up");
  EXPECT_TRUE(service_.endpoints.empty());
}

TEST_F(Verbs, SetupReplacesWhatALostTeardownHasLeft) {
  EXPECT_EQ(call("setup", plugin_document(podmans_network())).exit_code, 0);
  EXPECT_EQ(perform_call(netavark_call("setup", plugin_document(podmans_network()), "/run/netns/2"))
                .exit_code,
            0);
  EXPECT_EQ(service_.count("remove_endpoint"), 1U);
}

TEST_F(Verbs, SetupIsKnownAgainByItsDigest) {
  std::vector<std::string> digests;
  ON_CALL(service_, attach).WillByDefault([&](const auto& spec, const auto&) {
    digests.push_back(spec.digest);
    return Result<network::Attachment>(
        network::Attachment{.container_ifname = *IfName::parse("eth0")});
  });
  call("setup", plugin_document(podmans_network()));
  call("setup", plugin_document(podmans_network()));
  json::Json other = plugin_document(podmans_network());
  other["network_options"]["static_mac"] = "02:11:22:33:44:55";
  call("setup", other);
  ASSERT_EQ(digests.size(), 3U);
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_NE(digests[0], digests[2]);
}

TEST_F(Verbs, SetupGivesPortsToNetworksThatCanHaveThem) {
  json::Json network = podmans_network();
  network["internal"] = true;
  json::Json document = plugin_document(network);
  document["port_mappings"] =
      json::Json::array({{{"container_port", 80}, {"host_port", 8080}, {"range", 1}}});
  EXPECT_EQ(call("setup", document).exit_code, 0);
  EXPECT_FALSE(service_.call("attach")->contains("ports"));
  service_.calls = json::Json::array();
  document["network"] = podmans_network();
  document["network"]["id"] = std::string(64, 'b');
  document["network"]["name"] = "blog";
  EXPECT_EQ(call("setup", document).exit_code, 0);
  EXPECT_TRUE(service_.call("attach")->contains("ports"));
}

TEST_F(Verbs, SetupNamesTheHostsEndOfTheLink) {
  EXPECT_CALL(service_, attach(_, _))
      .WillRepeatedly(Return(network::Attachment{
          .host_links = {{*IfName::parse("podman1"), {}}, {*IfName::parse("flh1"), {}}},
          .container_ifname = *IfName::parse("eth0")}));
  json::Json document = drop_in_document(bridge_network());
  document["networks"]["shop"]["options"] = {{"host_interface_name", "vethhost0"}};
  std::string named;
  Call call = netavark_call("setup", document);
  call.name_link = [&](const IfName& link, const IfName& name) -> Status {
    named = link.str() + " " + name.str();
    return {};
  };
  EXPECT_EQ(perform_call(call).exit_code, 0);
  EXPECT_EQ(named, "flh1 vethhost0");
  call.name_link = [](const auto&, const auto&) -> Status { return fail(Code::kExists, "taken"); };
  expect_failure(perform_call(call), "taken");
  EXPECT_EQ(service_.count("remove_endpoint"), 1U);
}

TEST_F(Verbs, SetupRunsThePluginsOfOtherDrivers) {
  json::Json document = two_networks();
  document["network_info"]["blog"]["driver"] = "other";
  Call call = netavark_call("setup", document);
  EXPECT_EQ(prepare(call).request->plugin(), "other");
  call.environment.plugin_folders = {"/nowhere"};
  call.run_plugin = [](const auto&, const auto&) -> Result<PipedOutcome> { return PipedOutcome{}; };
  expect_failure(perform_call(call), "/nowhere");
  EXPECT_TRUE(service_.endpoints.empty());
}

// ---- teardown

TEST_F(Verbs, TeardownSucceedsWhateverIsMissing) {
  EXPECT_EQ(call("teardown", plugin_document(podmans_network())), Outcome{});
  EXPECT_EQ(perform_call(netavark_call("teardown", two_networks(), "/run/netns/gone")), Outcome{});
}

TEST_F(Verbs, TeardownTakesPodmansOwnNetworkWithTheLastContainer) {
  call("setup", drop_in_document(bridge_network()));
  EXPECT_TRUE(service_.networks.contains(kPodmanId));
  EXPECT_EQ(call("teardown", drop_in_document(bridge_network())), Outcome{});
  EXPECT_TRUE(service_.networks.empty());
}

TEST_F(Verbs, TeardownLeavesFairleadsNetwork) {
  call("setup", plugin_document(podmans_network()));
  EXPECT_EQ(call("teardown", plugin_document(podmans_network())), Outcome{});
  EXPECT_TRUE(service_.endpoints.empty());
  EXPECT_TRUE(service_.networks.contains(kPodmanId));
}

TEST_F(Verbs, TeardownGoesOnAfterErrors) {
  EXPECT_CALL(service_, remove_endpoint(_))
      .WillOnce(Return(fail(Code::kIo, "the first one")))
      .WillOnce(Return(fail(Code::kIo, "the second one")));
  expect_failure(call("teardown", two_networks()), "the first one; the second one");
}

// ---- the others

TEST_F(Verbs, UpdateTellsTheNetworkOfItsNewServers) {
  call("setup", drop_in_document(bridge_network()));
  Call update = netavark_call("update", nullptr);
  update.environment.network = "shop";
  update.environment.dns_servers = "192.0.2.1,192.0.2.2";
  EXPECT_EQ(perform_call(update), Outcome{});
  EXPECT_EQ((*service_.call("set_dns_servers"))["servers"].dump(), R"(["192.0.2.1","192.0.2.2"])");
  update.environment.network = "nobody's";
  EXPECT_EQ(perform_call(update), Outcome{});
  EXPECT_EQ(service_.count("set_dns_servers"), 1U);
}

TEST_F(Verbs, FirewallReloadReconciles) {
  EXPECT_CALL(service_, reconcile).WillOnce(Return(network::ReconcileReport{}));
  EXPECT_EQ(call("firewall-reload", nullptr), Outcome{});
}

TEST_F(Verbs, SayWhatTheyAre) {
  EXPECT_THAT(call("--version", nullptr).out, ::testing::StartsWith("netavark "));
  EXPECT_EQ(answer_of(call("info", nullptr))["api_version"], "1.0.0");
  EXPECT_EQ(answer_of(call("version", nullptr))["default_fw_driver"], "nftables");
  expect_failure(call("dhcp-proxy", nullptr), "DHCP");
}

TEST_F(Verbs, RefuseRootlessPodmanAndSayWhatToDo) {
  Call call = netavark_call("setup", plugin_document(podmans_network()));
  call.environment.rootless = true;
  expect_failure(perform_call(call), "sudo podman");
}

TEST_F(Verbs, RefuseWhatIsNoDocument) {
  for (const char* input :
       {"", "[]", "{}", "{\"container_id\":1}", "{\"container_id\":\"../x\"}"}) {
    Call call = netavark_call("setup", nullptr);
    call.input = input;
    EXPECT_EQ(perform_call(call).exit_code, 1) << input;
  }
  json::Json document = two_networks();
  document["networks"]["blog"]["interface_name"] = "eth0";
  expect_failure(call("setup", document), "two interfaces");
  document["networks"]["blog"]["interface_name"] = "eth0/../x";
  EXPECT_EQ(call("setup", document).exit_code, 1);
  document = two_networks();
  document["network_info"].erase("blog");
  expect_failure(call("setup", document), "says nothing of network blog");
  EXPECT_EQ(service_.calls, json::Json::array());
}

}  // namespace
}  // namespace fairlead::netavark
