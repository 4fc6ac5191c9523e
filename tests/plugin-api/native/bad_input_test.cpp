// Hostile and clumsy requests are refused with a problem document, and reach no service.
#include "tests/plugin-api/native/api_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::StrictMock;

std::string deep(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

struct Bad {
  std::string name, method, target, body;
  int status;
  std::string says;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

// Services that fail the test when they are called at all.
class BadInput : public ::testing::TestWithParam<Bad> {
 protected:
  StrictMock<MockNetworkService> networks_;
  StrictMock<MockVolumeService> volumes_;
  StrictMock<MockVolumePools> pools_;
  StrictMock<MockVolumeJobs> jobs_;
  StrictMock<MockVolumeGroups> groups_;
};

TEST_P(BadInput, IsRefused) {
  const auto handler =
      native::make_native_handler({.networks = networks_,
                                   .volumes = volumes_,
                                   .pools = pools_,
                                   .jobs = jobs_,
                                   .groups = groups_,
                                   .open_netns = [](const std::string&) -> Result<UniqueFd> {
                                     return fail(Code::kInternal, "must not be opened");
                                   },
                                   .version = "1"});
  http::Request request;
  request.method = GetParam().method;
  request.path = GetParam().target.substr(0, GetParam().target.find('?'));
  if (request.path.size() != GetParam().target.size())
    request.query[GetParam().target.substr(request.path.size() + 1)] = "x";
  request.body = GetParam().body;
  const auto response = handler(request);
  EXPECT_EQ(response.status, GetParam().status) << response.body;
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_LT(response.body.size(), 4096U);
  const auto problem = json::parse(response.body);
  ASSERT_TRUE(problem) << response.body;
  EXPECT_NE((*problem)["detail"].get<std::string>().find(GetParam().says), std::string::npos)
      << response.body;
}

const std::string kLong(64 << 10, 'x');
const std::string kAttach = R"("network": "shop", "container": "web", "netns": "/run/netns/web")";

Bad network(std::string name, std::string body, std::string says) {
  return {std::move(name), "POST", "/v1/networks", std::move(body), 400, std::move(says)};
}
Bad attach(std::string name, std::string fields, std::string says) {
  return {std::move(name), "POST", "/v1/endpoints", "{" + kAttach + ", " + fields + "}", 400,
          std::move(says)};
}

std::vector<Bad> bad_inputs() {
  std::vector<Bad> all{
      network("Empty", "", "the JSON is empty"),
      network("NotJson", "name=shop", "not valid JSON"),
      network("Truncated", R"({"name": "sh)", "not valid JSON"),
      network("TrailingText", R"({"name": "shop"} x)", "not valid JSON"),
      network("NotUtf8", "{\"name\": \"sh\xff\"}", "not valid JSON"),
      network("Array", "[]", "must be a JSON object"),
      network("Number", "7", "must be a JSON object"),
      network("Deep", deep(100'000), "nested deeper"),
      network("DeepInLabels", R"({"name": "shop", "labels": )" + deep(63) + "}",
              "field labels must be"),
      network("NoName", "{}", "field name is missing"),
      network("NullName", R"({"name": null})", "field name is missing"),
      network("NumberAsName", R"({"name": 7})", "field name must be a string"),
      network("EmptyName", R"({"name": ""})", "field name"),
      network("LongName", R"({"name": ")" + kLong + "\"}", "1 to 128 characters"),
      network("NulInName", R"({"name": "sh\u0000op"})", "is not a network name"),
      network("PathAsName", R"({"name": "../../etc"})", "is not a network name"),
      network("UnknownField", R"({"name": "shop", "subnet": []})", "did you mean \"subnets\"?"),
      network("LongUnknownField", R"({"name": "shop", ")" + kLong + R"(": 1})",
              "a field of 65536 bytes is not known"),
      network("ShortId", R"({"name": "shop", "id": "abc"})",
              "field id: it must have 64 hex digits"),
      network("UpperCaseId", R"({"name": "shop", "id": ")" + std::string(64, 'A') + "\"}",
              "field id"),
      network("UnknownOption", R"({"name": "shop", "options": {"mut": "1400"}})",
              "did you mean \"mtu\"?"),
      network("OptionAsArray", R"({"name": "shop", "options": {"mtu": [1]}})",
              "field options.mtu must be a string"),
      network("LongOptionKey", R"({"name": "shop", "options": {")" + kLong + R"(": "1"}})",
              "a key must have 1 to 256 bytes"),
      network("NulInLabel", R"({"name": "shop", "labels": {"a": "b\u0000"}})", "NUL"),
      network("EmptyLabelKey", R"({"name": "shop", "labels": {"": "b"}})",
              "a key must have 1 to 256 bytes"),
      network("WordAsBool", R"({"name": "shop", "internal": "perhaps"})",
              "field internal must be true or false"),
      network("SubnetsAsObject", R"({"name": "shop", "subnets": {}})",
              "field subnets must be an array"),
      network("HostBits", R"({"name": "shop", "subnets": [{"subnet": "10.0.0.1/24"}]})",
              "field subnets[0].subnet"),
      network("HugePrefix", R"({"name": "shop", "subnets": [{"subnet": "10.0.0.0/99"}]})",
              "field subnets[0].subnet"),
      network("GatewayIsNoIp", R"({"name": "shop", "subnets": [{"gateway": "x"}]})",
              "field subnets[0].gateway"),
      network("AuxIsNoIp", R"({"name": "shop", "subnets": [{"aux": {"a": "x"}}]})",
              "field subnets[0].aux"),
      network("UnknownFieldInSubnet", R"({"name": "shop", "subnets": [{"gatway": "10.0.0.1"}]})",
              "did you mean \"gateway\"?"),
      network("UnknownFamily", R"({"name": "shop", "subnets": [{"family": "ipx"}]})",
              "ipv4 or ipv6"),
      network("OtherFamily",
              R"({"name": "shop", "subnets": [{"family": "ipv6", "subnet": "10.0.0.0/24"}]})",
              "does not fit"),
      network("UnknownAddressSource", R"({"name": "shop", "address_source": "dhcp"})",
              "fairlead, runtime or plugin"),
      {"NoNetwork", "POST", "/v1/endpoints", R"({"container": "web", "pid": 1})", 400,
       "field network is missing"},
      {"NoContainer", "POST", "/v1/endpoints", R"({"network": "shop", "pid": 1})", 400,
       "field container is missing"},
      {"NoNamespace", "POST", "/v1/endpoints", R"({"network": "shop", "container": "web"})", 400,
       "field netns (a path) or pid"},
      {"PidZero", "POST", "/v1/endpoints", R"({"network": "shop", "container": "web", "pid": 0})",
       400, "field pid must be 1 to"},
      {"RelativeNetns", "POST", "/v1/endpoints",
       R"({"network": "shop", "container": "web", "netns": "ns/a"})", 400, "absolute path"},
      {"NulInNetns", "POST", "/v1/endpoints",
       R"({"network": "shop", "container": "web", "netns": "/a\u0000b"})", 400, "absolute path"},
      {"NothingToChange", "PATCH", "/v1/volumes/data", "{}", 400, "nothing to change"},
      {"SizeZero", "PATCH", "/v1/volumes/data", R"({"size": 0})", 400, "field size must be 1 to"},
      {"SizeIsNoSize", "PATCH", "/v1/volumes/data", R"({"size": "large"})", 400, "field size"},
      {"LabelAsNumberList", "PATCH", "/v1/volumes/data", R"({"labels": {"a": [1]}})", 400,
       "labels.a"},
      {"PathAsNewName", "PATCH", "/v1/volumes/data", R"({"name": "../x"})", 400, "field name"},
      {"SnapshotAsPath", "POST", "/v1/volumes/data/snapshots", R"({"name": "a/b"})", 400,
       "field name"},
      {"SnapshotInPath", "DELETE", "/v1/volumes/data/snapshots/..%2Fx", "", 400, "in the path"},
      {"GroupOfNothing", "POST", "/v1/snapshot-groups", "{}", 400, "field volumes is missing"},
      {"GroupOfAList", "POST", "/v1/snapshot-groups", R"({"volumes": ["db"]})", 400,
       "field volumes must be a string"},
      {"GroupOfABadName", "POST", "/v1/snapshot-groups", R"({"volumes": "db", "name": "../x"})",
       400, "field name"},
      {"GroupByAPath", "DELETE", "/v1/snapshot-groups/%2e%2e%2fx", "", 400, "{group} in the path"},
      {"RollbackToNothing", "POST", "/v1/volumes/data/rollback", "{}", 400,
       "field snapshot is missing"},
      {"RepairAsWord", "POST", "/v1/volumes/data/check", R"({"repair": "perhaps"})", 400,
       "field repair"},
      {"PoolWithoutAName", "POST", "/v1/volume-pools", R"({"size": "1g"})", 400,
       "field name is missing"},
      {"TrashAsAPath", "POST", "/v1/trash/old/restore", R"({"as": "/etc"})", 400, "field as"},
      attach("NetnsAndPid", R"("pid": 7)", "exclude each other"),
      attach("SlashInId", R"("id": "a/b")", "field id"),
      attach("LongIfname", R"("ifname": "abcdefghijklmnop")", "field ifname"),
      attach("AddressIsNoCidr", R"("addresses": ["10.0.0.1/x"])", "field addresses[0]"),
      attach("AddressesAsString", R"("addresses": "10.0.0.1")", "field addresses must be an array"),
      attach("MulticastMac", R"("mac": "01:00:5e:00:00:01")", "field mac"),
      attach("PortZero", R"("ports": [{"container_port": 0}])",
             "field ports[0].container_port must be 1 to 65535"),
      attach("PortTooHigh", R"("ports": [{"container_port": 80, "host_port": 65536}])",
             "field ports[0].host_port"),
      attach("NoConnections", R"("ports": [{"container_port": 80, "max_connections": 0}])",
             "field ports[0].max_connections must be 1 to 1000000"),
      attach("LessThanNoConnections", R"("ports": [{"container_port": 80, "max_connections": -1}])",
             "field ports[0].max_connections must be 1 to 1000000"),
      attach("ConnectionsOf33Bits",
             R"("ports": [{"container_port": 80, "max_connections": 4294967296}])",
             "field ports[0].max_connections must be 1 to 1000000"),
      attach("ConnectionsAsText", R"("ports": [{"container_port": 80, "max_connections": "5"}])",
             "field ports[0].max_connections"),
      attach("PortAsText", R"("ports": ["8080:80"])", "field ports[0] must be a JSON object"),
      attach("PortRangeBackwards",
             R"("ports": [{"container_port": 80, "host_port": 9, "host_port_end": 8}])",
             "lies before host_port"),
      attach("UnknownProtocol", R"("ports": [{"container_port": 80, "protocol": "icmp"}])",
             "tcp, udp or sctp"),
      attach("NegativeRate", R"("rates": {"in_bits": -1})", "field rates.in_bits"),
      attach("HugeRate", R"("rates": {"in_bits": 18446744073709551615})", "field rates.in_bits"),
      attach("UnknownRate", R"("rates": {"in_bit": 1})", "did you mean \"in_bits\"?"),
      attach("RouteWithoutDestination", R"("routes": [{"via": "10.0.0.1"}])",
             "field routes[0].destination is missing"),
      attach("BadAlias", R"("aliases": ["a b"])", "field aliases[0]"),
      attach("UnknownField", R"("labelling": {})", "field labelling is not known"),
      {"PolicyOfNoAction", "POST", "/v1/policies",
       R"({"action": "reject", "from": "shop", "to": "any"})", 400, "neither allow nor deny"},
      {"PolicyToAWildcard", "POST", "/v1/policies",
       R"({"action": "allow", "from": "shop", "to": "*.example.org"})", 501, "name each host"},
      {"PolicyOfNoPort", "POST", "/v1/policies",
       R"({"action": "allow", "from": "shop", "to": "any", "ports": ["http"]})", 400, "is no port"},
      {"PolicyWithoutAnEnd", "POST", "/v1/policies", R"({"action": "allow", "from": "shop"})", 400,
       "field to is missing"},
      {"LabelsThatAreNone", "PUT", "/v1/endpoints/shop/e1/labels", R"({"labels": {"a": [1]}})", 400,
       "labels.a"},
      {"NoPorts", "POST", "/v1/endpoints/shop/e1/ports", "{}", 400, "field ports is missing"},
      {"ShortVolumeName", "POST", "/v1/volumes", R"({"name": "d"})", 400, "2 to 128 characters"},
      {"UnknownVolumeField", "POST", "/v1/volumes", R"({"name": "data", "driver": "x"})", 400,
       "field driver is not known"},
      {"MountWithoutId", "POST", "/v1/volumes/data/mount", "{}", 400, "field id is missing"},
      {"MountWithSlash", "POST", "/v1/volumes/data/mount", R"({"id": "../x"})", 400, "field id"},
      {"ReconcileWithField", "POST", "/v1/reconcile", R"({"dry_run": true})", 400,
       "field dry_run is not known"},
      {"ReconcileWithNoise", "POST", "/v1/reconcile", "x", 400, "not valid JSON"},
      {"UnknownQuery", "GET", "/v1/networks?name", "", 400,
       "query parameter \"name\" is not known"},
      {"MisspeltQuery", "GET", "/v1/endpoints?netwrk", "", 400, "did you mean \"network\"?"},
      {"LongQuery", "GET", "/v1/networks?" + kLong, "", 400, "is not known"},
      {"BrokenPercent", "GET", "/v1/networks/a%2", "", 400, "percent-encoded"},
      {"NoHexPercent", "GET", "/v1/networks/a%zz", "", 400, "percent-encoded"},
      {"NulInPath", "GET", "/v1/networks/a%00b", "", 400, "{network} in the path"},
      {"SlashInPath", "DELETE", "/v1/volumes/..%2f..%2fetc", "", 400, "{volume} in the path"},
      {"LongPath", "DELETE", "/v1/networks/" + kLong, "", 400, "{network} in the path"},
      {"NoSuchPath", "GET", "/v2/networks", "", 404, "there is no such path"},
      {"TrailingSlash", "GET", "/v1/networks/", "", 404, "there is no such path"},
      {"TooDeepPath", "GET", "/v1/networks/shop/endpoints", "", 404, "there is no such path"},
      {"EmptyPath", "GET", "", "", 404, "there is no such path"},
      {"Root", "GET", "/", "", 404, "there is no such path"},
      {"AbsoluteForm", "GET", "http://x/v1/networks", "", 404, "there is no such path"},
  };
  for (const char* verb : {"PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "", "BREW"})
    all.push_back({"Verb" + std::string(verb == std::string("get") ? "Lower" : verb), verb,
                   "/v1/networks", "", 405, "GET, POST only"});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Api, BadInput, ::testing::ValuesIn(bad_inputs()), [](const auto& bad) {
  return fmt::format("{}_{}", bad.param.name, bad.index);
});

using Methods = ApiTest;

TEST_F(Methods, OthersAreToldWhichAreAllowed) {
  EXPECT_EQ(send("PUT", "/v1/networks").headers.at("Allow"), "GET, POST");
  EXPECT_EQ(send("PATCH", "/v1/networks/shop").headers.at("Allow"), "GET, DELETE");
  EXPECT_EQ(send("GET", "/v1/reconcile").headers.at("Allow"), "POST");
  EXPECT_EQ(send("GET", "/v1/endpoints/shop/e1/ports").headers.at("Allow"), "POST, PATCH, DELETE");
}

}  // namespace
}  // namespace fairlead::testing
