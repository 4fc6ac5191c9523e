#include "tests/plugin-api/native/samples.h"

#include "network/api/options.h"
#include "volume/api/options.h"

namespace fairlead::testing {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }
MacAddress mac(std::string_view text) { return MacAddress::parse(text).value(); }

network::Network shop_network() {
  network::Network network;
  network.id = kShopId;
  network.name = NetworkName::parse("shop").value();
  network.options =
      network::parse_options({{"mtu", "1400"}, {"icc", "false"}, {"rate_in", "1000000"}}).value();
  network.subnets = {{.subnet = cidr("10.89.0.0/24"),
                      .gateway = ip("10.89.0.1"),
                      .range = cidr("10.89.0.128/25"),
                      .aux = {{"router", ip("10.89.0.5")}},
                      .pool_id = "10.89.0.0/24"},
                     {.subnet = cidr("fd89::/64"),
                      .gateway = ip("fd89::1"),
                      .range = {},
                      .aux = {},
                      .pool_id = "fd89::/64"}};
  network.labels = {{"team", "a"}};
  network.reservations = {{"db", ip("10.89.0.7")}};
  network.phase = network::Phase::kReady;
  network.created = kCreated;
  network.links.shown = {{"bridge", "fl-aaaaaaaaaaaa"},
                         {"bridge_mac", "02:00:00:00:00:01"},
                         {"foreign_bridge", "false"}};
  network.links.kept = {{"bridge_boot", "this boot"}};
  network.mtu = 1400;
  network.name_servers = {ip("10.89.0.1"), ip("fd89::1")};
  return network;
}

network::Network plain_network() {
  network::Network network;
  network.id = std::string(64, 'b');
  network.name = NetworkName::parse("plain").value();
  network.subnets = {
      {.subnet = cidr("10.90.0.0/24"), .gateway = {}, .range = {}, .aux = {}, .pool_id = {}}};
  network.internal = true;
  network.address_source = network::AddressSource::kRuntime;
  network.phase = network::Phase::kDeleting;
  network.created = kCreated;
  return network;
}

network::Endpoint web_endpoint() {
  network::Endpoint endpoint;
  endpoint.id = network::endpoint_id("web", "eth0");
  endpoint.network_id = kShopId;
  endpoint.container = "web";
  endpoint.runtime = "api";
  endpoint.addresses = {cidr("10.89.0.130/24"), cidr("fd89::2/64")};
  endpoint.gateways = {ip("10.89.0.1"), ip("fd89::1")};
  endpoint.mac = mac("02:fa:0a:59:00:82");
  endpoint.links.shown = {{"host_ifname", "flh0123456789ab"}};
  endpoint.ifname = "eth0";
  endpoint.ports = {{network::Proto::kTcp, std::nullopt, 8080, 80},
                    {network::Proto::kUdp, ip("127.0.0.1"), 53, 53}};
  endpoint.aliases = {"www", "shop.local"};
  endpoint.names = {.name = "shop_web_1",
                    .project = "shop",
                    .service = "web",
                    .labels = {{"tier", "front"}},
                    .hostname = "front",
                    .aliases = {"w"},
                    .dns_servers = {ip("192.0.2.53")}};
  endpoint.rates = {1'000'000, 2'000'000, 10, 20};
  endpoint.routes = {{cidr("10.0.0.0/8"), ip("10.89.0.5"), 1300, 1260, 10, 254, 0}};
  endpoint.netns_path = "/run/netns/web";
  endpoint.labels = {{"role", "web"}};
  endpoint.boot_id = "boot";
  endpoint.phase = network::Phase::kReady;
  endpoint.joined = true;
  endpoint.created = kCreated;
  return endpoint;
}

network::Endpoint waiting_endpoint() {
  network::Endpoint endpoint;
  endpoint.id = std::string(64, 'e');
  endpoint.network_id = std::string(64, 'b');
  endpoint.container = std::string(64, 'c');
  endpoint.runtime = "docker";
  endpoint.addresses = {cidr("10.90.0.2/24")};
  endpoint.address_source = network::AddressSource::kRuntime;
  endpoint.phase = network::Phase::kReady;
  endpoint.created = kCreated;
  return endpoint;
}

network::PortHolder web_port() {
  const network::Endpoint web = web_endpoint();
  return {web.ports[1], kShopId, "shop", web.id, "web", {ip("10.89.0.130"), ip("fd89::2")}};
}

network::Policy github_policy() {
  return {.id = "3",
          .spec = {.action = network::PolicyAction::kAllow,
                   .from = network::parse_policy_end("net:shop").value(),
                   .to = network::parse_policy_end("dns:github.com").value(),
                   .ports = {network::parse_policy_port("443/tcp").value()}},
          .created = kCreated,
          .addresses = {ip("192.0.2.1"), ip("2001:db8::1")}};
}

network::ServiceStatus troubled_status() {
  return {.networks = 2,
          .endpoints = 3,
          .ports = 4,
          .leases = 5,
          .pools = 6,
          .problems = {"bridge fl-aaaaaaaaaaaa is missing; run fairlead reconcile"},
          .notes = {"put an accept rule into DOCKER-USER"}};
}

volume::Volume data_volume() {
  volume::Volume volume;
  volume.id = std::string(32, 'd');
  volume.name = VolumeName::parse("data").value();
  volume.backend = "image";
  volume.options = volume::parse_options({{"backend", "image"}, {"size", "10g"}}).value();
  volume.labels = {{"team", "a"}};
  volume.mountpoint = "/var/lib/fairlead/volumes/" + volume.id + "/_data";
  volume.phase = volume::Phase::kReady;
  volume.created = kCreated;
  volume.mounts = {{"api", "web", 2}};
  volume.pool = "fast";
  volume.snapshots = {monday_snapshot()};
  volume.backed_up = kCreated + 3600;
  volume.left_out = {.count = 1, .notes = {"dev/null is a device node; it was left out"}};
  volume.warnings = {"more is promised than there is"};
  volume.backup = {.done = kCreated + 3600,
                   .tried = kCreated + 7200,
                   .since = kCreated + 7200,
                   .failures = 1,
                   .error = "the disk is full"};
  return volume;
}

volume::VolumeStatus data_status() {
  return {.backend = "image",
          .reason = "asked for",
          .size = 10ULL << 30,
          .used = 3ULL << 29,
          .only_in_snapshots = 1ULL << 20,
          .inodes = 655'360,
          .inodes_used = 12,
          .in_use = true,
          .users = "process 42 of web",
          .health = "ok"};
}

volume::SnapshotView monday_view() {
  volume::SnapshotView view;
  view.volume = VolumeName::parse("data").value();
  view.snapshot = monday_snapshot();
  view.snapshot.mounts = {{"api", "web", 1}};
  view.backend = "image";
  view.mountpoint = "/var/lib/fairlead/volumes/vol/" + std::string(32, 'd') + "/views/" +
                    view.snapshot.id + "/_data";
  view.users = "mounted at /old by sleep (pid 7)";
  return view;
}

volume::Snapshot monday_snapshot() {
  return {.id = std::string(32, 'e'),
          .name = SnapshotName::parse("monday").value(),
          .origin = volume::SnapshotOrigin::kUser,
          .created = kCreated + 60,
          .size = 10ULL << 30,
          .group = std::string(32, '5')};
}

volume::CheckReport troubled_check() {
  return {.clean = false, .findings = {"inode 12 has no name: put into lost+found"}};
}

volume::TrashedVolume old_volume() {
  volume::Volume volume = data_volume();
  volume.id = std::string(32, 'f');
  volume.name = VolumeName::parse("old").value();
  volume.phase = volume::Phase::kDeleting;
  volume.mounts.clear();
  volume.deleted = kCreated + 7200;
  return {.volume = volume, .due = kCreated + 7200 + 7 * 86400};
}

volume::VolumePool fast_pool() {
  return {.name = PoolName::parse("fast").value(),
          .id = std::string(32, '9'),
          .fstype = "btrfs",
          .device = "/dev/vdb",
          .size = 40ULL << 30,
          .used = 10ULL << 30,
          .created = kCreated,
          .health = "ok",
          .volumes = 3,
          .warnings = {"more is promised than there is"}};
}

volume::Job failed_job() {
  return {.id = "20260101T000000-1",
          .verb = "backup",
          .volume = "data",
          .arguments = {{"folder", "/srv/backup"}},
          .state = volume::JobState::kFailed,
          .done = 1ULL << 30,
          .total = 4ULL << 30,
          .started = kCreated,
          .ended = kCreated + 60,
          .error = "write /srv/backup: No space left on device",
          .left_out = 2};
}

volume::BackupInfo data_backup() {
  return {.id = "20260101T010000-1",
          .volume = "data",
          .created = kCreated + 3600,
          .bytes = 4ULL << 30,
          .stored = 40ULL << 20,
          .incremental = true};
}

}  // namespace fairlead::testing
