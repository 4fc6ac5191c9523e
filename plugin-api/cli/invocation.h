// The parsed command line as a plain value: parse.cpp creates it, the commands read it.
#pragma once

#include <string>
#include <vector>

#include "plugin-api/cli/cli.h"

namespace fairlead::cli {

struct Command;

struct Invocation {
  const Command* command = nullptr;
  CliSettings settings;
  unsigned verbose = 0;
  bool json = false;  // also with --format, which says how the JSON is shown
  std::string format;
  bool quiet = false;

  std::vector<std::string> names;            // positional arguments
  std::vector<std::string> options, labels;  // k=v, as given
  std::vector<std::string> filters;          // name=...
  std::string network;                       // of endpoints and ports
  std::string max_connections;               // of ports
  bool force = false;
  bool no_trunc = false;

  // volumes
  std::string pool;                                       // of volume ls
  std::string output;                                     // of export
  std::string sha256;                                     // of import
  std::string to, from, backup;                           // of backup and restore
  std::string key_file, passphrase_file;                  // of a backup folder
  std::string as;                                         // of restore
  std::vector<std::string> excludes, exclude_if_present;  // of export and backup
  bool exclude_caches = false;                            // the same
  std::string keep;                                       // of backup and backup prune
  std::string of_volume;                                  // of backup prune
  std::string size;                      // of pool create, and of what makes volumes
  std::string device, fstype = "btrfs";  // of pool create
  bool repair = false, overwrite = false;
  bool all = false;                           // of prune
  bool recursive = false, long_form = false;  // of ls-files
  std::string group, prefix, suffix;          // of several volumes

  std::string since, until, kinds;        // of events
  std::string folder;                     // of cni and podman install
  bool fix = false, list_checks = false;  // of doctor
  bool drop_in = false;                   // of podman install
  bool take_back = false;                 // the same

  bool only_v4 = false, only_v6 = false, trace = false;  // of explain
  std::string wait;                                      // of its trace
  std::string picture;                                   // of graph: its format

  // network create
  std::vector<std::string> subnets, ranges, gateways, aux_addresses, reservations;
  std::string mode, file;
  bool ipv6 = false, internal = false, dry_run = false;
};

}  // namespace fairlead::cli
