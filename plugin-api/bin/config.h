// The configuration of all executables: /etc/fairlead/fairlead.json, the environment over it, flags
// over that. The daemon, the command line and fairlead-cni-local load it with the same function, so
// that they never disagree about the folders. (fairlead-cni reads no JSON: it finds the daemon at
// the default place, see fairleadd_main.cpp, and tells it which configuration it has, see
// instance.h.)
//
//   {
//     "run_dir": "/run/fairlead",
//     "state_dir": "/var/lib/fairlead",
//     "volume_dir": "/var/lib/fairlead/volumes",
//     "plugin_dir": "/run/docker/plugins",
//     "bind_roots": ["/srv"],    the folders of the host that volumes may show; none without it
//     "overcommit": 1.0,         how many times over the disk below volumes may be promised to sparse
//                                images and pools: beyond it, creating and growing warn. 0: what is
//                                not covered by what is free is refused
//     "allow_forwarding": false, packets between interfaces of others are routed, although it is
//                                Fairlead that has switched the host's forwarding on
//     "counters": true,          what published ports receive and send is counted, once somebody has
//                                looked (docs/metrics.md)
//     "foreign_firewalls": "open",  what is done where another firewall drops what is forwarded:
//                                "open" lets Fairlead's bridges pass, "report" only tells of it
//     "uplink_mask": "0xf0000000",  bits of marks of packets, by which answers of published ports
//                                find the uplink from which they were asked; no other program's
//     "backup_roots": ["/srv/backup", "sftp:me@nas:/backup"],  the folders and targets on other hosts
//                                that the option `backup` of volumes may name when it comes through
//                                a socket; none without it. Root's command line may use any
//     "device_roots": ["/dev/vg0"],  block devices, or folders of them, that callers of the API may
//                                make pools on; none without it. Root's command line may use any
//     "api_group": "fairlead",   who may use the API socket besides root
//     "dns_port": 10053,         of the name service at each network's gateway, to which what containers ask at
//                                port 53 is led; 0: names are not answered
//     "docker_socket": "/run/docker.sock",   where dockerd is asked what its networks and containers
//                                are called, as a path or unix://...; "": it is not asked
//     "log_level": "info",       debug, info, warn, error
//     "log_format": "text",      text, json
//     "restart_docker_containers": false,  starts what Docker gave up on while Fairlead was away;
//                                needs `docker_socket`
//     "reconcile_seconds": 60,   how often all is looked over; events are repaired at once
//     "ui": "127.0.0.1:7780",    where the page for people is (docs/page.md); "": there is none
//     "ui_write": false,         the page may also change things
//     "ui_anywhere": false,      `ui` may be an address that others reach, although nothing is encrypted
//     "metrics_address": "127.0.0.1:9464",  where /metrics is answered besides the API socket
//                                (docs/metrics.md); "": nowhere
//     "cluster": {               networks over several hosts; none without it
//       "etcd": ["https://10.0.0.1:2379", ...],   the one to ask first at the front
//       "name": "default",       of the cluster: several can share one etcd
//       "address": "10.0.0.1",   of this host, where the others send its packets to; or the name of
//                                an interface. Default: the address of the default route
//       "host": "node1",         this host's name, for people. Default: that of the machine
//       "ca_file": "", "certificate_file": "", "key_file": "",   PEM; read anew when they change
//       "user": "", "password_file": "",
//       "wireguard_port": 51820  UDP, of encrypted networks
//     }
//   }
//
// Every key is optional; unknown ones are refused. SIGHUP reads it again: log_level, log_format,
// reconcile_seconds, bind_roots, backup_roots and overcommit take effect at once, the others with
// the next start.
//
// Environment: FAIRLEAD_CONFIG (another file, which must be there), FAIRLEAD_RUN_DIR,
// FAIRLEAD_STATE_DIR and FAIRLEAD_VOLUME_DIR. An empty variable counts as none.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_port.h"
#include "base/log.h"
#include "base/result.h"
#include "base/state/etcd_config.h"
#include "plugin-api/bin/paths.h"

namespace fairlead {

inline constexpr const char* kConfigFile = "/etc/fairlead/fairlead.json";

struct ClusterConfig {
  std::string name = "default";
  state::EtcdConfig etcd;
  std::string address;  // or an interface; empty: that of the default route
  std::string host;     // for people; empty: the machine's name
  std::uint16_t wireguard_port = 51820;
};

// The page for people.
struct UiConfig {
  std::optional<IpPort> place;  // std::nullopt: there is none
  bool write = false;           // it may change things
  bool anywhere = false;        // the place need not be on the loopback interface
};

struct Config {
  std::string file = kConfigFile;  // that was read, or would have been if it were there
  Paths paths;
  std::string api_group = "fairlead";
  std::string docker_socket = "/run/docker.sock";  // empty: dockerd is not asked
  std::uint16_t dns_port = 10053;                  // 0: names are not answered
  log::Level log_level = log::Level::kInfo;
  log::Format log_format = log::Format::kText;
  unsigned reconcile_seconds = 60;
  // Containers that Docker gave up on while Fairlead was away are started again.
  bool restart_docker_containers = false;
  std::optional<IpPort> metrics_address;
  std::optional<ClusterConfig> cluster;
  UiConfig ui;
};

// Over `base`, pure. kInvalid names the key.
Result<Config> parse_config(std::string_view text, Config base);

// The keys that it knows: "log_level", "cluster.etcd".
std::vector<std::string> config_keys();

// Reads the file. A missing one is an error only when `required`.
enum class Presence { kOptional, kRequired };
Result<Config> read_config(const std::string& path, Presence presence, Config base);

// The flags of a command line; std::nullopt for those that were not given.
struct Flags {
  std::optional<std::string> config;  // the file, which must be there
  std::optional<std::string> run_dir, state_dir, volume_dir, plugin_dir, log_level, log_format;
  std::optional<std::string> ui;
  bool ui_write = false;
};
using GetVariable = std::function<const char*(const char*)>;  // as std::getenv

// The one loader: defaults, file, environment, flags. kInvalid names the key, the variable or the
// flag.
Result<Config> load_config(const Flags& flags, const GetVariable& variable);

}  // namespace fairlead
