// Reads facts that need nothing but files, sockets and programs of the host. Each function fills in its
// part of the facts and leaves out what cannot be read, with a line in `unread` where that matters.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/doctor/facts.h"

namespace fairlead::doctor {

// ---- pure

// The names of the interfaces with a default route: /proc/net/route, and /proc/net/ipv6_route.
std::set<std::string> default_interfaces_v4(std::string_view route);
std::set<std::string> default_interfaces_v6(std::string_view ipv6_route);
// Of /proc/<pid>/limits.
std::optional<std::uint64_t> open_files_limit(std::string_view limits);
// Mount points below <folder>/vol, tmp or trash of a volume folder whose id is not in `known`.
std::vector<std::string> left_mounts_in(std::string_view mountinfo, const std::string& folder,
                                        const std::set<std::string>& known);
// Whether a configuration of CNI or of Podman names the plugin: "type": "fairlead", "driver": "fairlead".
bool names_plugin(std::string_view text, std::string_view key);

// ---- of the host; /proc/net and /proc/sys/net are those of the thread's network namespace

std::string text_of_file(const std::string& path);  // empty when it cannot be read

void read_kernel(Facts& facts);

void read_state_folder(const std::string& path, StorageFacts& storage);
// Fills in a disk unless one on the same file system is there already.
void read_disk(const std::string& path, const std::string& purpose, std::vector<Disk>& disks);

struct Answer {
  Answers answers = Answers::kNothing;
  pid_t listener = 0;  // who made the socket; 0: not known
};
// Connects to a socket, and says nothing.
Answer ask_socket(const std::string& path);
// The open files of a process, when it is called `name`.
std::optional<Fill> open_files_of(pid_t process, std::string_view name);

// What tells Docker of a plugin (docs.docker.com/engine/extend/plugin_api): files fairlead.spec and
// fairlead.json below /etc/docker/plugins and /usr/lib/docker/plugins.
std::vector<PluginSpec> read_plugin_specs(const std::string& plugin_socket);
SystemdFacts read_systemd();

// Finds the plugin `name` in the folders, and the first file of `configurations` (folders) that names
// it by `key`. `program`: that of this version.
PluginFacts read_plugin(const std::string& program, const std::vector<std::string>& folders,
                        const std::string& configurations, std::string_view key);

}  // namespace fairlead::doctor
