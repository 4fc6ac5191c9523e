// What a call of netavark says outside of stdin: the command and its arguments.
//
//   fairlead create | setup NETNS | teardown NETNS | info             as a plugin
//   netavark [--config DIR] [--rootless=BOOL] [--aardvark-binary=FILE] [--firewall-driver=NAME]
//            [--plugin-directory=DIR]... [--file=FILE] COMMAND ...    in netavark's place
//
// The commands are the same in both; which of the two is meant is told by the document on stdin.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::netavark {

enum class Command {
  kCreate,
  kSetup,
  kTeardown,
  kUpdate,
  kInfo,
  kVersion,         // "version": a document
  kProgramVersion,  // "--version": a line
  kFirewallReload,
  kFirewalldReload,
  kDhcpProxy,
};

// The command as the thin client found it in its arguments. Texts are as they were given.
struct Environment {
  std::string command;
  std::string netns;        // setup, teardown
  std::string network;      // update: its name
  std::string dns_servers;  // update: with commas
  // Of the drop-in: where netavark looks for plugins.
  std::vector<std::string> plugin_folders;
  std::string file;  // the document's; empty: stdin
  std::string
      network_folder;  // where Podman keeps the files of its networks; empty: kNetworkFolder
  bool rootless = false;
};

// Where a Podman of root's keeps them, unless it is told otherwise (network_config_dir of
// containers.conf(5)).
inline constexpr const char* kNetworkFolder = "/etc/containers/networks";

// The checked content. Fields that the command does not use are empty.
struct Invocation {
  Command command = Command::kInfo;
  std::string netns;
  std::string network;
  std::vector<IpAddress> dns_servers;
  std::vector<std::string> plugin_folders;
  std::string network_folder = kNetworkFolder;
};

// `arguments` are without the program's name. kInvalid for options that netavark has not either, and for
// what lacks its value.
Result<Environment> read_arguments(std::span<const std::string> arguments);

// kInvalid: an unknown command, or one without its argument.
Result<Invocation> check_environment(const Environment& environment);

}  // namespace fairlead::netavark
