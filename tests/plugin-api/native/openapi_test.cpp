// openapi.json and the handler say the same: each route is in both, and real answers fit the
// schemas.
#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "plugin-api/native/codec_doctor.h"
#include "plugin-api/native/forms.h"
#include "tests/plugin-api/native/api_fixture.h"
#include "tests/plugin-api/native/schema_validator.h"
#include "tests/support/paths.h"

namespace fairlead::testing {
namespace {

using json::Json;
using ::testing::Return;

const Json& openapi() {
  static const Json document = [] {
    std::ifstream file(fairlead::testing::source_path("plugin-api/native/openapi.json"));
    return Json::parse(std::string{std::istreambuf_iterator<char>(file), {}});
  }();
  return document;
}

std::string lower(std::string_view method) {
  std::string text(method);
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

TEST(OpenApi, DescribesEveryRouteAndNoOther) {
  std::set<std::string> described, routed;
  for (const auto& [path, operations] : openapi()["paths"].members())
    for (const auto& [method, operation] : operations.members())
      described.insert(method + " " + path);
  for (const auto& route : native::route_table())
    routed.insert(lower(route.method) + " " + std::string(route.pattern));
  EXPECT_EQ(described, routed);
}

std::set<std::string> parameters(const Json& operation, const std::string& where) {
  std::set<std::string> names;
  for (const Json& parameter : operation.value("parameters", Json::array()))
    if (parameter["in"] == where) names.insert(parameter["name"].get<std::string>());
  return names;
}

TEST(OpenApi, DescribesTheParametersOfEveryRoute) {
  for (const auto& route : native::route_table()) {
    const Json& operation = openapi()["paths"][std::string(route.pattern)][lower(route.method)];
    std::set<std::string> in_path;
    const std::string pattern(route.pattern);
    for (std::size_t at = pattern.find('{'); at != std::string::npos;
         at = pattern.find('{', at + 1))
      in_path.insert(pattern.substr(at + 1, pattern.find('}', at) - at - 1));
    EXPECT_EQ(parameters(operation, "path"), in_path) << pattern;
    std::set<std::string> in_query;
    std::istringstream names{std::string(route.query)};
    for (std::string name; std::getline(names, name, ',');) in_query.insert(name);
    EXPECT_EQ(parameters(operation, "query"), in_query) << pattern;
  }
}

// What the codec writes and reads, by the schema that describes it.
std::map<std::string, std::vector<json::Field>> fields_by_schema() {
  std::map<std::string, std::vector<json::Field>> fields;
  for (const auto& tables :
       {native::network_tables(), native::lease_tables(), native::endpoint_tables(),
        native::policy_tables(), native::volume_tables(), native::snapshot_tables(),
        native::storage_tables(), native::cluster_tables(), native::event_tables(),
        native::doctor_tables()})
    for (const auto& [schema, table] : tables)
      fields[std::string(schema)].insert(fields[std::string(schema)].end(), table.begin(),
                                         table.end());
  return fields;
}

TEST(OpenApi, HasThePropertiesThatTheTablesOfTheCodecHave) {
  const auto all = fields_by_schema();
  EXPECT_GT(all.size(), 25U);
  for (const auto& [schema, fields] : all) {
    std::set<std::string> properties, keys;
    for (const auto& [name, property] :
         openapi()["components"]["schemas"][schema]["properties"].members())
      if (!property.contains("x-driver")) properties.insert(name);
    for (const json::Field& field : fields)
      EXPECT_TRUE(keys.insert(std::string(field.key)).second) << schema << " " << field.key;
    EXPECT_EQ(properties, keys) << schema;
  }
}

// A field without which a document is refused has to be called required; what is called required
// has to be written always. (Hosts of earlier versions say less about themselves, and the status of
// a volume is there only when somebody asked for it.)
TEST(OpenApi, CallsRequiredWhatTheTablesOfTheCodecRequire) {
  for (const auto& [schema, fields] : fields_by_schema()) {
    std::set<std::string> required, always, never_missing;
    for (const Json& name :
         openapi()["components"]["schemas"][schema].value("required", Json::array()))
      required.insert(name.string());
    for (const json::Field& field : fields) {
      if (field.presence == json::Presence::kRequired) always.insert(std::string(field.key));
      if (field.presence != json::Presence::kSparse) never_missing.insert(std::string(field.key));
    }
    EXPECT_TRUE(std::ranges::includes(never_missing, required)) << schema;
    const bool says_less =
        schema == "Cluster" || schema.starts_with("Host") || schema == "VolumeState";
    if (!says_less) EXPECT_TRUE(std::ranges::includes(required, always)) << schema;
  }
}

TEST(OpenApi, GivesEveryOperationAnIdOfItsOwn) {
  std::set<std::string> ids;
  for (const auto& [path, operations] : openapi()["paths"].members())
    for (const auto& [method, operation] : operations.members())
      EXPECT_TRUE(ids.insert(operation["operationId"].get<std::string>()).second)
          << operation["operationId"];
  EXPECT_EQ(ids.size(), native::route_table().size());
}

const char* const kNetworkBody =
    R"({"name": "shop", "subnets": [{"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"}], "state": {"x": 1}})";
const char* const kAttachBody =
    R"({"network": "shop", "container": "web", "pid": 42, "ports": [{"host_port": 8080, "container_port": 80}],
  "aliases": ["www", "shop.local"], "mac": "02-FA-0A-59-00-82"})";
const char* const kPublishBody =
    R"({"ports": [{"container_port": 80, "host_ip": "::1", "host_port": 1, "host_port_end": 9, "protocol": "udp"}]})";

struct Exchange {
  std::string method, pattern, target, body;
};

// One that succeeds for each route.
const std::vector<Exchange> kExchanges{
    {"GET", "/v1/networks", "/v1/networks", ""},
    {"POST", "/v1/networks", "/v1/networks", kNetworkBody},
    {"GET", "/v1/networks/{network}", "/v1/networks/shop", ""},
    {"DELETE", "/v1/networks/{network}", "/v1/networks/shop", ""},
    {"POST", "/v1/networks/{network}/collect", "/v1/networks/shop/collect",
     R"({"runtime": "mini", "valid": [{"container": "web", "ifname": "eth0"}]})"},
    {"POST", "/v1/networks/{network}/reservations", "/v1/networks/shop/reservations",
     R"({"container": "db", "address": "10.89.0.7"})"},
    {"DELETE", "/v1/networks/{network}/reservations/{address}",
     "/v1/networks/shop/reservations/10.89.0.7", ""},
    {"GET", "/v1/leases", "/v1/leases?network=shop", ""},
    {"DELETE", "/v1/leases/{address}", "/v1/leases/fd89::2", ""},
    {"GET", "/v1/endpoints", "/v1/endpoints?network=shop", ""},
    {"POST", "/v1/endpoints", "/v1/endpoints", kAttachBody},
    {"GET", "/v1/endpoints/{network}/{endpoint}", "/v1/endpoints/shop/e1", ""},
    {"DELETE", "/v1/endpoints/{network}/{endpoint}", "/v1/endpoints/shop/e1", ""},
    {"POST", "/v1/endpoints/{network}/{endpoint}/check", "/v1/endpoints/shop/e1/check",
     R"({"netns": "/run/netns/web", "ifname": "eth0", "addresses": ["10.89.0.2/24"]})"},
    {"POST", "/v1/endpoints/{network}/{endpoint}/ports", "/v1/endpoints/shop/e1/ports",
     kPublishBody},
    {"PATCH", "/v1/endpoints/{network}/{endpoint}/ports", "/v1/endpoints/shop/e1/ports",
     R"({"remove": [{"protocol": "udp", "host_ip": "::1", "host_port": 1, "host_port_end": 9}],
         "add": [{"host_port": 7000, "host_port_end": 7009, "container_port": 7000, "container_port_end": 7009}]})"},
    {"DELETE", "/v1/endpoints/{network}/{endpoint}/ports", "/v1/endpoints/shop/e1/ports", ""},
    {"PUT", "/v1/endpoints/{network}/{endpoint}/labels", "/v1/endpoints/shop/e1/labels",
     R"({"labels": {"role": "web"}})"},
    {"GET", "/v1/ports", "/v1/ports", ""},
    {"GET", "/v1/policies", "/v1/policies", ""},
    {"POST", "/v1/policies", "/v1/policies?dry_run=false",
     R"({"action": "allow", "from": "shop", "to": "github.com", "ports": ["443/tcp"]})"},
    {"GET", "/v1/policies/{policy}", "/v1/policies/3", ""},
    {"DELETE", "/v1/policies/{policy}", "/v1/policies/3", ""},
    {"GET", "/v1/volumes", "/v1/volumes", ""},
    {"POST", "/v1/volumes", "/v1/volumes",
     R"({"name": "data", "options": {"size": "10g"}, "labels": {"team": "a"}})"},
    {"GET", "/v1/volumes/{volume}", "/v1/volumes/data", ""},
    {"DELETE", "/v1/volumes/{volume}", "/v1/volumes/data", ""},
    {"POST", "/v1/volumes/{volume}/mount", "/v1/volumes/data/mount",
     R"({"client": "mini", "id": "web"})"},
    {"POST", "/v1/volumes/{volume}/unmount", "/v1/volumes/data/unmount", R"({"id": "web"})"},
    {"PATCH", "/v1/volumes/{volume}", "/v1/volumes/data",
     R"({"name": "shop", "labels": {"team": null, "tier": "b"}, "size": "20g"})"},
    {"GET", "/v1/volumes/{volume}/usage", "/v1/volumes/data/usage", ""},
    {"POST", "/v1/volumes/{volume}/check", "/v1/volumes/data/check", R"({"repair": true})"},
    {"GET", "/v1/volumes/{volume}/snapshots", "/v1/volumes/data/snapshots", ""},
    {"POST", "/v1/volumes/{volume}/snapshots", "/v1/volumes/data/snapshots",
     R"({"name": "friday", "state": {"x": 1}})"},
    {"GET", "/v1/volumes/{volume}/snapshots/{snapshot}", "/v1/volumes/data/snapshots/monday", ""},
    {"POST", "/v1/volumes/{volume}/snapshots/{snapshot}/mount",
     "/v1/volumes/data/snapshots/monday/mount", R"({"client": "api", "id": "web"})"},
    {"POST", "/v1/volumes/{volume}/snapshots/{snapshot}/unmount",
     "/v1/volumes/data/snapshots/monday/unmount", R"({"client": "api", "id": "web"})"},
    {"DELETE", "/v1/volumes/{volume}/snapshots/{snapshot}", "/v1/volumes/data/snapshots/monday",
     ""},
    {"POST", "/v1/volumes/{volume}/rollback", "/v1/volumes/data/rollback",
     R"({"snapshot": "monday"})"},
    {"GET", "/v1/snapshots", "/v1/snapshots", ""},
    {"GET", "/v1/snapshot-groups", "/v1/snapshot-groups", ""},
    {"POST", "/v1/snapshot-groups", "/v1/snapshot-groups",
     R"({"volumes": "db,files", "name": "friday"})"},
    {"GET", "/v1/snapshot-groups/{group}", "/v1/snapshot-groups/55555555555555555555555555555555",
     ""},
    {"DELETE", "/v1/snapshot-groups/{group}",
     "/v1/snapshot-groups/55555555555555555555555555555555", ""},
    {"POST", "/v1/snapshot-groups/{group}/rollback",
     "/v1/snapshot-groups/55555555555555555555555555555555/rollback", ""},
    {"GET", "/v1/trash", "/v1/trash", ""},
    {"DELETE", "/v1/trash", "/v1/trash", ""},
    {"POST", "/v1/trash/{trashed}/restore", "/v1/trash/old/restore", R"({"as": "again"})"},
    {"DELETE", "/v1/trash/{trashed}", "/v1/trash/old", ""},
    {"GET", "/v1/volume-pools", "/v1/volume-pools", ""},
    {"POST", "/v1/volume-pools", "/v1/volume-pools",
     R"({"name": "fast", "fstype": "xfs", "size": "20g", "device": "/dev/vdb", "overwrite": true})"},
    {"GET", "/v1/volume-pools/{pool}", "/v1/volume-pools/fast", ""},
    {"PATCH", "/v1/volume-pools/{pool}", "/v1/volume-pools/fast", R"({"size": 42949672960})"},
    {"DELETE", "/v1/volume-pools/{pool}", "/v1/volume-pools/fast", ""},
    {"GET", "/v1/jobs", "/v1/jobs", ""},
    {"POST", "/v1/jobs/{job}/stop", "/v1/jobs/j1/stop", ""},
    {"GET", "/v1/cluster", "/v1/cluster", ""},
    {"POST", "/v1/cluster/thaw", "/v1/cluster/thaw", ""},
    {"GET", "/v1/hosts", "/v1/hosts", ""},
    {"DELETE", "/v1/hosts/{host}", "/v1/hosts/node3", ""},
    {"GET", "/v1/events", "/v1/events?since=40&until=now", ""},
    {"GET", "/v1/doctor", "/v1/doctor", ""},
    {"GET", "/v1/status", "/v1/status", ""},
    {"GET", "/v1/version", "/v1/version", ""},
    {"POST", "/v1/reconcile", "/v1/reconcile", ""},
};

class FoundDoctor : public doctor::Doctor {
 public:
  doctor::Diagnosis examine(std::span<const std::string>) override {
    return {.checks = {"mtu", "etcd"},
            .findings = {{.id = "mtu",
                          .severity = doctor::Severity::kWarning,
                          .wrong = "It is too large.",
                          .why = "It does not fit.",
                          .mend = "Make it smaller."}},
            .unseen = {"etcd: it does not answer"}};
  }
  doctor::Diagnosis mend(const doctor::Diagnosis& found, std::span<const std::string>) override {
    return found;
  }
};

class OpenApiAnswers : public ApiTest {
 protected:
  OpenApiAnswers() {
    feed_.put({41, {{41, 1'000, "network", "create", kShopId, "shop", {{"mode", "bridge"}}}}});
    network::Attachment made;
    made.endpoint = web_endpoint();
    ON_CALL(networks_, create_network).WillByDefault(Return(shop_network()));
    network::Network shared = shop_network();
    shared.overlay = {.vni = 4711, .local = IpAddress::parse("10.0.0.1").value()};
    shared.links.shown["parent"] = "eth1";  // of other drivers than the rest
    ON_CALL(networks_, inspect_network).WillByDefault(Return(shared));
    network::cluster::HostInfo info{.id = "3f9a0123456789abcdef0123456789ab",
                                    .name = "node1",
                                    .vtep = IpAddress::parse("10.0.0.1").value(),
                                    .version = "1.2.3"};
    ON_CALL(control_, hosts)
        .WillByDefault(Return(std::vector<network::cluster::Host>{{.info = info, .epoch = 1}}));
    ON_CALL(control_, remove_host)
        .WillByDefault(Return(network::cluster::HostRemoval{.retry_after = 20}));
    ON_CALL(control_, status)
        .WillByDefault(Return(network::cluster::ClusterStatus{
            .cluster = "east",
            .host = info,
            .members = {{.endpoint = "a", .error = "refused"},
                        {.endpoint = "b", .version = "3.5.33", .has_leader = true}},
            .problems = {"a does not answer"}}));
    auto parts = services();
    parts.cluster = &control_;
    parts.doctor = &doctor_;
    handler_ = native::make_native_handler(parts);
    network::Network dockers = plain_network();
    dockers.runtimes = {{dockers.id, "blog_default", "blog"}};
    network::PortHolder named = web_port();
    named.network_title = "blog_default";
    named.names = web_endpoint().names;
    named.port.max_connections = 100;
    ON_CALL(networks_, list_networks)
        .WillByDefault(
            Return(std::vector<network::NetworkUsage>{{shop_network(), 3}, {dockers, 0}}));
    ON_CALL(networks_, attach).WillByDefault(Return(made));
    ON_CALL(networks_, inspect_endpoint).WillByDefault(Return(web_endpoint()));
    ON_CALL(networks_, list_endpoints)
        .WillByDefault(Return(std::vector{web_endpoint(), waiting_endpoint()}));
    ON_CALL(networks_, publish).WillByDefault(Return(web_endpoint().ports));
    ON_CALL(networks_, check).WillByDefault(Return(Status()));
    ON_CALL(networks_, collect).WillByDefault(Return(std::size_t{2}));
    network::PortHolder range = web_port();
    range.port.host_port_end = static_cast<std::uint16_t>(range.port.host_port + 9);
    range.port.max_connections = 5;
    ON_CALL(networks_, change_ports).WillByDefault(Return(std::vector{range.port}));
    ON_CALL(networks_, reserve).WillByDefault(Return(shop_network()));
    ON_CALL(networks_, unreserve).WillByDefault(Return(shop_network()));
    ON_CALL(networks_, release_lease).WillByDefault(Return(Status()));
    ON_CALL(networks_, list_leases)
        .WillByDefault(Return(std::vector<network::AddressLease>{
            {.address = ip("10.89.0.9"),
             .subnet = cidr("10.89.0.0/24"),
             .network_id = shop_network().id,
             .network_name = "shop",
             .holder = "container web of network shop (cni)",
             .endpoint_id = "e1",
             .container = "web",
             .reserved_for = "web",
             .since = 1},
            {.address = ip("10.89.0.1"), .use = network::AddressUse::kGateway}}));
    ON_CALL(networks_, list_ports).WillByDefault(Return(std::vector{named, range}));
    ON_CALL(networks_, list_policies).WillByDefault(Return(std::vector{github_policy()}));
    ON_CALL(networks_, add_policy).WillByDefault(Return(github_policy()));
    ON_CALL(networks_, inspect_policy).WillByDefault(Return(github_policy()));
    ON_CALL(networks_, status).WillByDefault(Return(troubled_status()));
    ON_CALL(networks_, reconcile).WillByDefault(Return(network::ReconcileReport{{"a"}, {"b"}}));
    ON_CALL(volumes_, create).WillByDefault(Return(data_volume()));
    ON_CALL(volumes_, inspect).WillByDefault(Return(data_volume()));
    ON_CALL(volumes_, mount).WillByDefault(Return(data_volume()));
    ON_CALL(volumes_, list).WillByDefault(Return(std::vector{data_volume()}));
    ON_CALL(volumes_, status).WillByDefault(Return(data_status()));
    ON_CALL(volumes_, rename).WillByDefault(Return(data_volume()));
    ON_CALL(volumes_, set_labels).WillByDefault(Return(data_volume()));
    ON_CALL(volumes_, resize).WillByDefault(Return(data_volume()));
    ON_CALL(volumes_, take_snapshot).WillByDefault(Return(monday_snapshot()));
    ON_CALL(volumes_, drop_snapshot).WillByDefault(Return(Status()));
    ON_CALL(volumes_, roll_back).WillByDefault(Return(monday_snapshot()));
    ON_CALL(volumes_, usage).WillByDefault(Return(data_status()));
    ON_CALL(volumes_, inspect_snapshot).WillByDefault(Return(monday_view()));
    ON_CALL(volumes_, mount_snapshot).WillByDefault(Return(monday_view()));
    ON_CALL(volumes_, snapshot_space)
        .WillByDefault(Return(std::map<std::string, std::uint64_t>{{monday_snapshot().id, 4096}}));
    const std::vector<volume::VolumeSnapshot> taken{{data_volume().name, monday_snapshot()}};
    ON_CALL(groups_, members).WillByDefault(Return(std::vector{data_volume().name}));
    ON_CALL(groups_, take).WillByDefault(Return(taken));
    ON_CALL(groups_, drop).WillByDefault(Return(taken));
    ON_CALL(groups_, roll_back).WillByDefault(Return(taken));
    ON_CALL(volumes_, check).WillByDefault(Return(troubled_check()));
    ON_CALL(volumes_, trash).WillByDefault(Return(std::vector{old_volume()}));
    ON_CALL(volumes_, restore_from_trash).WillByDefault(Return(data_volume()));
    ON_CALL(volumes_, empty_trash).WillByDefault(Return(std::size_t{1}));
    ON_CALL(pools_, list).WillByDefault(Return(std::vector{fast_pool()}));
    ON_CALL(pools_, create).WillByDefault(Return(fast_pool()));
    ON_CALL(pools_, inspect).WillByDefault(Return(fast_pool()));
    ON_CALL(pools_, grow).WillByDefault(Return(fast_pool()));
    ON_CALL(jobs_, list).WillByDefault(Return(std::vector{failed_job()}));
    ON_CALL(volumes_, reconcile).WillByDefault(Return(volume::ReconcileReport{{"a"}, {"b"}}));
  }

  static const Json& operation(const Exchange& exchange) {
    return openapi()["paths"][exchange.pattern][lower(exchange.method)];
  }

  void expect_fits(const Exchange& exchange, const http::Response& response) {
    const std::string name =
        exchange.method + " " + exchange.pattern + " -> " + std::to_string(response.status);
    const Json& responses = operation(exchange)["responses"];
    ASSERT_TRUE(responses.contains(std::to_string(response.status))) << name;
    const Json& described = validator_.resolve(responses[std::to_string(response.status)]);
    if (!described.contains("content")) {
      EXPECT_EQ(response.body, "") << name;
      return;
    }
    ASSERT_TRUE(described["content"].contains(response.content_type))
        << name << " " << response.content_type;
    if (response.stream) return expect_lines_fit(name, described, response);
    for (const auto& fault : validator_.violations(
             described["content"][response.content_type]["schema"], parsed(response)))
      ADD_FAILURE() << name << ": " << fault;
  }

  // Each by the schema of the lines, and by that of its own kind.
  void expect_lines_fit(const std::string& name, const Json& described,
                        const http::Response& response) {
    std::istringstream lines(response.stream->pull().bytes);
    int count = 0;
    for (std::string text; std::getline(lines, text); ++count) {
      const Json line = Json::parse(text);
      const char* own = line.contains("action") ? "Event" : "EventMark";
      for (const Json& schema : {described["content"][response.content_type]["schema"],
                                 Json{{"$ref", fmt::format("#/components/schemas/{}", own)}}})
        for (const auto& fault : validator_.violations(schema, line))
          ADD_FAILURE() << name << ": " << fault << ": " << text;
    }
    EXPECT_EQ(count, 3) << "a heartbeat, a change and the end";
  }

  ::testing::NiceMock<MockControl> control_;
  FoundDoctor doctor_;
  SchemaValidator validator_{openapi()};
};

TEST_F(OpenApiAnswers, FitTheirSchemas) {
  std::set<std::string> covered;
  for (const Exchange& exchange : kExchanges) {
    const auto response = send(exchange.method, exchange.target, exchange.body);
    EXPECT_LT(response.status, 300) << exchange.pattern << " " << response.body;
    expect_fits(exchange, response);
    covered.insert(exchange.method + " " + exchange.pattern);
  }
  EXPECT_EQ(covered.size(), native::route_table().size());
}

TEST_F(OpenApiAnswers, ToFailuresFitTheirSchemas) {
  for (const Code code :
       {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kConflict, Code::kInUse,
        Code::kExhausted, Code::kUnsupported, Code::kUnavailable, Code::kIo, Code::kInternal}) {
    ON_CALL(networks_, list_networks).WillByDefault(Return(fail(code, "why")));
    expect_fits(kExchanges[0], send("GET", "/v1/networks"));
  }
  expect_fits(kExchanges[0], send("PUT", "/v1/networks"));
  expect_fits(kExchanges[1], send("POST", "/v1/networks", "{"));
}

TEST_F(OpenApiAnswers, CanFail) {
  Json network = parsed(send("GET", "/v1/networks/shop"));
  const Json schema = {{"$ref", "#/components/schemas/Network"}};
  ASSERT_TRUE(validator_.violations(schema, network).empty());
  network["state"]["mtu"] = "1400";
  network["surprise"] = 1;
  network.erase("labels");
  EXPECT_EQ(validator_.violations(schema, network).size(), 3U);
}

// A property that the schema of an answer has and no answer carries is a lie of the document (or a
// hole of the samples).
TEST_F(OpenApiAnswers, CarryEveryPropertyThatIsDescribed) {
  for (const Exchange& exchange : kExchanges)
    expect_fits(exchange, send(exchange.method, exchange.target, exchange.body));
  for (const std::string name : {"Network",     "Reservation",     "Lease",         "NetworkState",
                                 "Endpoint",    "EndpointState",   "Port",          "PortHolder",
                                 "Rates",       "Route",           "Volume",        "VolumeState",
                                 "MountHint",   "Status",          "Version",       "VolumeUsage",
                                 "CheckReport", "Snapshot",        "SnapshotState", "TrashedVolume",
                                 "VolumePool",  "VolumePoolState", "Job",           "Host",
                                 "HostRemoval", "Cluster",         "Event",         "EventMark",
                                 "Policy",      "PolicyState"}) {
    const std::string ref = "#/components/schemas/" + name;
    const Json& schema = openapi()["components"]["schemas"][name];
    for (const auto& [property, described] : schema["properties"].members())
      EXPECT_TRUE(validator_.seen().contains(ref + "/" + property)) << name << "." << property;
  }
}

TEST_F(OpenApiAnswers, AreMadeFromRequestsThatFitTheirSchemas) {
  for (const Exchange& exchange : kExchanges) {
    const bool described = operation(exchange).contains("requestBody");
    EXPECT_EQ(described, !exchange.body.empty()) << exchange.pattern;
    if (!described) continue;
    const Json& schema =
        operation(exchange)["requestBody"]["content"]["application/json"]["schema"];
    for (const auto& fault : validator_.violations(schema, Json::parse(exchange.body)))
      ADD_FAILURE() << exchange.pattern << ": " << fault;
  }
}

// What the schema of a request allows at its top level is what the decoder knows, and the reverse.
TEST_F(OpenApiAnswers, KnowTheFieldsThatRequestsMayHave) {
  for (const Exchange& exchange : kExchanges) {
    if (exchange.body.empty()) continue;
    const Json& schema = validator_.resolve(
        operation(exchange)["requestBody"]["content"]["application/json"]["schema"]);
    for (const auto& [property, described] : schema["properties"].members()) {
      const auto response =
          send(exchange.method, exchange.target, Json{{property, nullptr}}.dump());
      EXPECT_EQ(response.body.find("is not known"), std::string::npos)
          << exchange.pattern << " " << property;
    }
    EXPECT_NE(send(exchange.method, exchange.target, R"({"surprise": 1})")
                  .body.find("field surprise is not known"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace fairlead::testing
