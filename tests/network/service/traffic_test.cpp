#include "network/service/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/nat/traffic.h"
#include "tests/support/fake_firewall.h"
#include "tests/support/mock_services.h"

namespace fairlead::network {
namespace {

using ::testing::NiceMock;
using ::testing::Return;

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

class FixedCounters : public kernel::ElementCounters {
 public:
  using Sets = std::map<std::string, std::vector<kernel::CountedElement>, std::less<>>;
  explicit FixedCounters(const Sets& sets) : sets_(sets) {}

  Result<std::vector<kernel::CountedElement>> read(std::string_view set, unsigned) override {
    const auto found = sets_.find(set);
    if (found == sets_.end()) return fail(Code::kNotFound, "no set {}", set);
    return found->second;
  }

 private:
  const Sets& sets_;
};

class Traffic : public ::testing::Test {
 protected:
  Traffic() {
    Network shop;
    shop.id = "1";
    shop.name = NetworkName::parse("shop").value();
    ON_CALL(networks_, list_networks()).WillByDefault(Return(std::vector<NetworkUsage>{{shop, 1}}));
    for (const auto way : {nat::TrafficWay::kIn, nat::TrafficWay::kOut})
      for (const Family family : {Family::kV4, Family::kV6})
        sets_[std::string(nat::traffic_set(way, family))];
    reader_ = make_traffic_reader({.networks = networks_,
                                   .read_links =
                                       [this](std::span<const std::string> names) {
                                         asked_.assign(names.begin(), names.end());
                                         return Result<std::map<std::string, kernel::LinkTraffic>>(
                                             links_);
                                       },
                                   .counters = std::make_unique<FixedCounters>(sets_),
                                   .firewall = firewall_});
    EXPECT_TRUE(
        firewall_.run("table inet fairlead {\n\tset counted {\n\t\ttype nf_proto\n\t}\n}\n"));
  }

  void has(std::vector<Endpoint> endpoints) {
    ON_CALL(networks_, list_endpoints).WillByDefault(Return(std::move(endpoints)));
  }

  static Endpoint web() {
    Endpoint endpoint;
    endpoint.id = "e1";
    endpoint.network_id = "1";
    endpoint.container = "c1";
    endpoint.names.name = "web";
    endpoint.addresses = {Cidr::of(ip("10.1.0.2"), 24), Cidr::of(ip("fd00::2"), 64)};
    endpoint.links.shown["host_ifname"] = "flh1";
    return endpoint;
  }

  void counts(nat::TrafficWay way, const char* address, std::uint16_t port, std::uint64_t bytes) {
    sets_[std::string(nat::traffic_set(way, ip(address).family()))].push_back(
        {.key = kernel::ElementBytes().proto(6).address(ip(address)).port(port),
         .packets = 1,
         .bytes = bytes});
  }

  NiceMock<testing::MockNetworkService> networks_;
  FixedCounters::Sets sets_;
  std::map<std::string, kernel::LinkTraffic> links_{
      {"flh1",
       {.rx_packets = 1, .rx_bytes = 10, .rx_dropped = 5, .tx_packets = 2, .tx_bytes = 20}}};
  std::vector<std::string> asked_;
  testing::FakeFirewall firewall_;
  std::unique_ptr<TrafficReader> reader_;
};

TEST_F(Traffic, TheFirstLookSwitchesThePortsOn) {
  has({web()});
  EXPECT_TRUE(firewall_.elements("counted")->empty());
  for (int i = 0; i < 2; ++i) {
    const auto report = reader_->read();
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_TRUE(report->counts_ports);
    EXPECT_EQ(firewall_.elements("counted")->size(), 2U);
  }
}

TEST_F(Traffic, WhatTheHostsSideSendsTheContainerReceives) {
  has({web()});
  const auto report = reader_->read();
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(asked_, std::vector<std::string>{"flh1"});
  ASSERT_EQ(report->endpoints.size(), 1U);
  const EndpointTraffic& traffic = report->endpoints.front();
  EXPECT_EQ(traffic.network, "shop");
  EXPECT_EQ(traffic.container, "web");
  EXPECT_EQ(traffic.in, (TrafficCount{2, 20}));
  EXPECT_EQ(traffic.out, (TrafficCount{1, 10}));
  EXPECT_EQ(traffic.dropped_out, 5U);
}

TEST_F(Traffic, APortCountsBothFamiliesAndOnceForTwoHostPorts) {
  Endpoint endpoint = web();
  endpoint.ports = {{.host_port = 8080, .container_port = 80},
                    {.host_port = 8081, .container_port = 80}};
  has({endpoint});
  counts(nat::TrafficWay::kIn, "10.1.0.2", 80, 100);
  counts(nat::TrafficWay::kIn, "fd00::2", 80, 1000);
  counts(nat::TrafficWay::kOut, "10.1.0.2", 80, 7);
  counts(nat::TrafficWay::kIn, "10.1.0.2", 81, 1);  // not published any more
  counts(nat::TrafficWay::kIn, "10.1.0.3", 80, 1);  // somebody else's
  const auto report = reader_->read();
  ASSERT_TRUE(report) << report.error().text;
  ASSERT_EQ(report->endpoints.front().ports.size(), 1U);
  const PortTraffic& port = report->endpoints.front().ports.front();
  EXPECT_EQ(port.container_port, 80);
  EXPECT_EQ(port.in.bytes, 1100U);
  EXPECT_EQ(port.out.bytes, 7U);
}

TEST_F(Traffic, OfARangeThePortsThatHaveTrafficAreThere) {
  Endpoint endpoint = web();
  endpoint.ports = {{.host_port = 1000, .container_port = 2000, .host_port_end = 40000}};
  has({endpoint});
  counts(nat::TrafficWay::kIn, "10.1.0.2", 2000, 1);
  counts(nat::TrafficWay::kIn, "10.1.0.2", 41000, 2);
  counts(nat::TrafficWay::kIn, "10.1.0.2", 41001, 3);  // behind it
  counts(nat::TrafficWay::kIn, "10.1.0.2", 1999, 4);   // before it
  const auto report = reader_->read();
  ASSERT_TRUE(report) << report.error().text;
  std::vector<std::uint16_t> ports;
  for (const PortTraffic& port : report->endpoints.front().ports)
    ports.push_back(port.container_port);
  EXPECT_EQ(ports, (std::vector<std::uint16_t>{2000, 41000}));
}

TEST_F(Traffic, WithoutLinkInTheHostAnEndpointIsLeftOut) {
  Endpoint other = web();
  other.links.shown["host_ifname"] = "flh2";
  Endpoint macvlan = web();
  macvlan.links.shown.clear();
  has({other, macvlan});
  const auto report = reader_->read();
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_TRUE(report->endpoints.empty());
}

TEST_F(Traffic, WithoutATableEndpointsAreToldAllTheSame) {
  has({web()});
  sets_.clear();
  ASSERT_TRUE(firewall_.run("add table inet fairlead\ndelete table inet fairlead\n"));
  const auto report = reader_->read();
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_FALSE(report->counts_ports);
  EXPECT_EQ(report->endpoints.size(), 1U);
}

}  // namespace
}  // namespace fairlead::network
