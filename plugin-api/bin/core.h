// The wiring of the core: every concrete type is named in core.cpp, and only there.
#pragma once

#include <memory>

#include "base/result.h"
#include "network/api/service.h"
#include "plugin-api/bin/paths.h"
#include "volume/api/service.h"

namespace fairlead {

enum class CoreMode {
  kOneShot,  // an exec'd plugin or the command line: what waits for the kernel is left to a child
             // process
  kDaemon,   // lives on: reaper threads, kept sockets
};

// The three doors, open. The volume service is made at its first use.
class Core {
 public:
  virtual ~Core() = default;
  virtual network::NetworkService& networks() = 0;
  virtual network::PoolService& pools() = 0;
  virtual volume::VolumeService& volumes() = 0;
  // Waits for what was started and is not finished yet (daemon shutdown).
  virtual void finish() = 0;
};

// Opens the store and the kernel's sockets in the network namespace of the calling thread. Needs
// root.
Result<std::unique_ptr<Core>> open_core(const Paths& paths, CoreMode mode);

}  // namespace fairlead
