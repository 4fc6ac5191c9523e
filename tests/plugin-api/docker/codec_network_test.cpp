#include "plugin-api/docker/codec_network.h"

#include <gtest/gtest.h>

#include "tests/plugin-api/docker/values.h"

namespace fairlead::docker::testing {
namespace {

CreateNetworkRequest created(std::string_view rest) {
  auto request = decode_create_network(fmt::format(R"({{"NetworkID":"n1"{}}})", rest));
  EXPECT_TRUE(request) << request.error().text;
  return request.value_or(CreateNetworkRequest{});
}

std::string refused(std::string_view rest) {
  const auto request = decode_create_network(fmt::format(R"({{"NetworkID":"n1"{}}})", rest));
  EXPECT_FALSE(request) << rest;
  return request ? "" : request.error().text;
}

TEST(CreateNetworkCodec, TakesAbsentNullAndEmptyPoolsAlike) {
  const CreateNetworkRequest plain = created("");
  EXPECT_TRUE(plain.ipv4);
  EXPECT_FALSE(plain.ipv6);
  EXPECT_FALSE(plain.internal);
  EXPECT_TRUE(plain.pools.empty());
  EXPECT_EQ(created(R"(,"Options":null,"IPv4Data":null,"IPv6Data":[])"), plain);
  EXPECT_EQ(created(R"(,"Options":{"com.docker.network.generic":null},"IPv4Data":[])"), plain);
}

TEST(CreateNetworkCodec, LeavesOutPoolsThatAreNone) {
  EXPECT_TRUE(created(R"(,"IPv4Data":[{"AddressSpace":"null","Pool":"0.0.0.0/0"}])").pools.empty());
  EXPECT_TRUE(
      created(R"(,"IPv4Data":[{"Pool":"<nil>","Gateway":"<nil>"}],"IPv6Data":[{"Pool":"::/0"}])")
          .pools.empty());
}

TEST(CreateNetworkCodec, ReadsTheSubnetOfAPoolThatMayBeAnyFromItsGateway) {
  const auto request = created(
      R"(,"IPv4Data":[{"AddressSpace":"fairlead-local","Pool":"0.0.0.0/0","Gateway":"10.1.0.1/24"}],)"
      R"("IPv6Data":[{"AddressSpace":"fairlead-local","Pool":"fd00:1::/64","Gateway":"fd00:1::1/64"}])");
  const std::vector<IpamData> expected{
      {"fairlead-local", cidr("10.1.0.0/24"), ip("10.1.0.1"), {}},
      {"fairlead-local", cidr("fd00:1::/64"), ip("fd00:1::1"), {}}};
  EXPECT_EQ(request.pools, expected);
  EXPECT_TRUE(created(R"(,"IPv4Data":[{"Pool":"0.0.0.0/0","Gateway":"0.0.0.0/0"}])").pools.empty());
  EXPECT_TRUE(created(R"(,"IPv4Data":[{"Pool":"<nil>","Gateway":"10.1.0.1/24"}])").pools.empty());
  refused(R"(,"IPv6Data":[{"Pool":"::/0","Gateway":"10.1.0.1/24"}])");
}

TEST(CreateNetworkCodec, ReadsPoolsWithGatewayAndReservedAddresses) {
  const auto request = created(
      R"(,"IPv4Data":[{"AddressSpace":"fairlead-local","Pool":"10.1.0.0/24","Gateway":"10.1.0.1/24",)"
      R"("AuxAddresses":{"router":"10.1.0.5/24","bare":"10.1.0.6","none":"<nil>"}}],)"
      R"("IPv6Data":[{"AddressSpace":"fairlead-local","Pool":"fd00:1::/64"}])");
  const std::vector<IpamData> expected{{"fairlead-local",
                                        cidr("10.1.0.0/24"),
                                        ip("10.1.0.1"),
                                        {{"router", ip("10.1.0.5")}, {"bare", ip("10.1.0.6")}}},
                                       {"fairlead-local", cidr("fd00:1::/64"), {}, {}}};
  EXPECT_EQ(request.pools, expected);
}

TEST(CreateNetworkCodec, ReadsOptionsAndFlags) {
  const auto request = created(
      R"(,"Options":{"com.docker.network.generic":{"mtu":"1400","icc":false},"com.docker.network.enable_ipv4":false,)"
      R"("com.docker.network.enable_ipv6":true,"com.docker.network.internal":true,"com.docker.unknown":[1]})");
  EXPECT_EQ(request.options,
            (std::map<std::string, std::string>{{"mtu", "1400"}, {"icc", "false"}}));
  EXPECT_FALSE(request.ipv4);
  EXPECT_TRUE(request.ipv6);
  EXPECT_TRUE(request.internal);
}

TEST(CreateNetworkCodec, NamesTheFieldThatIsWrong) {
  EXPECT_NE(refused(R"(,"IPv4Data":[{"Pool":"10.1.0.0"}])").find("IPv4Data[0].Pool"),
            std::string::npos);
  EXPECT_NE(refused(R"(,"IPv4Data":[{"Pool":"10.1.0.5/24"}])").find("10.1.0.0/24"),
            std::string::npos);
  EXPECT_NE(refused(R"(,"IPv4Data":[{"Pool":"10.1.0.0/24","Gateway":"x"}])").find("Gateway"),
            std::string::npos);
  EXPECT_NE(refused(R"(,"IPv4Data":[{"Pool":"10.1.0.0/24","AuxAddresses":{"a":"x"}}])")
                .find("AuxAddresses.a"),
            std::string::npos);
  EXPECT_NE(refused(R"(,"IPv4Data":[{"Pool":"fd00::/64"}])").find("not IPv4"), std::string::npos);
  EXPECT_NE(
      refused(R"(,"IPv6Data":[{"Pool":"fd00::/64","Gateway":"10.1.0.1/24"}])").find("not IPv6"),
      std::string::npos);
  EXPECT_NE(refused(R"(,"IPv4Data":{})").find("IPv4Data"), std::string::npos);
  EXPECT_NE(refused(R"(,"Options":[])").find("Options"), std::string::npos);
  EXPECT_NE(refused(R"(,"Options":{"com.docker.network.generic":{"a":{}}})").find("generic.a"),
            std::string::npos);
  EXPECT_NE(refused(R"(,"Options":{"com.docker.network.internal":"maybe"})").find("internal"),
            std::string::npos);
}

TEST(NetworkCodec, TakesOnlyIdsThatCanBeKeys) {
  for (const char* id : {R"("")", R"("a/b")", R"("a b")", R"("..\u0000")", "1", "null"})
    EXPECT_FALSE(decode_network(fmt::format(R"({{"NetworkID":{}}})", id))) << id;
  EXPECT_FALSE(decode_network(fmt::format(R"({{"NetworkID":"{}"}})", std::string(129, 'a'))));
  EXPECT_TRUE(decode_network(fmt::format(R"({{"NetworkID":"{}"}})", std::string(128, 'a'))));
}

TEST(CreateEndpointCodec, ReadsAddressesMacAndTheUsersOptions) {
  const auto request = decode_create_endpoint(
      R"({"NetworkID":"n","EndpointID":"e","Interface":{"Address":"10.1.0.7/24","AddressIPv6":"fd00::7/64",)"
      R"("MacAddress":"02:42:0a:0a:0a:0a"},"Options":{"com.docker.network.endpoint.macaddress":"AkIKCgoK",)"
      R"("com.docker.network.portmap":[],"com.docker.network.endpoint.sysctls":"a=b",)"
      R"("com.docker.network.endpoint.ifname":"foo0","rate_in":"10m"}})");
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->addresses, (std::vector{cidr("10.1.0.7/24"), cidr("fd00::7/64")}));
  EXPECT_EQ(request->mac, mac("02:42:0a:0a:0a:0a"));
  EXPECT_EQ(request->options,
            (std::map<std::string, std::string>{{"com.docker.network.endpoint.ifname", "foo0"},
                                                {"rate_in", "10m"}}));
}

TEST(CreateEndpointCodec, TakesAnInterfaceWithoutAnything) {
  for (const char* rest : {"", R"(,"Interface":null,"Options":null)",
                           R"(,"Interface":{"Address":"","MacAddress":""})"}) {
    const auto request =
        decode_create_endpoint(fmt::format(R"({{"NetworkID":"n","EndpointID":"e"{}}})", rest));
    ASSERT_TRUE(request) << request.error().text;
    EXPECT_TRUE(request->addresses.empty());
    EXPECT_FALSE(request->mac);
  }
}

TEST(CreateEndpointCodec, RefusesAddressesOfTheWrongFamilyAndBadMacs) {
  for (const char* interface : {R"({"Address":"fd00::7/64"})", R"({"AddressIPv6":"10.1.0.7/24"})",
                                R"({"MacAddress":"01:00:5e:00:00:01"})",
                                R"({"Address":"10.1.0.7/33"})", R"({"Address":7})"})
    EXPECT_FALSE(decode_create_endpoint(
        fmt::format(R"({{"NetworkID":"n","EndpointID":"e","Interface":{}}})", interface)))
        << interface;
}

Result<PortsRequest> ports(std::string_view bindings) {
  return decode_ports(fmt::format(
      R"({{"NetworkID":"n","EndpointID":"e","Options":{{"com.docker.network.portmap":[{}]}}}})",
      bindings));
}

TEST(PortsCodec, ReadsEveryFormOfABinding) {
  const auto request = ports(
      R"({"Proto":6,"IP":"","Port":80,"HostIP":"","HostPort":8080,"HostPortEnd":8080},)"
      R"({"Proto":17,"IP":"","Port":53,"HostIP":"127.0.0.1","HostPort":0,"HostPortEnd":0},)"
      R"({"Proto":132,"IP":"","Port":70,"HostIP":"::","HostPort":7000,"HostPortEnd":7005},{"Proto":6,"Port":1})");
  ASSERT_TRUE(request) << request.error().text;
  using network::Proto;
  const std::vector<network::PortSpec> expected{{.proto = Proto::kTcp,
                                                 .host_ip = {},
                                                 .host_port = 8080,
                                                 .host_port_end = 8080,
                                                 .container_port = 80},
                                                {.proto = Proto::kUdp,
                                                 .host_ip = ip("127.0.0.1"),
                                                 .host_port = 0,
                                                 .host_port_end = 0,
                                                 .container_port = 53},
                                                {.proto = Proto::kSctp,
                                                 .host_ip = ip("::"),
                                                 .host_port = 7000,
                                                 .host_port_end = 7005,
                                                 .container_port = 70},
                                                {.proto = Proto::kTcp,
                                                 .host_ip = {},
                                                 .host_port = 0,
                                                 .host_port_end = 0,
                                                 .container_port = 1}};
  EXPECT_EQ(request->ports, expected);
}

TEST(PortsCodec, TakesNoPortsAtAll) {
  for (const char* options : {"null", "{}", R"({"com.docker.network.portmap":null})",
                              R"({"com.docker.network.portmap":[]})"}) {
    const auto request =
        decode_ports(fmt::format(R"({{"NetworkID":"n","EndpointID":"e","Options":{}}})", options));
    ASSERT_TRUE(request) << request.error().text;
    EXPECT_TRUE(request->ports.empty());
  }
}

TEST(PortsCodec, RefusesWhatIsNoPort) {
  for (const char* binding :
       {R"({"Proto":1,"Port":80})", R"({"Proto":6,"Port":0})", R"({"Proto":6,"Port":65536})",
        R"({"Proto":6})", R"({"Port":80})", R"({"Proto":6,"Port":80,"HostPort":-1})",
        R"({"Proto":6,"Port":80,"HostPort":70000})",
        R"({"Proto":6,"Port":80,"HostPort":90,"HostPortEnd":80})",
        R"({"Proto":6,"Port":80,"HostPort":0,"HostPortEnd":80})",
        R"({"Proto":6,"Port":80,"HostIP":"localhost"})", R"({"Proto":6,"Port":80.5})",
        R"("80:80")"})
    EXPECT_FALSE(ports(binding)) << binding;
}

TEST(NetworkCodec, WrongTypesAreRefusedByTheNameOfTheField) {
  const auto message = [](const auto& request) { return request ? "" : request.error().text; };
  for (const auto& [rest, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"("NetworkID":7)", "NetworkID"},
           {R"("NetworkID":"n","IPv4Data":[{},{"AddressSpace":7}])", "IPv4Data[1].AddressSpace"},
           {R"("NetworkID":"n","IPv4Data":[{"Pool":7}])", "IPv4Data[0].Pool"},
           {R"("NetworkID":"n","IPv6Data":[{"Gateway":[]}])", "IPv6Data[0].Gateway"},
           {R"("NetworkID":"n","IPv6Data":[{"AuxAddresses":7}])", "IPv6Data[0].AuxAddresses"},
           {R"("NetworkID":"n","Options":{"com.docker.network.enable_ipv4":7})",
            "Options.com.docker.network.enable_ipv4"},
           {R"("NetworkID":"n","Options":{"com.docker.network.enable_ipv6":[]})",
            "Options.com.docker.network.enable_ipv6"}})
    EXPECT_TRUE(message(decode_create_network(fmt::format("{{{}}}", rest)))
                    .starts_with(fmt::format("field {} must be ", field)))
        << rest;
  for (const auto& [rest, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"("EndpointID":7)", "EndpointID"},
           {R"("EndpointID":"e","Interface":7)", "Interface"},
           {R"("EndpointID":"e","Interface":{"AddressIPv6":7})", "Interface.AddressIPv6"},
           {R"("EndpointID":"e","Interface":{"MacAddress":7})", "Interface.MacAddress"},
           {R"("EndpointID":"e","Options":7)", "Options"}})
    EXPECT_TRUE(message(decode_create_endpoint(fmt::format(R"({{"NetworkID":"n",{}}})", rest)))
                    .starts_with(fmt::format("field {} must be ", field)))
        << rest;
}

TEST(NetworkCodec, GosTextOfNothingIsNothing) {
  const auto request = decode_create_endpoint(
      R"({"NetworkID":"n","EndpointID":"e","Interface":{"Address":"<nil>","AddressIPv6":"","MacAddress":"<nil>"}})");
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(*request, (CreateEndpointRequest{.network_id = "n", .endpoint_id = "e"}));
  EXPECT_FALSE(ports(R"({"Proto":6,"Port":80,"HostIP":"<nil>"})")->ports.at(0).host_ip);
}

TEST(PortsCodec, WrongFieldsAreRefusedByTheirNames) {
  const std::string path = "field Options.com.docker.network.portmap[1].";
  for (const auto& [binding, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"Proto":256,"Port":80})", "Proto must be 0 to 255"},
           {R"({"Proto":1,"Port":80})", "Proto is the IP protocol 1"},
           {R"({"Proto":6,"Port":0})", "Port must be 1 to 65535"},
           {R"({"Proto":6,"Port":80,"HostIP":7})", "HostIP must be a string"},
           {R"({"Proto":6,"Port":80,"HostPort":90,"HostPortEnd":80})", "HostPortEnd is before"},
           {R"({"Proto":6,"Port":80,"HostPortEnd":80})", "HostPort must not be 0"}}) {
    const auto request = ports(fmt::format(R"({{"Proto":6,"Port":1}},{})", binding));
    ASSERT_FALSE(request) << binding;
    EXPECT_TRUE(request.error().text.starts_with(path + field)) << request.error().text;
  }
  EXPECT_EQ(ports(R"({"Proto":1,"Port":80})").error().code, Code::kUnsupported);
}

TEST(NetworkAnswers, HoldOnlyWhatTheRequestLeftOpen) {
  EXPECT_EQ(encode(CreatedInterface{}), R"({"Interface":{}})");
  EXPECT_EQ(encode(CreatedInterface{.addresses = {}, .mac = mac("02:fa:0a:01:00:07")}),
            R"({"Interface":{"MacAddress":"02:fa:0a:01:00:07"}})");
  EXPECT_EQ(
      encode(CreatedInterface{.addresses = {cidr("10.1.0.7/24"), cidr("fd00::7/64")}, .mac = {}}),
      R"({"Interface":{"Address":"10.1.0.7/24","AddressIPv6":"fd00::7/64"}})");
}

TEST(NetworkAnswers, JoinGivesLinkGatewaysAndRoutes) {
  const Joined joined{.source_name = "flc01",
                      .destination_prefix = "eth",
                      .gateways = {ip("10.1.0.1"), ip("fd00::1")},
                      .routes = {{.destination = cidr("10.9.0.0/16"), .via = ip("10.1.0.2")},
                                 {.destination = cidr("10.8.0.1/32"), .via = {}}}};
  EXPECT_EQ(
      encode(joined),
      R"({"Gateway":"10.1.0.1","GatewayIPv6":"fd00::1","InterfaceName":{"DstPrefix":"eth","SrcName":"flc01"},)"
      R"("StaticRoutes":[{"Destination":"10.9.0.0/16","NextHop":"10.1.0.2","RouteType":0},)"
      R"({"Destination":"10.8.0.1/32","RouteType":1}]})");
}

TEST(NetworkAnswers, JoinWithoutGatewayKeepsDockersOwnAway) {
  EXPECT_EQ(
      encode(Joined{.source_name = "flc01",
                    .destination_prefix = "eth",
                    .gateways = {},
                    .routes = {},
                    .disable_gateway_service = true}),
      R"({"DisableGatewayService":true,"InterfaceName":{"DstPrefix":"eth","SrcName":"flc01"},"StaticRoutes":[]})");
}

TEST(NetworkAnswers, OperationalInfoListsPortsOfTheFamilyOfTheirHostAddress) {
  using network::Proto;
  const OperationalInfo info{
      .addresses = {ip("10.1.0.7"), ip("fd00::7")},
      .ports = {{.proto = Proto::kTcp, .host_ip = {}, .host_port = 8080, .container_port = 80},
                {.proto = Proto::kUdp,
                 .host_ip = ip("127.0.0.1"),
                 .host_port = 53,
                 .container_port = 53}}};
  EXPECT_EQ(
      encode(info),
      R"({"Value":{"com.docker.network.portmap":[)"
      R"({"HostIP":"0.0.0.0","HostPort":8080,"HostPortEnd":8080,"IP":"10.1.0.7","Port":80,"Proto":6},)"
      R"({"HostIP":"::","HostPort":8080,"HostPortEnd":8080,"IP":"fd00::7","Port":80,"Proto":6},)"
      R"({"HostIP":"127.0.0.1","HostPort":53,"HostPortEnd":53,"IP":"10.1.0.7","Port":53,"Proto":17}]}})");
  EXPECT_EQ(encode(OperationalInfo{}), R"({"Value":{"com.docker.network.portmap":[]}})");
}

}  // namespace
}  // namespace fairlead::docker::testing
