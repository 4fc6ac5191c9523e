// Mounts file systems whose server may never answer, in a process of its own and with a deadline.
// The calling process never touches a path of the remote file system.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "volume/kernel/mount.h"

namespace fairlead::volume {

// Whether the kernel has the file system or can load it. Contacts no server.
bool can_mount(const std::string& type);

// As make_mount() and attach_at(), on the folder that is held open (O_PATH is enough). Past the
// deadline the process is killed and kUnavailable returned. A process that the kernel does not let
// die yet is waited for on a thread, and holds none of our descriptors. Options of the form
// "password=..." never appear in an error.
Status mount_with_deadline(const NewMount& what, int folder, std::chrono::milliseconds deadline);

}  // namespace fairlead::volume
