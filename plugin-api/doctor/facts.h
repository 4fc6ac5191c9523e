// What the doctor knows of a host, as plain values: readers fill them in, checks judge them, and tests plant
// them. What could not be read is std::nullopt or empty; `unread` says why.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "network/api/types.h"
#include "volume/api/types.h"

namespace fairlead::doctor {

// How full something is that has an end.
struct Fill {
  std::uint64_t used = 0, most = 0;
  // Of `most`, rounded down; 0 where there is no end.
  unsigned percent() const { return most == 0 ? 0 : static_cast<unsigned>(used * 100 / most); }
};

// What this kernel cannot do, and which part of Fairlead lacks it.
struct MissingFeature {
  std::string what, needed_by;
};

struct Uplink {  // an interface with a default route
  std::string name;
  unsigned mtu = 0;
  int rp_filter = 0;  // the larger of its own and that of "all": 1 is strict
};

struct KernelFacts {
  std::optional<bool> forwards_v4, forwards_v6;
  bool iptables_sees_bridges = false;  // br_netfilter
  std::optional<Fill> flows;           // of connection tracking
  std::optional<Fill> files;           // open files of the whole machine
  bool inotify_left = true;            // one more watch of files can be opened
  bool clock_synchronised = true;
  std::vector<MissingFeature> missing;
  std::vector<Uplink> uplinks;
};

// A port that Fairlead needs and another program has.
struct TakenPort {
  std::string port;   // "8080/tcp"
  std::string use;    // "published by container web of network shop"
  std::string error;  // who has it, in words
};

struct NetworkFacts {
  std::vector<network::Network> networks;
  std::size_t ports = 0;  // that are published
  // In words, as `status` has them; each problem is in one of these lists.
  std::vector<std::string> problems, overlaps, foreign, left_links, name_service;
  std::vector<TakenPort> taken;
  bool opens_others = true;  // Fairlead may add its rule to other firewalls
};

struct Disk {
  std::string path, purpose;  // "/var/lib/fairlead", "the state database"
  Fill bytes, inodes;
  bool read_only = false;
};

struct SickVolume {
  std::string name, health;
  volume::Condition condition = volume::Condition::kOk;
};

struct StateFolder {
  std::string path;
  bool there = false, of_root = true;
  bool writable_by_others = false;
  bool database_readable_by_others = false;
};

struct StorageFacts {
  StateFolder state;
  std::string store_error;               // why the database cannot be opened; empty: it can
  std::optional<std::uint64_t> reserve;  // bytes that are kept for the database
  std::vector<Disk> disks;
  std::size_t volumes = 0;
  std::vector<SickVolume> sick;
  std::vector<std::string> problems;     // of volumes together
  std::vector<std::string> left_mounts;  // mount points of volumes that no record names
  bool keeps_times = false;              // there are schedules of snapshots or backups
  std::vector<std::string> overdue;      // "volume data: the last backup is 9 days old, ..."
  std::string future;                    // a record that was made later than now; empty: none
};

enum class Answers {
  kNothing,  // no socket
  kRefused,  // a socket at which nobody listens
  kNobody,   // somebody listens and does not answer in time, or not as fairleadd does
  kYes,
};

struct DaemonFacts {
  Answers api = Answers::kYes, plugin = Answers::kYes;
  std::string api_socket, plugin_socket;
  std::string version, own_version;  // of the daemon that runs, of this program
  std::string error;                 // of the question
  std::optional<Fill> files;         // its open files
  std::string group;                 // that may use the API
  bool group_exists = true;
};

// A file that tells Docker where a plugin called fairlead is.
struct PluginSpec {
  std::string file, address;
  bool leads_to_us = false;
};

struct DockerFacts {
  bool running = false;
  std::vector<PluginSpec> specs;
};

struct Unit {
  std::string name, enabled, active;  // as systemctl says
};
struct SystemdFacts {
  bool running = false;
  std::vector<Unit> units;
};

// A plugin that runtimes start as a program.
struct PluginFacts {
  std::string used_by;             // a file that names it; empty: none does
  std::string program;             // that belongs to this version; empty: it was not found
  std::vector<std::string> found;  // where runtimes find it
  std::vector<std::string> other;  // those of them that are another version
  std::vector<std::string> folders;
};

struct EtcdMember {
  std::string endpoint, error;
};
struct EtcdFacts {
  bool configured = false;
  std::string error;  // of the question
  std::vector<EtcdMember> members;
  std::vector<std::string> problems;  // of the cluster
  std::uint64_t milliseconds = 0;     // until all had answered
  bool waiting = false;               // something is not told to the other hosts yet
};

struct Facts {
  KernelFacts kernel;
  NetworkFacts network;
  StorageFacts storage;
  DaemonFacts daemon;
  DockerFacts docker;
  SystemdFacts systemd;
  PluginFacts cni, podman;
  EtcdFacts etcd;
  std::string config_error;  // why the configuration cannot be used
  // What could not be read, by the id of the check that wanted to know it.
  std::multimap<std::string, std::string> unread;
};

}  // namespace fairlead::doctor
