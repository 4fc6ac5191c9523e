// Converts volume options into the kernel's mount request. Pure, except that names are looked up by
// `resolve`.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "volume/api/options.h"
#include "volume/kernel/mount.h"

namespace fairlead::volume {

// Returns an address for a host name. A text that is an address already is returned as it is.
using Resolve = std::function<Result<std::string>(const std::string& host)>;

// How a file system type finds its data.
enum class RemoteKind {
  kServer,  // on a network, or a share of the virtual machine's host
  kDevice,  // a block device
  kOther,   // no type that a volume may have: overlay, proc, ...
};
RemoteKind remote_kind(const std::string& type);

// The type for the kernel: nfs for backend nfs, and so on; for backend mount it is `type`.
std::string remote_type(const std::string& backend, const VolumeOptions& options);

// Whether files get their owner from uid= and gid=, because the file system stores none.
bool takes_owner(const std::string& type);

// Takes type, device and o= as Docker's local driver does. The host in addr= (or of the device) is
// looked up, because the kernel takes addresses only. nfs gets "softerr", so that calls to a server
// that is gone end with an error instead of hanging containers; o=hard is kept. `credentials` is
// the text of passwordfile=: lines user=, password=, domain= as mount.cifs reads them, or a bare
// password.
Result<NewMount> remote_mount(const std::string& backend, const VolumeOptions& options,
                              std::string_view credentials, const Resolve& resolve);

// "server" of "server:/export", "[::1]:/export" and "//server/share"; empty when there is no host.
std::string host_of(const std::string& device);

}  // namespace fairlead::volume
