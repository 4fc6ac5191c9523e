// The paths of this instance of Fairlead, and what else all its executables have to agree on. Two instances on one machine differ only in these paths
// and in their network namespace. Every executable gets them from load_config() in config.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fairlead {

struct Paths {
  std::string run_dir =
      "/run/fairlead";  // FAIRLEAD_RUN_DIR, --run-dir: locks, sockets; gone after a reboot
  std::string state_dir = "/var/lib/fairlead";  // FAIRLEAD_STATE_DIR, --state-dir: the store
  std::string volume_dir;                       // --volume-dir; empty: <state_dir>/volumes
  std::vector<std::string> bind_roots;          // folders that volumes may use (backend=bind)
  std::vector<std::string> backup_roots;        // targets for the backups of the option `backup`
  bool backups_anywhere = false;                // the option may name any target
  double overcommit = 1.0;                // of the disks below volumes (volume/service/promises.h)
  std::vector<std::string> device_roots;  // block devices that may become pools
  std::string plugin_dir = "/run/docker/plugins";  // --plugin-dir: Docker's and Podman's socket
  // Where dockerd is asked which containers use a volume, and whether these have hooks at all.
  std::string docker_socket = "/run/docker.sock";
  bool run_hooks = true;
  bool allow_forwarding = false;           // of packets between interfaces of others
  bool count_traffic = true;               // of published ports, for those who look
  bool open_foreign_firewalls = true;      // false: they are only reported
  std::uint32_t uplink_mask = 0xf0000000;  // the bits of marks that name a way out

  std::string database() const { return state_dir + "/state.db"; }
  std::string firewall_memory() const { return run_dir + "/other-firewalls"; }
  // Unless other processes of this store use another one (base/state/lock_folder.h).
  std::string lock_dir() const { return run_dir + "/locks"; }
  std::string api_socket() const { return run_dir + "/api.sock"; }
  // The link to the page, while the daemon has one; whoever may use the API socket may read it.
  std::string ui_link() const { return run_dir + "/ui-link"; }
  std::string plugin_socket() const { return plugin_dir + "/fairlead.sock"; }
  std::string volumes() const { return volume_dir.empty() ? state_dir + "/volumes" : volume_dir; }
};

}  // namespace fairlead
