// Root's Podman, by its command line: it has no daemon that could be asked.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/process.h"
#include "plugin-api/hooks/runtime.h"

namespace fairlead::hooks {

// What tests replace.
struct PodmanHost {
  std::function<Result<ProcessResult>(std::span<const std::string> argv,
                                      std::chrono::milliseconds deadline)>
      run = run_process;
  // Is there when Podman has run since the boot; it is not started where it has not.
  std::string alive = "/run/libpod/alive";
};
std::unique_ptr<Runtime> make_podman_runtime(PodmanHost host = {});

}  // namespace fairlead::hooks
