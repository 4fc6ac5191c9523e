// Every route over mocked services, and every error as its problem document.
#include "tests/plugin-api/native/api_fixture.h"

namespace fairlead::testing {
namespace {

using network::EndpointRef;
using network::NetworkRef;
using ::testing::_;
using ::testing::AllOf;
using ::testing::Field;
using ::testing::Return;

NetworkRef names(const std::string& text) { return network::NetworkText{text}; }
auto endpoint_named(const std::string& network, const std::string& id) {
  return AllOf(Field(&EndpointRef::network, names(network)), Field(&EndpointRef::id, id));
}

const Error kGone{Code::kNotFound, 0, "network shop does not exist"};

using Networks = ApiTest;

TEST_F(Networks, AreListedWithTheNumberOfTheirEndpoints) {
  EXPECT_CALL(networks_, list_networks)
      .WillOnce(
          Return(std::vector<network::NetworkUsage>{{shop_network(), 3}, {plain_network(), 0}}));
  const json::Json list = parsed(send("GET", "/v1/networks"))["networks"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["name"], "shop");
  EXPECT_EQ(list[0]["state"]["endpoints"], 3);
}

TEST_F(Networks, ANewOneIsCreated) {
  EXPECT_CALL(networks_, inspect_network(NetworkRef(NetworkName::parse("shop").value())))
      .WillOnce(Return(fail(kGone)));
  EXPECT_CALL(networks_, create_network(Field(&network::NetworkSpec::internal, true)))
      .WillOnce(Return(shop_network()));
  const auto response = send("POST", "/v1/networks", R"({"name": "shop", "internal": true})");
  EXPECT_EQ(response.status, 201) << response.body;
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(parsed(response)["id"], kShopId);
}

TEST_F(Networks, TheSameAgainIsOk) {
  EXPECT_CALL(networks_, inspect_network).WillOnce(Return(shop_network()));
  EXPECT_CALL(networks_, create_network).WillOnce(Return(shop_network()));
  EXPECT_EQ(send("POST", "/v1/networks", R"({"name": "shop"})").status, 200);
}

TEST_F(Networks, WhatAKilledProcessLeftIsCreatedAnew) {
  network::Network half = shop_network();
  half.phase = network::Phase::kCreating;
  EXPECT_CALL(networks_, inspect_network).WillOnce(Return(half));
  EXPECT_CALL(networks_, create_network).WillOnce(Return(shop_network()));
  EXPECT_EQ(send("POST", "/v1/networks", R"({"name": "shop"})").status, 201);
}

TEST_F(Networks, AnotherOneOfThatNameIsAConflict) {
  EXPECT_CALL(networks_, inspect_network).WillOnce(Return(shop_network()));
  EXPECT_CALL(networks_, create_network)
      .WillOnce(Return(fail(Code::kConflict, "create network shop: the subnet differs")));
  expect_problem(send("POST", "/v1/networks", R"({"name": "shop"})"), 409, "conflict",
                 "the subnet differs");
}

TEST_F(Networks, OneIsFoundByNameOrId) {
  EXPECT_CALL(networks_, inspect_network(names("shop"))).WillOnce(Return(shop_network()));
  EXPECT_EQ(parsed(send("GET", "/v1/networks/shop"))["name"], "shop");
  EXPECT_CALL(networks_, inspect_network(names("a b"))).Times(0);
  EXPECT_CALL(networks_, inspect_network(names("ab"))).WillOnce(Return(fail(kGone)));
  expect_problem(send("GET", "/v1/networks/%61b"), 404, "not_found", "does not exist");
}

TEST_F(Networks, OneIsRemoved) {
  EXPECT_CALL(networks_, remove_network(names("shop"))).WillOnce(Return(Status()));
  const auto response = send("DELETE", "/v1/networks/shop");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
}

TEST_F(Networks, OneInUseStays) {
  EXPECT_CALL(networks_, remove_network)
      .WillOnce(Return(fail(Code::kInUse, "remove network shop: web uses it")));
  expect_problem(send("DELETE", "/v1/networks/shop"), 409, "in_use", "web uses it");
}

TEST_F(Networks, ThoseOfDockerAreRemovedByForceOnly) {
  network::Network dockers = plain_network();
  dockers.name = NetworkName::parse("docker-" + dockers.id.substr(0, 12)).value();
  EXPECT_CALL(networks_, inspect_network).WillRepeatedly(Return(dockers));
  EXPECT_CALL(networks_, remove_network).Times(0);
  for (const char* query : {"", "?force=false"})
    expect_problem(send("DELETE", std::string("/v1/networks/docker-bbbbbbbbbbbb") + query), 409,
                   "in_use", "`docker network rm bbbbbbbbbbbb`");
  expect_problem(send("DELETE", "/v1/networks/shop?force=yes"), 400, "invalid", "true or false");
  ::testing::Mock::VerifyAndClearExpectations(&networks_);
  EXPECT_CALL(networks_, remove_network).WillOnce(Return(Status()));
  EXPECT_EQ(send("DELETE", "/v1/networks/docker-bbbbbbbbbbbb?force=true").status, 204);
}

TEST_F(Networks, OneThatCannotBeLookedUpIsNotRemoved) {
  EXPECT_CALL(networks_, inspect_network)
      .WillOnce(Return(fail(Code::kUnavailable, "the database is busy")));
  EXPECT_CALL(networks_, remove_network).Times(0);
  expect_problem(send("DELETE", "/v1/networks/shop"), 503, "unavailable", "busy");
}

using Endpoints = ApiTest;

TEST_F(Endpoints, AreListedWithTheNamesOfTheirNetworks) {
  EXPECT_CALL(networks_, list_endpoints(std::optional<NetworkRef>()))
      .WillOnce(Return(std::vector{web_endpoint(), waiting_endpoint()}));
  EXPECT_CALL(networks_, list_networks)
      .WillOnce(Return(std::vector<network::NetworkUsage>{{shop_network(), 1}}));
  const json::Json list = parsed(send("GET", "/v1/endpoints"))["endpoints"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["network"], "shop");
  EXPECT_EQ(list[0]["state"]["mtu"], 1400);
  EXPECT_EQ(list[1]["network"], waiting_endpoint().network_id) << "its network is gone";
}

TEST_F(Endpoints, OfOneNetworkAreListed) {
  EXPECT_CALL(networks_, list_endpoints(std::optional(names("shop"))))
      .WillOnce(Return(std::vector<network::Endpoint>{}));
  EXPECT_CALL(networks_, list_networks).WillOnce(Return(std::vector<network::NetworkUsage>{}));
  EXPECT_EQ(send("GET", "/v1/endpoints?network=shop").body, R"({"endpoints":[]})");
}

TEST_F(Endpoints, OneIsShown) {
  EXPECT_CALL(networks_, inspect_endpoint(endpoint_named("shop", "e1")))
      .WillOnce(Return(web_endpoint()));
  EXPECT_CALL(networks_, inspect_network(NetworkRef(network::NetworkId{kShopId})))
      .WillOnce(Return(shop_network()));
  EXPECT_EQ(parsed(send("GET", "/v1/endpoints/shop/e1"))["container"], "web");
}

TEST_F(Endpoints, OneIsDetached) {
  EXPECT_CALL(networks_, remove_endpoint(endpoint_named("shop", "e1"))).WillOnce(Return(Status()));
  EXPECT_EQ(send("DELETE", "/v1/endpoints/shop/e1").status, 204);
}

TEST_F(Endpoints, ThoseOfDockerAreRemovedByForceOnly) {
  EXPECT_CALL(networks_, inspect_endpoint).WillRepeatedly(Return(waiting_endpoint()));
  EXPECT_CALL(networks_, inspect_network).WillRepeatedly(Return(shop_network()));
  EXPECT_CALL(networks_, remove_endpoint).Times(0);
  expect_problem(send("DELETE", "/v1/endpoints/shop/e1"), 409, "in_use",
                 "`docker network disconnect -f shop CONTAINER`");
  expect_problem(send("DELETE", "/v1/endpoints/shop/e1?force=1"), 400, "invalid", "true or false");
  ::testing::Mock::VerifyAndClearExpectations(&networks_);
  EXPECT_CALL(networks_, remove_endpoint).WillOnce(Return(Status()));
  EXPECT_EQ(send("DELETE", "/v1/endpoints/shop/e1?force=true").status, 204);
}

TEST_F(Endpoints, OneThatIsGoneIsNoError) {
  EXPECT_CALL(networks_, inspect_endpoint).WillRepeatedly(Return(fail(kGone)));
  EXPECT_CALL(networks_, inspect_network).WillRepeatedly(Return(fail(kGone)));
  EXPECT_CALL(networks_, remove_endpoint).WillOnce(Return(Status()));
  EXPECT_EQ(send("DELETE", "/v1/endpoints/shop/e1").status, 204);
}

using Leases = ApiTest;

TEST_F(Leases, AddressesAreKeptAndKeptNoLonger) {
  auto shop = shop_network();
  shop.reservations = {{"db", ip("fd89::7")}};
  EXPECT_CALL(networks_, reserve(names("shop"), network::Reservation{"db", ip("fd89::7")}))
      .WillOnce(Return(shop));
  const auto made = parsed(send("POST", "/v1/networks/shop/reservations",
                                R"({"container": "db", "address": "fd89::7"})"));
  EXPECT_EQ(made["reservations"],
            json::Json::parse(R"([{"container": "db", "address": "fd89::7"}])"));
  EXPECT_CALL(networks_, unreserve(names("shop"), ip("fd89::7")))
      .Times(2)
      .WillRepeatedly(Return(shop_network()));
  for (const char* address : {"fd89::7", "fd89%3A%3A7"})
    EXPECT_EQ(send("DELETE", std::string("/v1/networks/shop/reservations/") + address).status, 200);
  expect_problem(send("DELETE", "/v1/networks/shop/reservations/db"), 400, "invalid", "{address}");
  expect_problem(send("POST", "/v1/networks/shop/reservations",
                      R"({"container": "a b", "address": "10.89.0.7"})"),
                 400, "invalid", "none of them blank");
  expect_problem(send("POST", "/v1/networks/shop/reservations", R"({"container": "db"})"), 400,
                 "invalid", "address");
}

TEST_F(Leases, AreListedOfAllNetworksOrOfOne) {
  const network::AddressLease lease{.address = ip("10.89.0.2"),
                                    .subnet = cidr("10.89.0.0/24"),
                                    .network_id = kShopId,
                                    .network_name = "shop",
                                    .holder = "container web of network shop (cni)",
                                    .endpoint_id = "e1",
                                    .container = "web",
                                    .since = 1};
  EXPECT_CALL(networks_, list_leases(std::optional(names("shop"))))
      .WillOnce(Return(std::vector{lease}));
  const auto leases = parsed(send("GET", "/v1/leases?network=shop"))["leases"];
  EXPECT_EQ(leases[0]["address"], "10.89.0.2");
  EXPECT_EQ(leases[0]["use"], "endpoint");
  EXPECT_EQ(leases[0]["since"], "1970-01-01T00:00:01Z");
  EXPECT_CALL(networks_, list_leases(std::optional<NetworkRef>()))
      .WillOnce(Return(std::vector<network::AddressLease>()));
  EXPECT_EQ(send("GET", "/v1/leases").body, R"({"leases":[]})");
}

TEST_F(Leases, OneIsFreed) {
  EXPECT_CALL(networks_, release_lease(ip("10.89.0.2"), false))
      .WillOnce(Return(fail(Code::kInUse, "container web has it")));
  expect_problem(send("DELETE", "/v1/leases/10.89.0.2"), 409, "in_use", "container web has it");
  EXPECT_CALL(networks_, release_lease(ip("10.89.0.2"), true)).WillOnce(Return(Status()));
  EXPECT_EQ(send("DELETE", "/v1/leases/10.89.0.2?force=true").status, 204);
  expect_problem(send("DELETE", "/v1/leases/10.89.0"), 400, "invalid", "{address}");
}

using Ports = ApiTest;

TEST_F(Ports, AreListed) {
  EXPECT_CALL(networks_, list_ports).WillOnce(Return(std::vector{web_port()}));
  EXPECT_EQ(parsed(send("GET", "/v1/ports"))["ports"][0]["host_port"], 53);
}

TEST_F(Ports, OfAnEndpointAreReplaced) {
  EXPECT_CALL(networks_, publish(endpoint_named("shop", "e1"), _))
      .WillOnce([](const EndpointRef&, std::span<const network::PortSpec> ports)
                    -> Result<std::vector<network::PublishedPort>> {
        EXPECT_EQ(ports.size(), 1U);
        EXPECT_EQ(ports[0], (network::PortSpec{network::Proto::kTcp, std::nullopt, 8080, 0, 80}));
        return web_endpoint().ports;
      });
  const auto response = send("POST", "/v1/endpoints/shop/e1/ports",
                             R"({"ports": [{"host_port": 8080, "container_port": 80}]})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(parsed(response)["ports"].size(), 2U);
}

TEST_F(Ports, AreWithdrawn) {
  EXPECT_CALL(networks_, unpublish(endpoint_named("shop", "e1"))).WillOnce(Return(Status()));
  EXPECT_EQ(send("DELETE", "/v1/endpoints/shop/e1/ports").status, 204);
}

using Volumes = ApiTest;

TEST_F(Volumes, AreListedWithTheirStatus) {
  EXPECT_CALL(volumes_, list).WillOnce(Return(std::vector{data_volume()}));
  EXPECT_CALL(volumes_, status).WillOnce(Return(data_status()));
  EXPECT_EQ(parsed(send("GET", "/v1/volumes"))["volumes"][0]["state"]["health"], "ok");
}

TEST_F(Volumes, ANewOneIsCreated) {
  EXPECT_CALL(volumes_, inspect("data")).WillOnce(Return(fail(Code::kNotFound, "no volume data")));
  const auto asked = volume::parse_options({{"size", "10g"}}).value();
  EXPECT_CALL(volumes_, create(Field(&volume::VolumeSpec::options, asked), ::testing::_))
      .WillOnce(Return(data_volume()));
  EXPECT_EQ(send("POST", "/v1/volumes", R"({"name": "data", "options": {"size": "10g"}})").status,
            201);
}

TEST_F(Volumes, AnOptionThatNobodyKnowsIsRefusedBeforeTheService) {
  EXPECT_CALL(volumes_, create).Times(0);
  const auto refused =
      send("POST", "/v1/volumes", R"({"name": "data", "options": {"sise": "10g"}})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(parsed(refused)["detail"], "unknown volume option \"sise\"; did you mean \"size\"?");
}

TEST_F(Volumes, TheSameAgainIsOk) {
  EXPECT_CALL(volumes_, inspect("data")).WillOnce(Return(data_volume()));
  EXPECT_CALL(volumes_, create).WillOnce(Return(data_volume()));
  EXPECT_EQ(send("POST", "/v1/volumes", R"({"name": "data"})").status, 200);
}

TEST_F(Volumes, OneIsShown) {
  EXPECT_CALL(volumes_, inspect("data")).WillOnce(Return(data_volume()));
  EXPECT_CALL(volumes_, status).WillOnce(Return(data_status()));
  EXPECT_EQ(parsed(send("GET", "/v1/volumes/data"))["state"]["backend"], "image");
}

TEST_F(Volumes, OneIsRemoved) {
  EXPECT_CALL(volumes_, remove("data")).WillOnce(Return(Status()));
  EXPECT_EQ(send("DELETE", "/v1/volumes/data").status, 204);
}

TEST_F(Volumes, WhatWasMountedForAClientThatHungUpIsUnmounted) {
  hung_up_ = [asked = 0]() mutable { return asked++ > 0; };
  EXPECT_CALL(volumes_, mount("data", "api", "web")).WillOnce(Return(data_volume()));
  EXPECT_CALL(volumes_, unmount("data", "api", "web")).WillOnce(Return(Status()));
  expect_problem(send("POST", "/v1/volumes/data/mount", R"({"id": "web"})"), 503, "unavailable",
                 "hung up");
}

TEST_F(Volumes, WorkIsSortedByRoute) {
  const auto work = [](std::string method, std::string path) {
    http::Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    return native::work_of(request);
  };
  EXPECT_EQ(work("POST", "/v1/endpoints"), http::Work::kNetwork);
  EXPECT_EQ(work("GET", "/v1/volumes/data"), http::Work::kVolume);
  EXPECT_EQ(work("POST", "/v1/volumes/data/mount"), http::Work::kWaiting);
  EXPECT_EQ(work("POST", "/v1/volumes/data/check"), http::Work::kLong);
  EXPECT_EQ(work("POST", "/v1/nothing"), http::Work::kNetwork);
}

TEST_F(Volumes, AMountAnswersWhereTheDataIs) {
  EXPECT_CALL(volumes_, mount("data", "mini", "web")).WillOnce(Return(data_volume()));
  const auto response =
      send("POST", "/v1/volumes/data/mount", R"({"client": "mini", "id": "web"})");
  EXPECT_EQ(parsed(response)["state"]["mountpoint"], data_volume().mountpoint);
}

TEST_F(Volumes, AMountIsGivenBack) {
  EXPECT_CALL(volumes_, unmount("data", "api", "web")).WillOnce(Return(Status()));
  EXPECT_EQ(send("POST", "/v1/volumes/data/unmount", R"({"id": "web"})").status, 204);
}

using System = ApiTest;

TEST_F(System, StatusCountsAndComplains) {
  EXPECT_CALL(networks_, status).WillOnce(Return(troubled_status()));
  EXPECT_CALL(volumes_, list).WillOnce(Return(std::vector{data_volume(), data_volume()}));
  EXPECT_CALL(volumes_, status)
      .WillOnce(Return(data_status()))
      .WillOnce(Return(volume::VolumeStatus{.health = "its folder is missing"}));
  const json::Json status = parsed(send("GET", "/v1/status"));
  EXPECT_EQ(status["volumes"], 2);
  EXPECT_EQ(status["leases"], 5);
  EXPECT_EQ(status["problems"].size(), 2U);
  EXPECT_EQ(status["problems"][1], "volume \"data\": its folder is missing");
}

TEST_F(System, TellsItsVersion) {
  EXPECT_EQ(send("GET", "/v1/version").body, R"({"version":"1.2.3","api":"v1"})");
}

TEST_F(System, ReconcileTellsWhatItDid) {
  EXPECT_CALL(networks_, reconcile)
      .Times(2)
      .WillRepeatedly(Return(network::ReconcileReport{{"made bridge fl-1 again"}, {}}));
  EXPECT_CALL(volumes_, reconcile)
      .Times(2)
      .WillRepeatedly(Return(volume::ReconcileReport{{}, {"mount data: busy"}}));
  const json::Json report = parsed(send("POST", "/v1/reconcile"));
  EXPECT_EQ(report["network"]["actions"][0], "made bridge fl-1 again");
  EXPECT_EQ(report["volume"]["failures"][0], "mount data: busy");
  EXPECT_EQ(send("POST", "/v1/reconcile", "{}").status, 200);
}

struct Failure {
  Code code;
  int status;
};
class EachCode : public ApiTest, public ::testing::WithParamInterface<Failure> {};

TEST_P(EachCode, HasItsHttpStatus) {
  const auto [code, status] = GetParam();
  EXPECT_EQ(native::http_status(code), status);
  EXPECT_CALL(networks_, list_ports).WillOnce(Return(fail(Error{code, 5, "list ports: why"})));
  expect_problem(send("GET", "/v1/ports"), status, to_string(code), "list ports: why");
}

INSTANTIATE_TEST_SUITE_P(
    Problems, EachCode,
    ::testing::Values(Failure{Code::kInvalid, 400}, Failure{Code::kNotFound, 404},
                      Failure{Code::kExists, 409}, Failure{Code::kConflict, 409},
                      Failure{Code::kInUse, 409}, Failure{Code::kExhausted, 507},
                      Failure{Code::kUnsupported, 501}, Failure{Code::kUnavailable, 503},
                      Failure{Code::kIo, 500}, Failure{Code::kInternal, 500}));

}  // namespace
}  // namespace fairlead::testing
