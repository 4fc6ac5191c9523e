// GoogleMock versions of the services of the core, for tests of protocol adapters. What a mock
// consists of is compiled once, in mock_services.cpp: it is most of what a test that has one takes to
// compile.
#pragma once

#include <gmock/gmock.h>

#include "network/api/cluster.h"
#include "network/api/service.h"
#include "volume/api/groups.h"
#include "volume/api/service.h"

namespace fairlead::testing {

class MockNetworkService : public network::NetworkService {
 public:
  MockNetworkService();
  ~MockNetworkService() override;
  using NetworkRef = network::NetworkRef;
  using EndpointRef = network::EndpointRef;
  MOCK_METHOD(Result<network::Network>, create_network, (const network::NetworkSpec&), (override));
  MOCK_METHOD(Result<network::NetworkTraits>, traits, (const network::NetworkOptions&), (override));
  MOCK_METHOD(Status, remove_network, (const NetworkRef&), (override));
  MOCK_METHOD(Result<network::Network>, inspect_network, (const NetworkRef&), (override));
  MOCK_METHOD(Result<std::vector<network::NetworkUsage>>, list_networks, (), (override));
  MOCK_METHOD(Result<network::Network>, bind_network, (const std::string&, const NetworkName&),
              (override));
  MOCK_METHOD(Status, unbind_network, (const std::string&), (override));
  MOCK_METHOD(Result<bool>, is_bound, (const std::string&), (override));
  MOCK_METHOD(Result<bool>, release_network, (const std::string&), (override));
  MOCK_METHOD(Status, set_dns_servers, (const NetworkRef&, const std::vector<IpAddress>&),
              (override));
  MOCK_METHOD(Status, reserve_addresses,
              (const NetworkRef&, (const std::map<std::string, IpAddress>&)), (override));
  MOCK_METHOD(Result<network::Turn>, take_turn, (const std::string&), (override));
  MOCK_METHOD(Result<network::Endpoint>, create_endpoint, (const network::EndpointSpec&),
              (override));
  MOCK_METHOD(Result<network::Attachment>, join, (const EndpointRef&, const network::Placement&),
              (override));
  MOCK_METHOD(Result<network::Attachment>, attach,
              (const network::EndpointSpec&, const network::Placement&), (override));
  MOCK_METHOD(Result<network::Attachment>, give_addresses,
              (const EndpointRef&, const network::GivenAddresses&, const network::IntoNetns&),
              (override));
  MOCK_METHOD(Status, leave, (const EndpointRef&), (override));
  MOCK_METHOD(Status, remove_endpoint, (const EndpointRef&), (override));
  MOCK_METHOD(Result<std::vector<network::PublishedPort>>, publish,
              (const EndpointRef&, std::span<const network::PortSpec>), (override));
  MOCK_METHOD(Status, unpublish, (const EndpointRef&), (override));
  MOCK_METHOD(Result<std::vector<network::PublishedPort>>, change_ports,
              (const EndpointRef&, const network::PortChange&), (override));
  MOCK_METHOD(Result<network::Endpoint>, inspect_endpoint, (const EndpointRef&), (override));
  MOCK_METHOD(Result<std::vector<network::Endpoint>>, list_endpoints,
              (const std::optional<NetworkRef>&), (override));
  MOCK_METHOD(Result<std::vector<network::PortHolder>>, list_ports, (), (override));
  MOCK_METHOD(Status, check, (const EndpointRef&, const network::Expectation&), (override));
  MOCK_METHOD(Result<network::Network>, reserve,
              (const network::NetworkRef&, const network::Reservation&), (override));
  MOCK_METHOD(Result<network::Network>, unreserve, (const network::NetworkRef&, const IpAddress&),
              (override));
  MOCK_METHOD(Result<std::vector<network::AddressLease>>, list_leases,
              (const std::optional<network::NetworkRef>&), (override));
  MOCK_METHOD(Status, release_lease, (const IpAddress&, bool), (override));
  MOCK_METHOD(Status, check_room, (const network::EndpointSpec&), (override));
  MOCK_METHOD(Result<std::size_t>, collect,
              (const NetworkRef&, const std::string&, std::span<const network::ValidAttachment>),
              (override));
  MOCK_METHOD(Status, set_endpoint_labels,
              (const EndpointRef&, (const std::map<std::string, std::string>&)), (override));
  MOCK_METHOD(Result<network::Policy>, add_policy, (const network::PolicySpec&, bool), (override));
  MOCK_METHOD(Result<std::vector<network::Policy>>, list_policies, (), (override));
  MOCK_METHOD(Result<network::Policy>, inspect_policy, (const std::string&), (override));
  MOCK_METHOD(Status, remove_policy, (const std::string&), (override));
  MOCK_METHOD(Result<network::ServiceStatus>, status, (), (override));
  MOCK_METHOD(Result<network::ReconcileReport>, reconcile, (), (override));
};

class MockControl : public network::cluster::Control {
 public:
  MockControl();
  ~MockControl() override;
  MOCK_METHOD(network::cluster::ClusterStatus, status, (), (override));
  MOCK_METHOD(Result<std::vector<network::cluster::Host>>, hosts, (), (override));
  MOCK_METHOD(Result<network::cluster::HostRemoval>, remove_host, (std::string_view), (override));
  MOCK_METHOD(void, release_hold, (), (override));
};

class MockPoolService : public network::PoolService {
 public:
  MockPoolService();
  ~MockPoolService() override;
  MOCK_METHOD(Result<network::Pool>, request_pool, (const network::PoolRequest&), (override));
  MOCK_METHOD(Status, release_pool, (const std::string&), (override));
  MOCK_METHOD(Result<Cidr>, request_address,
              (const std::string&, std::optional<IpAddress>, network::AddressUse), (override));
  MOCK_METHOD(Status, release_address, (const std::string&, const IpAddress&), (override));
};

class MockVolumeService : public volume::VolumeService {
 public:
  MockVolumeService();
  ~MockVolumeService() override;
  using VolumeService::create;
  MOCK_METHOD(Result<volume::Volume>, create, (const volume::VolumeSpec&, const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::Volume>, rename, (const std::string&, const std::string&), (override));
  MOCK_METHOD(Result<volume::Volume>, set_options,
              (const std::string&, (const std::map<std::string, std::optional<std::string>>&)),
              (override));
  MOCK_METHOD(Result<volume::Volume>, set_labels,
              (const std::string&, (const std::map<std::string, std::optional<std::string>>&)),
              (override));
  MOCK_METHOD(Result<volume::Volume>, resize, (const std::string&, std::uint64_t), (override));
  MOCK_METHOD(Result<volume::Snapshot>, take_snapshot,
              (const std::string&, const std::string&, const volume::Progress&), (override));
  MOCK_METHOD(Result<volume::Snapshot>, take_archive_snapshot, (const std::string&), (override));
  MOCK_METHOD(Status, drop_snapshot, (const std::string&, const std::string&), (override));
  MOCK_METHOD(Result<volume::Snapshot>, roll_back,
              (const std::string&, const std::string&, const volume::Progress&), (override));
  MOCK_METHOD(Result<volume::SnapshotView>, mount_snapshot,
              (const std::string&, const std::string&, const std::string&, const std::string&),
              (override));
  MOCK_METHOD(Status, unmount_snapshot,
              (const std::string&, const std::string&, const std::string&, const std::string&),
              (override));
  MOCK_METHOD(Result<volume::SnapshotView>, inspect_snapshot,
              (const std::string&, const std::string&), (override));
  MOCK_METHOD((Result<std::map<std::string, std::uint64_t>>), snapshot_space, (const std::string&),
              (override));
  MOCK_METHOD(Result<volume::VolumeStatus>, usage, (const std::string&, const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::CheckReport>, check,
              (const std::string&, bool, const volume::Progress&), (override));
  MOCK_METHOD(Result<std::vector<volume::TrashedVolume>>, trash, (), (override));
  MOCK_METHOD(Result<volume::Volume>, restore_from_trash, (const std::string&, const std::string&),
              (override));
  MOCK_METHOD(Result<std::size_t>, empty_trash, (const std::string&), (override));
  MOCK_METHOD(Result<volume::ReconcileReport>, keep_schedules, (), (override));
  MOCK_METHOD(Status, remove, (const std::string&), (override));
  MOCK_METHOD(Result<volume::Volume>, mount,
              (const std::string&, const std::string&, const std::string&), (override));
  MOCK_METHOD(Status, unmount, (const std::string&, const std::string&, const std::string&),
              (override));
  MOCK_METHOD(Result<volume::Volume>, inspect, (const std::string&), (override));
  MOCK_METHOD(Result<std::vector<volume::Volume>>, list, (), (override));
  MOCK_METHOD(Result<volume::VolumeStatus>, status, (const volume::Volume&), (override));
  MOCK_METHOD(Result<volume::ReconcileReport>, reconcile, (), (override));
};

class MockVolumePools : public volume::VolumePools {
 public:
  MockVolumePools();
  ~MockVolumePools() override;
  MOCK_METHOD(Result<volume::VolumePool>, create, (const volume::PoolSpec&), (override));
  MOCK_METHOD(Result<std::vector<volume::VolumePool>>, list, (), (override));
  MOCK_METHOD(Result<volume::VolumePool>, inspect, (const std::string&), (override));
  MOCK_METHOD(Status, remove, (const std::string&), (override));
  MOCK_METHOD(Result<volume::VolumePool>, grow, (const std::string&, std::uint64_t), (override));
};

class MockVolumeArchives : public volume::VolumeArchives {
 public:
  MockVolumeArchives();
  ~MockVolumeArchives() override;
  MOCK_METHOD(Result<volume::ArchiveReport>, export_to,
              (const std::string&, int, const volume::Excludes&, const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::Volume>, import_from,
              (const volume::VolumeSpec&, int, const std::string&, const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::BackupInfo>, back_up,
              (const std::string&, const volume::BackupPlace&, const volume::BackupOptions&,
               const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::PruneReport>, remove_backups,
              (const volume::BackupPlace&, const std::vector<std::string>&,
               const volume::PruneOptions&, const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::PruneReport>, prune,
              (const volume::BackupPlace&, const std::string&,
               const std::optional<volume::Retention>&, const volume::PruneOptions&,
               const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::RepairReport>, repair,
              (const volume::BackupPlace&, const volume::Progress&), (override));
  MOCK_METHOD(Result<volume::ReconcileReport>, keep_backups, (const volume::Progress&), (override));
  MOCK_METHOD(Result<std::vector<volume::BackupInfo>>, backups, (const volume::BackupPlace&),
              (override));
  MOCK_METHOD(Result<volume::Volume>, restore,
              (const volume::VolumeSpec&, const volume::BackupPlace&, const std::string&,
               const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::CheckReport>, verify,
              (const volume::BackupPlace&, const std::string&, const volume::Progress&),
              (override));
};

class MockVolumeContent : public volume::VolumeContent {
 public:
  MockVolumeContent();
  ~MockVolumeContent() override;
  MOCK_METHOD(Result<volume::LeftOut>, list, (const volume::ContentPlace&, Reach, const Visit&),
              (override));
  MOCK_METHOD(Status, read, (const volume::ContentPlace&, int, const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::ContentReport>, copy,
              (const volume::ContentPlace&, const std::string&, const volume::Progress&),
              (override));
  MOCK_METHOD(Result<volume::ContentReport>, archive,
              (const volume::ContentPlace&, int, const volume::Progress&), (override));
};

class MockVolumeGroups : public volume::VolumeGroups {
 public:
  MockVolumeGroups();
  ~MockVolumeGroups() override;
  using Snapshots = std::vector<volume::VolumeSnapshot>;
  MOCK_METHOD(Result<std::vector<VolumeName>>, members, (const std::string&), (override));
  MOCK_METHOD(Result<Snapshots>, take,
              (const std::string&, const std::string&, const volume::Progress&), (override));
  MOCK_METHOD(Result<Snapshots>, drop, (const std::string&, const std::string&), (override));
  MOCK_METHOD(Result<Snapshots>, roll_back,
              (const std::string&, const std::string&, const volume::Progress&), (override));
};

class MockVolumeJobs : public volume::VolumeJobs {
 public:
  MockVolumeJobs();
  ~MockVolumeJobs() override;
  MOCK_METHOD(Result<std::vector<volume::Job>>, list, (), (override));
  MOCK_METHOD(Status, stop, (const std::string&), (override));
  MOCK_METHOD(Result<volume::LeftOut>, resume, (const std::string&, const volume::Progress&),
              (override));
};

}  // namespace fairlead::testing

extern template class testing::NiceMock<fairlead::testing::MockNetworkService>;
extern template class testing::NiceMock<fairlead::testing::MockControl>;
extern template class testing::NiceMock<fairlead::testing::MockPoolService>;
extern template class testing::NiceMock<fairlead::testing::MockVolumeService>;
extern template class testing::NiceMock<fairlead::testing::MockVolumePools>;
extern template class testing::NiceMock<fairlead::testing::MockVolumeArchives>;
extern template class testing::NiceMock<fairlead::testing::MockVolumeContent>;
extern template class testing::NiceMock<fairlead::testing::MockVolumeGroups>;
extern template class testing::NiceMock<fairlead::testing::MockVolumeJobs>;
extern template class testing::StrictMock<fairlead::testing::MockNetworkService>;
extern template class testing::StrictMock<fairlead::testing::MockControl>;
extern template class testing::StrictMock<fairlead::testing::MockPoolService>;
extern template class testing::StrictMock<fairlead::testing::MockVolumeService>;
extern template class testing::StrictMock<fairlead::testing::MockVolumePools>;
extern template class testing::StrictMock<fairlead::testing::MockVolumeArchives>;
extern template class testing::StrictMock<fairlead::testing::MockVolumeContent>;
extern template class testing::StrictMock<fairlead::testing::MockVolumeJobs>;
