#include "volume/backends/remote.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fault.h"
#include "base/process.h"
#include "base/text.h"
#include "volume/api/secrets.h"
#include "volume/backends/bind_roots.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/folder_backend.h"
#include "volume/backends/mount_view.h"
#include "volume/backends/option_support.h"
#include "volume/backends/users.h"

namespace fairlead::volume {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLargestPasswordFile = 4096;

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), bytes.data()) == 1;
}

// Uses getent(1), because getaddrinfo(3) cannot be stopped when a name service hangs.
Result<std::string> look_up(const std::string& host, std::chrono::milliseconds deadline) {
  if (is_address(host)) return host;
  if (host.starts_with('-'))
    return fail(Code::kInvalid, "\"{}\" is not the name of a host", shown(host));
  const std::vector<std::string> argv{"getent", "ahosts", host};
  const auto answer = run_process(argv, deadline);
  if (!answer) return fail(with_context(answer.error(), fmt::format("look up {}", shown(host))));
  const std::string address = answer->out.substr(0, answer->out.find_first_of(" \n"));
  if (answer->exit_code != 0 || !is_address(address))
    return fail(Code::kUnavailable, "look up {}: no such host is known", shown(host));
  return address;
}

// The file must belong to root and be closed to everybody else, who could otherwise exchange the
// password for that of another mount.
Result<std::string> read_credentials(const std::string& path) {
  if (path.empty()) return std::string();
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("open the password file {}", shown(path)));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != 0 ||
      (info.st_mode & 077U) != 0)
    return fail(Code::kInvalid,
                "volume option \"passwordfile\": {} must be a file of root that nobody else may "
                "read (chmod 600)",
                shown(path));
  std::string text(kLargestPasswordFile, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return fail_errno(errno, fmt::format("read the password file {}", shown(path)));
  text.resize(static_cast<std::size_t>(got));
  return text;
}

class RemoteBackend : public FolderBackend {
 public:
  RemoteBackend(std::string backend, std::string root, RootList bind_roots,
                RemoteEnvironment environment)
      : FolderBackend(std::move(root)),
        name_(std::move(backend)),
        roots_(std::move(bind_roots)),
        around_(std::move(environment)) {}

  std::string name() const override { return name_; }
  Status validate(const VolumeOptions& options) const override;
  Status create(const Volume& volume, Rollback& undo) override;
  std::string data_path(const Volume& volume) const override {
    return fmt::format("{}/{}", pool_.path_of(volume.id), kViewMount);
  }
  Result<std::string> mount(const Volume& volume) override;
  Result<VolumeStatus> status(const Volume& volume) override;

 private:
  Result<std::string> checked_device(const VolumeOptions& options) const;
  Result<NewMount> plan(const VolumeOptions& options, Clock::time_point end) const;
  Result<std::string> users_in(const MountScan& scan, const Folder& folder) const override;

  std::string name_;
  BindRoots roots_;
  RemoteEnvironment around_;
};

// The real path of a block device that is allowed.
Result<std::string> RemoteBackend::checked_device(const VolumeOptions& options) const {
  TRY(const auto device, roots_.open(options.device));
  struct stat info {};
  if (::fstat(device.get(), &info) != 0 || !S_ISBLK(info.st_mode))
    return fail(Code::kInvalid, "volume option \"device\": {} is not a block device",
                shown(options.device));
  return MountScan::path_of(device.get());
}

Status RemoteBackend::validate(const VolumeOptions& options) const {
  const std::string type = remote_type(name_, options);
  if (takes_owner(type))
    TRY_STATUS(
        refuse_unsupported(name_, options, {"type", "device", "passwordfile", "uid", "gid"}));
  else
    TRY_STATUS(refuse_unsupported(name_, options, {"type", "device", "passwordfile"}));
  TRY_STATUS(refuse_secrets(options));
  if (type.empty() || options.device.empty())
    return fail(Code::kInvalid, "backend {} needs the volume options \"type\" and \"device\"",
                name_);
  const RemoteKind kind = remote_kind(type);
  if (kind == RemoteKind::kOther)
    return fail(Code::kUnsupported,
                "volume option \"type\": {} is neither a network file system nor one of a block "
                "device; mount it on the host, and use backend=bind",
                shown(type));
  if (!around_.can_mount(type))
    return fail(Code::kUnsupported,
                "volume option \"type\": this kernel has no file system {}; load its module, or "
                "use a kernel that has it",
                shown(type));
  if (kind == RemoteKind::kDevice) return status_of(checked_device(options));
  if (options.device.starts_with('-') || options.device.find('\n') != std::string::npos)
    return fail(Code::kInvalid, "volume option \"device\": {} is not a share",
                shown(options.device));
  return {};
}

Status RemoteBackend::create(const Volume& volume, Rollback& undo) {
  if (const auto there = pool_.has(volume.id); there && *there) return {};
  TRY(const auto building, begin(volume, undo));
  TRY(const auto place, building.make_folder(kViewFolder, 0700));
  TRY_STATUS(place.make_folder("_data", 0700));
  return pool_.publish(volume, building);
}

Result<NewMount> RemoteBackend::plan(const VolumeOptions& options, Clock::time_point end) const {
  VolumeOptions checked = options;
  if (remote_kind(remote_type(name_, options)) == RemoteKind::kDevice) {
    TRY(checked.device, checked_device(options));
  }
  TRY(const auto credentials, read_credentials(options.passwordfile));
  const Resolve by_host = [&](const std::string& host) {
    return look_up(host, std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()));
  };
  return remote_mount(name_, checked, credentials, around_.resolve ? around_.resolve : by_host);
}

// Never looks at the path itself: the mount table tells whether something is mounted.
Result<std::string> RemoteBackend::mount(const Volume& volume) {
  const auto end = Clock::now() + around_.deadline;
  TRY(const auto folder, open_existing(volume));
  TRY(const auto scan, MountScan::take());
  TRY(const auto there, mounted_at(scan, folder, kViewMount));
  if (there) return data_path(volume);
  TRY(const auto what, plan(volume.options, end));
  TRY(const auto point, open_beneath(folder.fd(), kViewMount, O_PATH | O_DIRECTORY));
  fault_point("volume.remote.planned");
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
  TRY_STATUS(around_.mount(what, point.get(), std::max(left, std::chrono::milliseconds(1))));
  fault_point("volume.remote.mounted");
  return data_path(volume);
}

Result<std::string> RemoteBackend::users_in(const MountScan& scan, const Folder& folder) const {
  TRY(const auto place, mounted_at(scan, folder, kViewMount));
  return place ? strangers_text(scan, *place) : std::string();
}

Result<VolumeStatus> RemoteBackend::status(const Volume& volume) {
  VolumeStatus status{.backend = name_, .health = "ok"};
  if (const auto seen = tell_users(volume, status); !seen) set_health(status, seen.error());
  return status;
}

}  // namespace

std::unique_ptr<Backend> make_remote_backend(std::string backend, std::string root,
                                             RootList bind_roots, RemoteEnvironment environment) {
  return std::make_unique<RemoteBackend>(std::move(backend), std::move(root), std::move(bind_roots),
                                         std::move(environment));
}

}  // namespace fairlead::volume
