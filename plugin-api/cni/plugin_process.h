// Another CNI plugin as a process: how it is found and run (SPEC 1.1.0, sections 2 and 4).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::cni {

// The program of that name in the first of the folders, separated by ':', that has one. kNotFound names
// the folders; kInvalid for a name that is a path.
Result<std::string> find_plugin(std::string_view folders, std::string_view name);

// What differs in its environment from this process's.
struct PluginVerb {
  std::string command;      // CNI_COMMAND
  std::string ifname = {};  // CNI_IFNAME; empty: this process's
};

struct PluginCall {
  std::string program;  // its path
  PluginVerb verb;
  std::string input;  // for stdin
};

struct PluginOutcome {
  int exit_code = 0;
  std::string out;  // what it wrote on stdout, at most 1 MiB; stderr is this process's

  bool operator==(const PluginOutcome&) const = default;
};

// Runs the plugin to its end. It is killed when the calling thread ends, so that it does not go on after
// a runtime has killed its caller. kIo when it cannot be started, or was killed.
Result<PluginOutcome> run_plugin(const PluginCall& call);

}  // namespace fairlead::cni
