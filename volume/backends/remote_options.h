// From volume options to what the kernel is asked to mount: pure, but for the names that are looked
// up by `resolve`.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "volume/api/options.h"
#include "volume/kernel/mount.h"

namespace fairlead::volume {

// An address for a host name; those that are addresses already are given back.
using Resolve = std::function<Result<std::string>(const std::string& host)>;

// How a type finds its data.
enum class RemoteKind {
  kServer,  // a network file system, or a share of the virtual machine's host
  kDevice,  // a block device
  kOther,   // none that a volume may have: overlay, proc, ...
};
RemoteKind remote_kind(const std::string& type);

// nfs for backend nfs, and so on; else `type`.
std::string remote_type(const std::string& backend, const VolumeOptions& options);

// Whether its files get their owner from uid= and gid=: it keeps none of its own.
bool takes_owner(const std::string& type);

// A password among the words of o=, which runtimes keep and print.
bool holds_secret(const VolumeOptions& options);

// As Docker's local driver: type, device and o=, with the host in addr= (or of the device) looked
// up, since the kernel takes addresses only. nfs gets "softerr": a server that is gone ends calls
// with an error instead of hanging containers; o=hard is kept. `credentials`: the text of
// passwordfile=, lines user=, password=, domain= as mount.cifs reads them, or a bare password.
Result<NewMount> remote_mount(const std::string& backend, const VolumeOptions& options,
                              std::string_view credentials, const Resolve& resolve);

// "server" of "server:/export", "[::1]:/export" and "//server/share"; empty when there is none.
std::string host_of(const std::string& device);

}  // namespace fairlead::volume
