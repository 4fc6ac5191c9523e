#include "plugin-api/cni/wishes.h"

#include <gtest/gtest.h>

namespace fairlead::cni {
namespace {

Decoded<Wishes> wishes_of(const std::string& text, const std::string& args = "") {
  const auto document = json::parse(text);
  EXPECT_TRUE(document) << text;
  return decode_wishes(*json::Object::of(*document, "", json::Keys::kAnyCase), args,
                       {"shop", "blog"});
}

Decoded<Wishes> runtime(const std::string& text) {
  return wishes_of(R"({"runtimeConfig":)" + text + "}");
}

void expect_refused(const Decoded<Wishes>& wishes, const std::string& message,
                    ErrorCode code = ErrorCode::kConfiguration) {
  ASSERT_FALSE(wishes) << message;
  EXPECT_EQ(wishes.error().code, code);
  EXPECT_NE(wishes.error().message.find(message), std::string::npos) << wishes.error().message;
}

TEST(Wishes, PortsAreReadInAnyCase) {
  for (
      const char* text :
      {R"({"portMappings":[{"HostPort":8080,"ContainerPort":80,"Protocol":"UDP","HostIP":"127.0.0.1"}]})",
       R"({"PORTMAPPINGS":[{"hostport":8080,"containerport":80,"protocol":"udp","hostip":"127.0.0.1"}]})"}) {
    const auto wishes = runtime(text);
    ASSERT_TRUE(wishes);
    const network::PortSpec expected{.proto = network::Proto::kUdp,
                                     .host_ip = *IpAddress::parse("127.0.0.1"),
                                     .host_port = 8080,
                                     .container_port = 80};
    EXPECT_EQ(wishes->ports, std::vector{expected});
  }
}

TEST(Wishes, APortWithoutProtocolIsTcpAndWithoutAddressOnAll) {
  const network::PortSpec expected{.host_port = 8080, .container_port = 80};
  EXPECT_EQ(
      runtime(R"({"portMappings":[{"hostPort":8080,"containerPort":80,"hostIP":""}]})")->ports,
      std::vector{expected});
}

TEST(Wishes, TheSamePortTwiceIsOne) {
  EXPECT_EQ(
      runtime(
          R"({"portMappings":[{"hostPort":1,"containerPort":2},{"hostPort":1,"containerPort":2,"protocol":"tcp"}]})")
          ->ports.size(),
      1U);
}

TEST(Wishes, HostPortZeroIsNoPort) {
  EXPECT_TRUE(
      runtime(R"({"portMappings":[{"hostPort":0,"containerPort":80},{"containerPort":81}]})")
          ->ports.empty());
}

TEST(Wishes, WrongPortsAreRefused) {
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

TEST(Wishes, AddressesComeWithOrWithoutPrefixLength) {
  const auto wishes = runtime(R"({"ips":["10.1.0.5/24","fd00::5"]})");
  EXPECT_EQ(wishes->addresses.at(0).to_string(), "10.1.0.5/24");
  EXPECT_EQ(wishes->addresses.at(1).address().to_string(), "fd00::5");
}

TEST(Wishes, TwoAddressesOfOneFamilyAreRefusedAndTheSameTwiceIsOne) {
  expect_refused(runtime(R"({"ips":["10.1.0.5","10.1.0.6"]})"), "are of one family");
  EXPECT_EQ(runtime(R"({"ips":["10.1.0.5","10.1.0.5/24"]})")->addresses.size(), 1U);
}

TEST(Wishes, RuntimeConfigGoesBeforeArgsAndArgsBeforeCniArgs) {
  const std::string args_cni = R"("args":{"cni":{"ips":["10.1.0.2"],"mac":"02:00:00:00:00:02"}})";
  const std::string cni_args = "IgnoreUnknown=1;IP=10.1.0.3;MAC=02:00:00:00:00:03";
  const auto all = wishes_of(
      R"({"runtimeConfig":{"ips":["10.1.0.1"],"mac":"02:00:00:00:00:01"},)" + args_cni + "}",
      cni_args);
  EXPECT_EQ(all->addresses.at(0).address().to_string(), "10.1.0.1");
  EXPECT_EQ(all->mac->to_string(), "02:00:00:00:00:01");
  const auto two = wishes_of("{" + args_cni + "}", cni_args);
  EXPECT_EQ(two->addresses.at(0).address().to_string(), "10.1.0.2");
  EXPECT_EQ(two->mac->to_string(), "02:00:00:00:00:02");
  const auto one = wishes_of("{}", cni_args);
  EXPECT_EQ(one->addresses.at(0).address().to_string(), "10.1.0.3");
  EXPECT_EQ(one->mac->to_string(), "02:00:00:00:00:03");
}

TEST(Wishes, EmptyValuesLeaveTheWordToTheNextSource) {
  const auto wishes =
      wishes_of(R"({"runtimeConfig":{"ips":[],"mac":""},"args":{"cni":{"ips":[""]}}})",
                "IP=10.1.0.3,fd00::3;");
  EXPECT_EQ(wishes->addresses.size(), 2U);
}

TEST(Wishes, UnknownCniArgsAreIgnoredAndBrokenOnesRefused) {
  EXPECT_TRUE(wishes_of("{}", "K8S_POD_NAME=web;GATEWAY=10.1.0.1;FOO=a=b;"));
  expect_refused(wishes_of("{}", "IgnoreUnknown"), "\"IgnoreUnknown\" is not KEY=VALUE",
                 ErrorCode::kEnvironment);
  expect_refused(wishes_of("{}", "IP=300.1.1.1"), "is not an IP address");
  expect_refused(wishes_of("{}", "MAC=nonsense"), "is not a MAC address");
}

TEST(Wishes, ArgsOfOtherPeopleAreLetThrough) {
  EXPECT_TRUE(wishes_of(R"({"args":"x"})"));
  EXPECT_TRUE(wishes_of(R"({"args":{"cni":7,"other":{}}})"));
}

TEST(Wishes, RatesReachUpTo64Bits) {
  const auto wishes = runtime(
      R"({"bandwidth":{"ingressRate":18446744073709551615,"IngressBurst":4294967295,"egressRate":1000,"egressBurst":0}})");
  EXPECT_EQ(wishes->rates,
            (network::Rates{.in_bits = UINT64_MAX, .out_bits = 1000, .in_burst_bits = 4294967295}));
  EXPECT_FALSE(runtime(R"({"bandwidth":{"ingressRate":0,"ingressBurst":4294967295}})")->rates);
  expect_refused(runtime(R"({"bandwidth":{"ingressRate":-5}})"),
                 "must be a number of bits, not -5");
  expect_refused(runtime(R"({"bandwidth":{"ingressRate":1e99}})"), "must be a number of bits");
  expect_refused(runtime(R"({"bandwidth":[]})"), "must be a JSON object");
}

TEST(Wishes, AliasesAreAListOrSortedByNetwork) {
  EXPECT_EQ(runtime(R"({"aliases":["a","b"]})")->aliases, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(runtime(R"({"aliases":{"other":["x"],"shop":["a"]}})")->aliases,
            std::vector<std::string>{"a"});
  EXPECT_EQ(runtime(R"({"aliases":{"blog":["b"]}})")->aliases, std::vector<std::string>{"b"});
  EXPECT_TRUE(runtime(R"({"aliases":{"other":["x"]}})")->aliases.empty());
  expect_refused(runtime(R"({"aliases":[1]})"), "aliases[0] must be a string");
}

TEST(Wishes, IpRangesAreReadInAnyCase) {
  const auto wishes = runtime(
      R"({"ipRanges":[[{"Subnet":"10.1.0.0/24","RangeStart":"10.1.0.128"}],[{"Subnet":"fd00::/64"}]]})");
  ASSERT_TRUE(wishes) << wishes.error().message;
  EXPECT_EQ(wishes->ranges.at(0).exact.at(0).to_string(), "10.1.0.128/25");
  EXPECT_EQ(wishes->ranges.at(1).subnet.subnet->to_string(), "fd00::/64");
  expect_refused(runtime(R"({"ipRanges":[{}]})"), "must hold arrays");
}

TEST(Wishes, DnsIsTakenInTheCapabilitysWordsAndInTheResults) {
  EXPECT_EQ(
      runtime(R"({"dns":{"Servers":["10.0.0.1"],"Searches":["a.test"],"Options":["ndots:2"]}})")
          ->dns,
      (network::Dns{.nameservers = {"10.0.0.1"}, .search = {"a.test"}, .options = {"ndots:2"}}));
  EXPECT_EQ(runtime(R"({"dns":{"nameservers":["10.0.0.1"]}})")->dns.nameservers,
            std::vector<std::string>{"10.0.0.1"});
}

TEST(Wishes, UnknownCapabilitiesAreIgnored) {
  EXPECT_TRUE(
      runtime(R"({"cgroupPath":"/x","deviceID":7,"io.kubernetes.cri.pod-annotations":{"a":"b"}})"));
  expect_refused(runtime("[]"), "field runtimeConfig must be a JSON object");
}

}  // namespace
}  // namespace fairlead::cni
