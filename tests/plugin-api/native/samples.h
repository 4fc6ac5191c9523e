// Values with every field filled, for the tests of the API and of the command line.
#pragma once

#include "network/api/service.h"
#include "volume/api/service.h"

namespace fairlead::testing {

IpAddress ip(std::string_view text);
Cidr cidr(std::string_view text);
MacAddress mac(std::string_view text);

inline const std::string kShopId(64, 'a');
inline constexpr long long kCreated = 1'767'225'600;  // 2026-01-01T00:00:00Z

network::Network shop_network();       // bridge, two subnets, options, labels
network::Network plain_network();      // only what a network must have: "plain"
network::Endpoint web_endpoint();      // of shop: joined, ports, rates, routes
network::Endpoint waiting_endpoint();  // of plain: reserved only
network::PortHolder web_port();
network::Policy github_policy();  // of shop
network::ServiceStatus troubled_status();
volume::Volume data_volume();
volume::VolumeStatus data_status();
volume::Snapshot monday_snapshot();
volume::SnapshotView monday_view();  // mounted  // of data
volume::CheckReport troubled_check();
volume::TrashedVolume old_volume();
volume::VolumePool fast_pool();
volume::Job failed_job();
volume::BackupInfo data_backup();

}  // namespace fairlead::testing
