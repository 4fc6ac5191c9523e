#include "plugin-api/metrics/collectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/mock_services.h"

namespace fairlead::metrics {
namespace {

using ::testing::NiceMock;
using ::testing::Return;

network::Network network_of(const std::string& id, const std::string& name,
                            const std::string& subnet, std::optional<Cidr> range = {}) {
  network::Network network;
  network.id = id;
  network.name = NetworkName::parse(name).value();
  network.subnets.push_back({.subnet = Cidr::parse(subnet).value(),
                             .gateway = {},
                             .range = range,
                             .aux = {},
                             .pool_id = {}});
  return network;
}

network::AddressLease lease_of(const network::Network& network, const std::string& address) {
  return {.address = IpAddress::parse(address).value(),
          .subnet = network.subnets.front().subnet,
          .network_id = network.id,
          .network_name = network.name.str()};
}

std::string text_of(const Collector& collector) {
  const auto families = collector.collect();
  return families ? to_text(*families, Format::kText) : families.error().text;
}

void expect_lines(const std::string& text, std::initializer_list<const char*> lines) {
  for (const char* line : lines)
    EXPECT_NE(("\n" + text).find("\n" + std::string(line) + "\n"), std::string::npos)
        << line << "\nis not in\n"
        << text;
}

class Networks : public ::testing::Test {
 protected:
  void has(std::vector<network::Network> networks, std::vector<network::Endpoint> endpoints,
           std::vector<network::AddressLease> leases) {
    std::vector<network::NetworkUsage> usages;
    for (network::Network& each : networks) usages.push_back({std::move(each), 0});
    ON_CALL(service_, list_networks()).WillByDefault(Return(usages));
    ON_CALL(service_, list_endpoints).WillByDefault(Return(endpoints));
    ON_CALL(service_, list_leases).WillByDefault(Return(leases));
  }

  NiceMock<testing::MockNetworkService> service_;
};

TEST_F(Networks, FreeAddressesAreThoseThatCanBeGivenOut) {
  const auto shop = network_of("1", "shop", "10.1.0.0/24");
  const auto small = network_of("2", "small", "10.2.0.0/24", Cidr::parse("10.2.0.128/28").value());
  has({shop, small}, {},
      {lease_of(shop, "10.1.0.1"), lease_of(shop, "10.1.0.2"), lease_of(small, "10.2.0.1"),
       lease_of(small, "10.2.0.130")});
  expect_lines(text_of(network_collector(service_)),
               {"fairlead_subnet_leases_used{network=\"shop\",subnet=\"10.1.0.0/24\"} 2",
                "fairlead_subnet_leases_free{network=\"shop\",subnet=\"10.1.0.0/24\"} 252",
                "fairlead_subnet_leases_used{network=\"small\",subnet=\"10.2.0.0/24\"} 2",
                "fairlead_subnet_leases_free{network=\"small\",subnet=\"10.2.0.0/24\"} 15"});
}

TEST_F(Networks, EndpointsByRuntimeAndPortsByNetwork) {
  network::Endpoint web;
  web.network_id = "1";
  web.runtime = "docker";
  web.ports = {{.host_port = 80, .container_port = 80},
               {.host_port = 1000, .container_port = 1000, .host_port_end = 1009}};
  network::Endpoint of_nobody = web;
  of_nobody.network_id = "gone";
  has({network_of("1", "shop", "10.1.0.0/24")}, {web, web, of_nobody}, {});
  expect_lines(text_of(network_collector(service_)),
               {"fairlead_networks{mode=\"bridge\"} 1",
                "fairlead_endpoints{network=\"shop\",runtime=\"docker\"} 2",
                "fairlead_published_ports{network=\"shop\"} 22"});
}

TEST_F(Networks, NoSeriesIsNamedTwice) {
  has({network_of("1", "shop", "10.1.0.0/24"), network_of("2", "shop", "10.1.0.0/24")}, {}, {});
  const std::string text = text_of(network_collector(service_));
  const std::string series = "fairlead_published_ports{network=\"shop\"}";
  EXPECT_EQ(text.find(series), text.rfind(series)) << text;
}

TEST(Cluster, TellsHostsAndMembers) {
  network::cluster::ClusterStatus status;
  status.joined = true;
  status.alive = 3;
  status.suspect = 1;
  status.members = {{.endpoint = "http://a:2379", .has_leader = true},
                    {.endpoint = "http://b:2379", .error = "away"}};
  NiceMock<testing::MockControl> control;
  ON_CALL(control, status()).WillByDefault(Return(status));
  expect_lines(text_of(cluster_collector(control)),
               {"fairlead_cluster_joined 1", "fairlead_cluster_hosts{state=\"alive\"} 3",
                "fairlead_cluster_hosts{state=\"suspect\"} 1",
                "fairlead_etcd_member_up{endpoint=\"http://a:2379\"} 1",
                "fairlead_etcd_member_up{endpoint=\"http://b:2379\"} 0"});
}

class Volumes : public ::testing::Test {
 protected:
  Volumes() {
    ON_CALL(pools_, list()).WillByDefault(Return(std::vector<volume::VolumePool>()));
    ON_CALL(jobs_, list()).WillByDefault(Return(std::vector<volume::Job>()));
    ON_CALL(volumes_, trash()).WillByDefault(Return(std::vector<volume::TrashedVolume>()));
  }
  std::string text() { return text_of(volume_collector({volumes_, pools_, jobs_})); }

  NiceMock<testing::MockVolumeService> volumes_;
  NiceMock<testing::MockVolumePools> pools_;
  NiceMock<testing::MockVolumeJobs> jobs_;
};

TEST_F(Volumes, TellsSizeHealthAndBackups) {
  volume::Volume data;
  data.name = VolumeName::parse("data").value();
  data.backend = "image";
  data.options.backup.folder = "/srv/backup";
  data.backup = {.done = 1000, .failures = 2};
  data.snapshots.resize(3);
  volume::Volume plain;
  plain.name = VolumeName::parse("plain").value();
  plain.backend = "dir";
  ON_CALL(volumes_, list()).WillByDefault(Return(std::vector{data, plain}));
  ON_CALL(volumes_, status).WillByDefault([](const volume::Volume& volume) {
    volume::VolumeStatus status;
    if (volume.backend == "dir") return Result<volume::VolumeStatus>(status);
    status.size = 100;
    status.used = 95;
    status.condition = volume::Condition::kWarning;
    return Result<volume::VolumeStatus>(status);
  });
  const std::string text = this->text();
  expect_lines(text, {"fairlead_volumes{backend=\"dir\",condition=\"ok\"} 1",
                      "fairlead_volumes{backend=\"image\",condition=\"warning\"} 1",
                      "fairlead_volume_size_bytes{volume=\"data\"} 100",
                      "fairlead_volume_used_bytes{volume=\"data\"} 95",
                      "fairlead_volume_healthy{volume=\"data\"} 0",
                      "fairlead_volume_healthy{volume=\"plain\"} 1",
                      "fairlead_volume_snapshots{volume=\"data\"} 3",
                      "fairlead_volume_backup_last_success_timestamp_seconds{volume=\"data\"} 1000",
                      "fairlead_volume_backup_failures{volume=\"data\"} 2"});
  EXPECT_EQ(text.find("backup_failures{volume=\"plain\"}"), std::string::npos);
  EXPECT_EQ(text.find("size_bytes{volume=\"plain\"}"), std::string::npos);
}

TEST_F(Volumes, EveryStateOfJobsIsThere) {
  volume::Job job;
  job.state = volume::JobState::kFailed;
  ON_CALL(volumes_, list()).WillByDefault(Return(std::vector<volume::Volume>()));
  ON_CALL(jobs_, list()).WillByDefault(Return(std::vector{job, job}));
  expect_lines(text(), {"fairlead_jobs{state=\"running\"} 0", "fairlead_jobs{state=\"failed\"} 2",
                        "fairlead_trashed_volumes 0"});
}

class FixedTraffic : public network::TrafficReader {
 public:
  Result<network::TrafficReport> read() override { return report; }
  network::TrafficReport report;
};

TEST(Traffic, ContainersOfOneNameCountTogether) {
  FixedTraffic traffic;
  network::EndpointTraffic web{
      .network = "shop", .container = "web", .in = {1, 10}, .out = {2, 20}};
  web.ports.push_back({.port = {.host_port = 8080, .container_port = 80},
                       .container_port = 80,
                       .in = {1, 5},
                       .out = {1, 6}});
  traffic.report.endpoints = {web, web};
  expect_lines(
      text_of(traffic_collector(traffic)),
      {"fairlead_endpoint_receive_bytes_total{network=\"shop\",container=\"web\"} 20",
       "fairlead_endpoint_transmit_packets_total{network=\"shop\",container=\"web\"} 4",
       "fairlead_port_receive_bytes_total{network=\"shop\",container=\"web\",protocol=\"tcp\","
       "port=\"80\"} 10"});
}

TEST(Process, TellsOfThisProcess) {
  const auto families = process_collector().collect();
  ASSERT_TRUE(families) << families.error().text;
  for (const Family& family : *families)
    EXPECT_GT(family.samples.front().value, family.name == "process_cpu_seconds" ? -1 : 0)
        << family.name;
}

TEST(Build, TellsTheVersion) {
  expect_lines(text_of(build_collector("1.2.3")), {"fairlead_build_info{version=\"1.2.3\"} 1"});
}

}  // namespace
}  // namespace fairlead::metrics
