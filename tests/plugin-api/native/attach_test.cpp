// POST /v1/endpoints: into which namespace, and what a repetition is answered with.
#include "tests/plugin-api/native/api_fixture.h"

namespace fairlead::testing {
namespace {

using network::Expectation;
using ::testing::_;
using ::testing::Return;

class Attach : public ApiTest {
 protected:
  Attach() {
    ON_CALL(networks_, inspect_network).WillByDefault(Return(shop_network()));
    ON_CALL(networks_, inspect_endpoint).WillByDefault(Return(web_endpoint()));
    ON_CALL(networks_, check).WillByDefault(Return(Status()));
  }

  void is_there_already() {
    EXPECT_CALL(networks_, attach)
        .WillOnce(Return(fail(Code::kExists, "attach web: it is joined already")));
  }

  static network::Attachment attachment() {
    network::Attachment made;
    made.endpoint = web_endpoint();
    return made;
  }

  // The request that made web_endpoint(), with one field changed.
  static std::string request(const std::string& field = "", const json::Json& value = {}) {
    json::Json body = {{"network", "shop"},
                       {"container", "web"},
                       {"netns", "/run/netns/web"},
                       {"ports",
                        {{{"host_port", 8080}, {"container_port", 80}},
                         {{"protocol", "udp"},
                          {"host_ip", "127.0.0.1"},
                          {"host_port", 50},
                          {"host_port_end", 60},
                          {"container_port", 53}}}},
                       {"aliases", {"www", "shop.local"}},
                       {"routes",
                        {{{"destination", "10.0.0.0/8"},
                          {"via", "10.89.0.5"},
                          {"mtu", 1300},
                          {"advmss", 1260},
                          {"priority", 10},
                          {"table", 254},
                          {"scope", 0}}}}};
    if (!field.empty()) body[field] = value;
    return body.dump();
  }
};

TEST_F(Attach, MakesTheInterfaceInTheNamespaceOfThePath) {
  EXPECT_CALL(networks_, attach)
      .WillOnce([](const network::EndpointSpec& spec,
                   const network::Placement& placement) -> Result<network::Attachment> {
        const auto& inside = std::get<network::IntoNetns>(placement);
        EXPECT_GE(inside.fd, 0);
        EXPECT_EQ(inside.ifname.str(), "eth0");
        EXPECT_EQ(to_string(spec.network), "shop");
        EXPECT_EQ(spec.container, "web");
        EXPECT_EQ(spec.ports.size(), 2U);
        return attachment();
      });
  const auto response = send("POST", "/v1/endpoints", request());
  EXPECT_EQ(response.status, 201) << response.body;
  EXPECT_EQ(opened_, std::vector<std::string>{"/run/netns/web"});
  const json::Json endpoint = parsed(response);
  EXPECT_EQ(endpoint["addresses"][0], "10.89.0.130/24");
  EXPECT_EQ(endpoint["network"], "shop");
  EXPECT_EQ(endpoint["state"]["mtu"], 1400);
}

TEST_F(Attach, MakesTheInterfaceInTheNamespaceOfTheProcess) {
  EXPECT_CALL(networks_, attach).WillOnce(Return(attachment()));
  EXPECT_EQ(
      send("POST", "/v1/endpoints", R"({"network": "shop", "container": "web", "pid": 42})").status,
      201);
  EXPECT_EQ(opened_, std::vector<std::string>{"/proc/42/ns/net"});
}

TEST_F(Attach, NeedsANamespaceThatExists) {
  EXPECT_CALL(networks_, attach).Times(0);
  expect_problem(send("POST", "/v1/endpoints", request("netns", "/run/netns/gone")), 404,
                 "not_found", "no network namespace");
}

TEST_F(Attach, OfTheSameAgainIsAnsweredTheSame) {
  is_there_already();
  EXPECT_CALL(networks_, check(_, ::testing::Field(&Expectation::ifname, "eth0")))
      .WillOnce(Return(Status()));
  const auto response = send("POST", "/v1/endpoints", request());
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(parsed(response)["id"], web_endpoint().id);
}

TEST_F(Attach, IsNotBegunForAClientThatHasHungUp) {
  hung_up_ = [] { return true; };
  EXPECT_CALL(networks_, attach).Times(0);
  expect_problem(send("POST", "/v1/endpoints", request()), 503, "unavailable", "hung up");
}

TEST_F(Attach, IsUndoneForAClientThatHangsUpMeanwhile) {
  hung_up_ = [asked = 0]() mutable { return asked++ > 0; };
  std::string id;
  EXPECT_CALL(networks_, attach).WillOnce([&](const network::EndpointSpec& spec, const auto&) {
    id = spec.id;
    return Result<network::Attachment>(attachment());
  });
  EXPECT_CALL(networks_, remove_endpoint).WillOnce([&](const network::EndpointRef& ref) {
    EXPECT_EQ(ref.id, id);
    EXPECT_EQ(to_string(ref.network), "shop");
    return Status();
  });
  expect_problem(send("POST", "/v1/endpoints", request()), 503, "unavailable", "hung up");
}

TEST_F(Attach, ThatWasThereBeforeStaysWhenTheClientHangsUp) {
  hung_up_ = [asked = 0]() mutable { return asked++ > 0; };
  is_there_already();
  EXPECT_CALL(networks_, remove_endpoint).Times(0);
  EXPECT_EQ(send("POST", "/v1/endpoints", request()).status, 200);
}

TEST_F(Attach, AndItsRemovalTakeTurns) {
  const auto turn = std::make_shared<const int>(0);
  std::vector<std::string> ids;
  ON_CALL(networks_, take_turn).WillByDefault([&](const std::string& id) {
    ids.push_back(id);
    return Result<network::Turn>(turn);
  });
  const auto held = [&] { EXPECT_GT(turn.use_count(), 1); };
  EXPECT_CALL(networks_, attach).WillOnce(::testing::DoAll(held, Return(attachment())));
  EXPECT_CALL(networks_, remove_endpoint).WillOnce(::testing::DoAll(held, Return(Status())));
  EXPECT_EQ(send("POST", "/v1/endpoints", request("id", "e1")).status, 201);
  EXPECT_EQ(send("DELETE", "/v1/endpoints/shop/e1").status, 204);
  EXPECT_EQ(ids, (std::vector<std::string>{"e1", "e1"}));
  EXPECT_EQ(turn.use_count(), 1);
}

TEST_F(Attach, OfTheSameInADeadNamespaceIsAConflict) {
  is_there_already();
  EXPECT_CALL(networks_, check).WillOnce(Return(fail(Code::kConflict, "eth0 is missing")));
  expect_problem(send("POST", "/v1/endpoints", request()), 409, "conflict", "eth0 is missing");
}

TEST_F(Attach, RefusedForAnotherReasonStaysRefused) {
  EXPECT_CALL(networks_, attach).WillOnce(Return(fail(Code::kExists, "port 8080 belongs to db")));
  EXPECT_CALL(networks_, inspect_endpoint)
      .WillOnce(Return(fail(Code::kNotFound, "no such endpoint")));
  expect_problem(send("POST", "/v1/endpoints", request()), 409, "exists",
                 "port 8080 belongs to db");
}

TEST_F(Attach, OfAnEndpointThatIsOnlyReservedStaysRefused) {
  is_there_already();
  network::Endpoint reserved = web_endpoint();
  reserved.joined = false;
  EXPECT_CALL(networks_, inspect_endpoint).WillOnce(Return(reserved));
  expect_problem(send("POST", "/v1/endpoints", request()), 409, "exists");
}

struct Change {
  const char *field, *value;
};
class AttachOfAnother : public Attach, public ::testing::WithParamInterface<Change> {};

TEST_P(AttachOfAnother, IsAConflictThatNamesTheField) {
  is_there_already();
  EXPECT_CALL(networks_, check).Times(0);
  const auto body = request(GetParam().field, json::Json::parse(GetParam().value));
  expect_problem(send("POST", "/v1/endpoints", body), 409, "conflict",
                 std::string("another value of ") + GetParam().field);
}

INSTANTIATE_TEST_SUITE_P(
    Fields, AttachOfAnother,
    ::testing::Values(Change{"container", R"("db")"}, Change{"runtime", R"("mini")"},
                      Change{"ifname", R"("net1")"}, Change{"addresses", R"(["10.89.0.131/24"])"},
                      Change{"mac", R"("02:00:00:00:00:07")"},
                      Change{"ports", R"([{"host_port": 8081, "container_port": 80}])"},
                      Change{"ports", "[]"}, Change{"aliases", R"(["www"])"},
                      Change{"rates", R"({"in_bits": 7})"}, Change{"routes", "[]"}));

}  // namespace
}  // namespace fairlead::testing
