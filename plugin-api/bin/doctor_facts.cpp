#include "plugin-api/bin/doctor_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/host.h"
#include "network/kernel/host/sockets.h"
#include "network/kernel/links/links.h"
#include "network/service/sorted_status.h"
#include "plugin-api/doctor/reading.h"
#include "volume/service/backup_plans.h"

namespace fairlead {

namespace {

using doctor::Facts;
using network::Network;
using network::PortHolder;

// A clock that is put right makes small steps.
constexpr long long kStep = 120;

void look_at_time(const std::string& what, long long made, doctor::StorageFacts& storage) {
  const long long now = unix_time();
  if (storage.future.empty() && made > now + kStep)
    storage.future =
        fmt::format("{} was made at {}, and now it is {}", what, rfc3339(made), rfc3339(now));
}

kernel::HostPort host_port(const network::PublishedPort& port) {
  return {.proto = static_cast<std::uint8_t>(port.proto),
          .host_ip = port.host_ip,
          .number = port.host_port,
          .last = port.host_port_end};
}

std::string port_text(const network::PublishedPort& port) {
  return fmt::format("{}{}/{}", port.host_port,
                     port.is_range() ? "-" + std::to_string(port.last()) : "",
                     to_string(port.proto));
}

// What only a look at all sockets of the host tells is asked for each port.
void read_taken_ports(const std::vector<PortHolder>& holders, Facts& facts) {
  const auto ports = kernel::open_host_ports();
  if (!ports) {
    facts.unread.emplace("ports-taken", ports.error().text);
    return;
  }
  for (const PortHolder& holder : holders) {
    const std::array one{host_port(holder.port)};
    const auto free =
        (*ports)->check_free(one, {.container = holder.container, .allow_missing_address = true});
    if (!free && free.error().code == Code::kInUse)
      facts.network.taken.push_back(
          {port_text(holder.port),
           fmt::format("published by container {} of network {}", holder.container,
                       holder.network_title.empty() ? holder.network_name : holder.network_title),
           free.error().text});
  }
}

// The kernel itself has the port of a tunnel that is up, and no program shows it.
void read_taken_tunnels(const std::vector<Network>& networks, Facts& facts) {
  for (const Network& network : networks) {
    if (!network.overlay) continue;
    const std::string holder =
        kernel::port_holder(17, network.overlay->local, network.overlay->port);
    if (!holder.empty())
      facts.network.taken.push_back(
          {fmt::format("{}/udp", network.overlay->port),
           fmt::format("for packets between the hosts of network {}", title_of(network)), holder});
  }
}

void sort_problems(const network::SortedStatus& status, doctor::NetworkFacts& network) {
  network.overlaps = status.overlaps;
  network.foreign = status.foreign;
  network.left_links = status.left_links;
  network.name_service = status.name_service;
  for (const std::string& problem : status.status.problems) {
    const auto is_told = [&](const std::vector<std::string>& texts) {
      return std::ranges::find(texts, problem) != texts.end();
    };
    if (!is_told(status.overlaps) && !is_told(status.foreign) && !is_told(status.left_links) &&
        !is_told(status.name_service))
      network.problems.push_back(problem);
  }
}

void look_at_volume(volume::VolumeService& volumes, const volume::Volume& each,
                    doctor::StorageFacts& storage) {
  const auto status = volumes.status(each);
  if (!status)
    storage.sick.push_back({each.name.str(), status.error().text, volume::Condition::kWarning});
  else if (status->health != "ok")
    storage.sick.push_back({each.name.str(), status->health, status->condition});
  const bool backs_up = !each.options.backup.folder.empty();
  storage.keeps_times |= backs_up || each.options.snapshots != volume::Schedule();
  if (backs_up && volume::is_backup_late(each, unix_time()))
    storage.overdue.push_back(fmt::format(
        "The backup of volume {} to {} is overdue: {}", each.name.str(), each.options.backup.folder,
        each.backup.done == 0 ? "there is none yet"
                              : "the last is of " + rfc3339(each.backup.done)));
  look_at_time("volume " + each.name.str(), each.created, storage);
  for (const volume::Snapshot& snapshot : each.snapshots)
    look_at_time(fmt::format("snapshot {}@{}", each.name.str(), snapshot.name.str()),
                 snapshot.created, storage);
}

// `mountinfo` was read before `volumes`: the record of a volume is there before it is mounted.
void look_at_mounts(Core& core, const std::string& mountinfo,
                    const std::vector<volume::Volume>& volumes, const Config& config,
                    Facts& facts) {
  const auto trash = core.volumes().trash();
  if (!trash) return;
  std::set<std::string> known;
  for (const volume::Volume& each : volumes) known.insert(each.id);
  for (const volume::TrashedVolume& each : *trash) known.insert(each.volume.id);
  std::error_code failed;
  const auto folder = std::filesystem::weakly_canonical(config.paths.volumes(), failed);
  facts.storage.left_mounts = doctor::left_mounts_in(mountinfo, folder.string(), known);
}

struct Kind {
  std::string kind, what, needed_by;
};

}  // namespace

void read_network_facts(Core& core, Facts& facts) {
  const auto networks = core.networks().list_networks();
  const auto status = network::sorted_status(core.mender());
  const auto ports = core.networks().list_ports();
  for (const Error* error : {networks ? nullptr : &networks.error(),
                             status ? nullptr : &status.error(), ports ? nullptr : &ports.error()})
    if (error != nullptr) facts.unread.emplace("networks", error->text);
  if (!networks || !status || !ports) return;
  for (const network::NetworkUsage& usage : *networks) {
    facts.network.networks.push_back(usage.network);
    look_at_time("network " + title_of(usage.network), usage.network.created, facts.storage);
  }
  facts.network.ports = ports->size();
  sort_problems(*status, facts.network);
  read_taken_ports(*ports, facts);
  read_taken_tunnels(facts.network.networks, facts);
}

void read_volume_facts(Core& core, const Config& config, Facts& facts) {
  const std::string mountinfo = doctor::text_of_file("/proc/self/mountinfo");
  const auto volumes = core.volumes().list();
  if (!volumes) {
    facts.unread.emplace("volumes", volumes.error().text);
    return;
  }
  facts.storage.volumes = volumes->size();
  for (const volume::Volume& each : *volumes) look_at_volume(core.volumes(), each, facts.storage);
  facts.storage.problems = core.volumes().problems();
  look_at_mounts(core, mountinfo, *volumes, config, facts);
  const auto pools = core.volume_pools().list();
  if (!pools) {
    facts.unread.emplace("disk-space", pools.error().text);
    return;
  }
  for (const volume::VolumePool& pool : *pools) {
    if (pool.health != "ok")
      facts.storage.problems.push_back(fmt::format("pool {}: {}", pool.name.str(), pool.health));
    if (pool.size > 0)
      facts.storage.disks.push_back({.path = "pool " + pool.name.str(),
                                     .purpose = "the volumes of pool " + pool.name.str(),
                                     .bytes = {pool.used, pool.size}});
  }
}

void read_kernel_features(Facts& facts) {
  static const std::array<Kind, 4> kKinds{
      {{"vxlan", "VXLAN (packets within packets)", "network over several hosts (mode=overlay)"},
       {"wireguard", "WireGuard (encrypted packets)",
        "encrypted network over several hosts (encrypted=true)"},
       {"macvlan", "macvlan (several devices on one card)",
        "network that is the one of the host's card (mode=macvlan)"},
       {"ipvlan", "ipvlan (several devices with one MAC address)",
        "network with the MAC address of the host's card (mode=ipvlan)"}}};
  const auto links = kernel::open_netlink_links(kernel::RemovalMode::kThread);
  if (!links) {
    facts.unread.emplace("kernel-features", links.error().text);
    return;
  }
  for (const Kind& each : kKinds)
    if (const auto has = (*links)->has_kind(each.kind); has && !*has)
      facts.kernel.missing.push_back({each.what, each.needed_by});
}

void read_cluster_facts(const json::Json& document, doctor::EtcdFacts& etcd) {
  const auto object = json::Object::of(document);
  if (!object) return;
  if (const auto members = object->objects_or_empty("etcd"))
    for (const json::Object& member : *members)
      etcd.members.push_back({member.string_or("endpoint", "").value_or(""),
                              member.string_or("error", "").value_or("")});
  if (auto problems = object->strings_or_empty("problems")) etcd.problems = std::move(*problems);
}

}  // namespace fairlead
