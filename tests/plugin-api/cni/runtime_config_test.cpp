#include "plugin-api/cni/runtime_config.h"

#include <gtest/gtest.h>

namespace fairlead::cni {
namespace {

Decoded<RuntimeConfig> runtime_config_of(const std::string& text, const std::string& args = "") {
  const auto document = json::parse(text);
  EXPECT_TRUE(document) << text;
  return decode_runtime_config(*json::Object::of(*document, "", json::Keys::kAnyCase), args,
                               {"shop", "blog"});
}

Decoded<RuntimeConfig> runtime(const std::string& text) {
  return runtime_config_of(R"({"runtimeConfig":)" + text + "}");
}

void expect_refused(const Decoded<RuntimeConfig>& runtime_config, const std::string& message,
                    ErrorCode code = ErrorCode::kConfiguration) {
  ASSERT_FALSE(runtime_config) << message;
  EXPECT_EQ(runtime_config.error().code, code);
  EXPECT_NE(runtime_config.error().message.find(message), std::string::npos)
      << runtime_config.error().message;
}

TEST(RuntimeConfig, PortsAreReadInAnyCase) {
  for (
      const char* text :
      {R"({"portMappings":[{"HostPort":8080,"ContainerPort":80,"Protocol":"UDP","HostIP":"127.0.0.1"}]})",
       R"({"PORTMAPPINGS":[{"hostport":8080,"containerport":80,"protocol":"udp","hostip":"127.0.0.1"}]})"}) {
    const auto runtime_config = runtime(text);
    ASSERT_TRUE(runtime_config);
    const network::PortSpec expected{.proto = network::Proto::kUdp,
                                     .host_ip = *IpAddress::parse("127.0.0.1"),
                                     .host_port = 8080,
                                     .container_port = 80};
    EXPECT_EQ(runtime_config->ports, std::vector{expected});
  }
}

TEST(RuntimeConfig, APortWithoutProtocolIsTcpAndWithoutAddressOnAll) {
  const network::PortSpec expected{.host_port = 8080, .container_port = 80};
  EXPECT_EQ(
      runtime(R"({"portMappings":[{"hostPort":8080,"containerPort":80,"hostIP":""}]})")->ports,
      std::vector{expected});
}

TEST(RuntimeConfig, TheSamePortTwiceIsOne) {
  EXPECT_EQ(
      runtime(
          R"({"portMappings":[{"hostPort":1,"containerPort":2},{"hostPort":1,"containerPort":2,"protocol":"tcp"}]})")
          ->ports.size(),
      1U);
}

TEST(RuntimeConfig, HostPortZeroIsNoPort) {
  EXPECT_TRUE(
      runtime(R"({"portMappings":[{"hostPort":0,"containerPort":80},{"containerPort":81}]})")
          ->ports.empty());
}

TEST(RuntimeConfig, WrongPortsAreRefused) {
  expect_refused(runtime(R"({"portMappings":[{"hostPort":70000,"containerPort":80}]})"),
                 "runtimeConfig.portMappings[0].hostPort must be 0 to 65535");
  expect_refused(runtime(R"({"portMappings":[{"hostPort":-1,"containerPort":80}]})"), "hostPort");
  expect_refused(runtime(R"({"portMappings":[{"hostPort":80}]})"), "containerPort is missing");
  expect_refused(runtime(R"({"portMappings":[{"hostPort":80,"containerPort":0}]})"),
                 "containerPort");
  expect_refused(runtime(R"({"portMappings":[{"hostPort":"80","containerPort":80}]})"),
                 "must be an integer, not string");
  expect_refused(
      runtime(R"({"portMappings":[{"hostPort":80,"containerPort":80,"protocol":"icmp"}]})"),
      "icmp");
  expect_refused(runtime(R"({"portMappings":[{"hostPort":80,"containerPort":80,"hostIP":"x"}]})"),
                 "is not an IP address");
  expect_refused(runtime(R"({"portMappings":{}})"), "must be an array");
}

TEST(RuntimeConfig, WrongFieldsAreRefusedByTheirNames) {
  const auto mapping = [](const std::string& rest) {
    return runtime(R"({"portMappings":[{"hostPort":1,"containerPort":1},{"hostPort":80,)" + rest +
                   "}]}");
  };
  const std::string path = "field runtimeConfig.portMappings[1].";
  expect_refused(mapping(R"("containerPort":80,"protocol":"icmp")"), path + "protocol: ");
  expect_refused(mapping(R"("containerPort":80,"protocol":7)"), path + "protocol must be a string");
  expect_refused(mapping(R"("containerPort":80,"hostIP":"x")"), path + "hostIP: ");
  expect_refused(mapping(R"("containerPort":80,"hostIP":7)"), path + "hostIP must be a string");
  expect_refused(runtime(R"({"portMappings":7})"),
                 "field runtimeConfig.portMappings must be an array of objects, not number");
  for (const char* key : {"ingressRate", "ingressBurst", "egressRate", "egressBurst"})
    expect_refused(runtime(fmt::format(R"({{"bandwidth":{{"{}":"1"}}}})", key)),
                   fmt::format("field runtimeConfig.bandwidth.{} must be a number of bits", key));
  for (const char* key : {"servers", "searches", "options", "nameservers", "search"})
    expect_refused(runtime(fmt::format(R"({{"dns":{{"{}":7}}}})", key)),
                   fmt::format("field runtimeConfig.dns.{} must be an array of strings", key));
  expect_refused(runtime(R"({"ips":7})"), "field runtimeConfig.ips must be an array of strings");
  expect_refused(runtime(R"({"mac":7})"), "field runtimeConfig.mac must be a string");
}

TEST(RuntimeConfig, WhatIsNoPortIsNotLookedAt) {
  EXPECT_TRUE(runtime(R"({"portMappings":[{"hostPort":0,"containerPort":-1,"protocol":"icmp"}]})")
                  ->ports.empty());
}

TEST(RuntimeConfig, AddressesComeWithOrWithoutPrefixLength) {
  const auto runtime_config = runtime(R"({"ips":["10.1.0.5/24","fd00::5"]})");
  EXPECT_EQ(runtime_config->addresses.at(0).to_string(), "10.1.0.5/24");
  EXPECT_EQ(runtime_config->addresses.at(1).address().to_string(), "fd00::5");
}

TEST(RuntimeConfig, AddressesOfOneFamilyAreTakenAndTheSameTwiceIsOne) {
  EXPECT_EQ(runtime(R"({"ips":["10.1.0.5","10.1.0.6"]})")->addresses.size(), 2U);
  EXPECT_EQ(runtime(R"({"ips":["10.1.0.5","10.1.0.5/24"]})")->addresses.size(), 1U);
}

TEST(RuntimeConfig, APodIsKnownByItsNameAndByThatOfItsNamespace) {
  const auto pod = runtime_config_of(
      "{}", "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=7");
  EXPECT_EQ(pod->known_as, (std::vector<std::string>{"web-0", "shop/web-0"}));
  EXPECT_TRUE(runtime_config_of("{}", "K8S_POD_NAMESPACE=shop")->known_as.empty());
}

TEST(RuntimeConfig, RuntimeConfigGoesBeforeArgsAndArgsBeforeCniArgs) {
  const std::string args_cni = R"("args":{"cni":{"ips":["10.1.0.2"],"mac":"02:00:00:00:00:02"}})";
  const std::string cni_args = "IgnoreUnknown=1;IP=10.1.0.3;MAC=02:00:00:00:00:03";
  const auto all = runtime_config_of(
      R"({"runtimeConfig":{"ips":["10.1.0.1"],"mac":"02:00:00:00:00:01"},)" + args_cni + "}",
      cni_args);
  EXPECT_EQ(all->addresses.at(0).address().to_string(), "10.1.0.1");
  EXPECT_EQ(all->mac->to_string(), "02:00:00:00:00:01");
  const auto two = runtime_config_of("{" + args_cni + "}", cni_args);
  EXPECT_EQ(two->addresses.at(0).address().to_string(), "10.1.0.2");
  EXPECT_EQ(two->mac->to_string(), "02:00:00:00:00:02");
  const auto one = runtime_config_of("{}", cni_args);
  EXPECT_EQ(one->addresses.at(0).address().to_string(), "10.1.0.3");
  EXPECT_EQ(one->mac->to_string(), "02:00:00:00:00:03");
}

TEST(RuntimeConfig, EmptyValuesLeaveTheWordToTheNextSource) {
  const auto runtime_config =
      runtime_config_of(R"({"runtimeConfig":{"ips":[],"mac":""},"args":{"cni":{"ips":[""]}}})",
                        "IP=10.1.0.3,fd00::3;");
  EXPECT_EQ(runtime_config->addresses.size(), 2U);
}

TEST(RuntimeConfig, UnknownCniArgsAreIgnoredAndBrokenOnesRefused) {
  EXPECT_TRUE(runtime_config_of("{}", "K8S_POD_NAME=web;GATEWAY=10.1.0.1;FOO=a=b;"));
  expect_refused(runtime_config_of("{}", "IgnoreUnknown"), "\"IgnoreUnknown\" is not KEY=VALUE",
                 ErrorCode::kEnvironment);
  expect_refused(runtime_config_of("{}", "IP=300.1.1.1"), "is not an IP address");
  expect_refused(runtime_config_of("{}", "MAC=nonsense"), "is not a MAC address");
}

TEST(RuntimeConfig, ArgsOfOtherPeopleAreLetThrough) {
  EXPECT_TRUE(runtime_config_of(R"({"args":"x"})"));
  EXPECT_TRUE(runtime_config_of(R"({"args":{"cni":7,"other":{}}})"));
}

TEST(RuntimeConfig, RatesReachUpTo64Bits) {
  const auto runtime_config = runtime(
      R"({"bandwidth":{"ingressRate":18446744073709551615,"IngressBurst":4294967295,"egressRate":1000,"egressBurst":0}})");
  EXPECT_EQ(runtime_config->rates,
            (network::Rates{.in_bits = UINT64_MAX, .out_bits = 1000, .in_burst_bits = 4294967295}));
  EXPECT_FALSE(runtime(R"({"bandwidth":{"ingressRate":0,"ingressBurst":4294967295}})")->rates);
  expect_refused(runtime(R"({"bandwidth":{"ingressRate":-5}})"),
                 "must be a number of bits, not -5");
  expect_refused(runtime(R"({"bandwidth":{"ingressRate":1e99}})"), "must be a number of bits");
  expect_refused(runtime(R"({"bandwidth":[]})"), "must be a JSON object");
}

TEST(RuntimeConfig, AliasesAreAListOrSortedByNetwork) {
  EXPECT_EQ(runtime(R"({"aliases":["a","b"]})")->aliases, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(runtime(R"({"aliases":{"other":["x"],"shop":["a"]}})")->aliases,
            std::vector<std::string>{"a"});
  EXPECT_EQ(runtime(R"({"aliases":{"blog":["b"]}})")->aliases, std::vector<std::string>{"b"});
  EXPECT_TRUE(runtime(R"({"aliases":{"other":["x"]}})")->aliases.empty());
  expect_refused(runtime(R"({"aliases":[1]})"), "aliases[0] must be a string");
}

TEST(RuntimeConfig, LabelsAreThoseOfTheConventions) {
  const auto labelled = [](const std::string& labels) {
    return runtime_config_of(R"({"args":{"cni":{"labels":)" + labels + "}}}");
  };
  const std::map<std::string, std::string> both{{"role", "web"}, {"tier", "gold"}};
  EXPECT_EQ(labelled(R"([{"key":"role","value":"web"},{"key":"tier","value":"gold"}])")->labels,
            both);
  EXPECT_TRUE(labelled("[]")->labels.empty());
  EXPECT_FALSE(labelled(R"([{"key":"role"}])"));
  EXPECT_FALSE(labelled("5"));
}

// Kubernetes names the pod and its namespace, Podman its container in the same words.
TEST(RuntimeConfig, APodIsNamedAndABadNameIsNone) {
  const auto named = [](const std::string& args) { return runtime_config_of("{}", args)->name; };
  EXPECT_EQ(named("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0"), "default/web-0");
  EXPECT_EQ(named("IgnoreUnknown=1;K8S_POD_NAME=web_1.x"), "web_1.x");
  EXPECT_EQ(named("K8S_POD_NAMESPACE=default"), "");
  EXPECT_EQ(named("K8S_POD_NAME=a/b"), "");
  EXPECT_EQ(named("K8S_POD_NAME=a b;K8S_POD_NAMESPACE=default"), "");
  EXPECT_EQ(named("K8S_POD_NAMESPACE=../x;K8S_POD_NAME=web"), "web");
  EXPECT_EQ(named("K8S_POD_NAME=" + std::string(254, 'a')), "");
}

TEST(RuntimeConfig, IpRangesAreReadInAnyCase) {
  const auto runtime_config = runtime(
      R"({"ipRanges":[[{"Subnet":"10.1.0.0/24","RangeStart":"10.1.0.128"}],[{"Subnet":"fd00::/64"}]]})");
  ASSERT_TRUE(runtime_config) << runtime_config.error().message;
  EXPECT_EQ(runtime_config->ranges.at(0).at(0).exact.at(0).to_string(), "10.1.0.128/25");
  EXPECT_EQ(runtime_config->ranges.at(1).at(0).subnet.subnet->to_string(), "fd00::/64");
  expect_refused(runtime(R"({"ipRanges":[{}]})"), "must hold arrays");
}

TEST(RuntimeConfig, DnsIsTakenInTheCapabilitysWordsAndInTheResults) {
  EXPECT_EQ(
      runtime(R"({"dns":{"Servers":["10.0.0.1"],"Searches":["a.test"],"Options":["ndots:2"]}})")
          ->dns,
      (network::Dns{.nameservers = {"10.0.0.1"}, .search = {"a.test"}, .options = {"ndots:2"}}));
  EXPECT_EQ(runtime(R"({"dns":{"nameservers":["10.0.0.1"]}})")->dns.nameservers,
            std::vector<std::string>{"10.0.0.1"});
}

TEST(RuntimeConfig, UnknownCapabilitiesAreIgnored) {
  EXPECT_TRUE(
      runtime(R"({"cgroupPath":"/x","deviceID":7,"io.kubernetes.cri.pod-annotations":{"a":"b"}})"));
  expect_refused(runtime("[]"), "field runtimeConfig must be a JSON object");
}

}  // namespace
}  // namespace fairlead::cni
