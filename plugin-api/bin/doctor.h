// Wires the doctor: where it gets its facts from, and what its cures do.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json/json.h"
#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/doctor/doctor.h"

namespace fairlead {

// A plugin that runtimes start as a program.
struct PluginPlaces {
  std::string program{}, local{};  // of this version; empty: not found
  std::vector<std::string> folders{};
};

struct DoctorParts {
  Result<Config> config;
  // Called once for each examination, when there is a database.
  std::function<Result<std::shared_ptr<Core>>(const Config&)> core;
  // A GET of the API; empty in the daemon itself, which need not ask.
  std::function<Result<json::Json>(const std::string& path)> ask_daemon{};
  PluginPlaces cni{}, podman{};
  // Copies a program into a folder under a name; empty: nothing is installed.
  std::function<Result<std::string>(const std::string& program, const std::string& folder,
                                    const std::string& name)>
      install{};
};

std::unique_ptr<doctor::Doctor> make_doctor(DoctorParts parts);

// Where runtimes look for plugins that are called fairlead.
inline const std::vector<std::string> kCniFolders{"/opt/cni/bin", "/usr/lib/cni"};
inline const std::vector<std::string> kNetavarkFolders{
    "/usr/local/libexec/netavark", "/usr/libexec/netavark", "/usr/local/lib/netavark",
    "/usr/lib/netavark"};

}  // namespace fairlead
