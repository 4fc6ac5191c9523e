#include "volume/backends/remote_options.h"

#include <algorithm>
#include <array>

namespace fairlead::volume {

namespace {

constexpr std::array<std::string_view, 12> kServers{"9p",   "afs",  "beegfs",    "ceph",
                                                    "cifs", "gfs2", "glusterfs", "lustre",
                                                    "nfs",  "nfs4", "smb3",      "virtiofs"};
constexpr std::array<std::string_view, 12> kDevices{"btrfs", "erofs",    "exfat", "ext2",
                                                    "ext3",  "ext4",     "f2fs",  "iso9660",
                                                    "ntfs3", "squashfs", "vfat",  "xfs"};
// Words of mount(8) and of Podman that no file system knows.
constexpr std::array<std::string_view, 5> kNothing{"async", "nocopy", "noquota", "relatime",
                                                   "_netdev"};

bool is_nfs(std::string_view type) { return type == "nfs" || type == "nfs4"; }
bool is_cifs(std::string_view type) { return type == "cifs" || type == "smb3"; }

bool has_any(const std::vector<std::string>& words, std::initializer_list<std::string_view> keys) {
  return std::ranges::any_of(words, [&](const std::string& word) {
    return std::ranges::find(keys, std::string_view(word).substr(0, word.find('='))) != keys.end();
  });
}

void add_soft_defaults(std::vector<std::string>& words) {
  if (has_any(words, {"hard", "soft", "softerr"})) return;
  words.emplace_back("softerr");
  if (!has_any(words, {"timeo"})) words.emplace_back("timeo=150");  // tenths of a second
  if (!has_any(words, {"retrans"})) words.emplace_back("retrans=2");
}

// Replaces addr=<name> by addr=<address>. Without addr= the host of the device is looked up.
Status set_address(std::vector<std::string>& words, const std::string& device,
                   const Resolve& resolve) {
  const auto given = std::ranges::find_if(words, [](const std::string& word) {
    return word.starts_with("addr=") || word.starts_with("ip=");
  });
  const std::string host =
      given == words.end() ? host_of(device) : given->substr(given->find('=') + 1);
  if (host.empty()) return {};
  TRY(const auto address, resolve(host));
  if (given != words.end()) words.erase(given);
  words.push_back("addr=" + address);
  return {};
}

std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
  while (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

Status add_credentials(std::vector<std::string>& words, std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kKeys{
      {{"username", "user"},
       {"user", "user"},
       {"password", "password"},
       {"pass", "password"},
       {"domain", "domain"},
       {"dom", "domain"},
       {"workgroup", "domain"}}};
  bool first = true;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty() || line.starts_with('#')) continue;
    const auto equals = line.find('=');
    const auto key = std::ranges::find(kKeys, line.substr(0, equals),
                                       &std::pair<std::string_view, std::string_view>::first);
    if (equals != std::string_view::npos && key != kKeys.end())
      words.push_back(fmt::format("{}={}", key->second, line.substr(equals + 1)));
    else if (first && text.empty())
      words.push_back(fmt::format("password={}", line));
    else
      return fail(Code::kInvalid,
                  "volume option \"passwordfile\": a line of it is none of user=, password= and "
                  "domain=");
    first = false;
  }
  return {};
}

void rename_for_ceph(std::string& word) {
  for (const auto& [from, to] : {std::pair("user=", "name="), std::pair("password=", "secret=")})
    if (word.starts_with(from)) word.replace(0, std::string_view(from).size(), to);
}

// For file systems that store no owners.
void add_owner(std::vector<std::string>& words, const VolumeOptions& options) {
  if (options.uid != 0) words.push_back(fmt::format("uid={}", options.uid));
  if (options.gid != 0) words.push_back(fmt::format("gid={}", options.gid));
}

}  // namespace

bool takes_owner(const std::string& type) {
  return is_cifs(type) || type == "vfat" || type == "exfat" || type == "ntfs3";
}

std::string host_of(const std::string& device) {
  if (device.starts_with("//")) return device.substr(2, device.find('/', 2) - 2);
  if (device.starts_with('['))
    return device.substr(1, std::min(device.find(']'), device.size()) - 1);
  const auto colon = device.find(":/");
  return colon == std::string::npos ? "" : device.substr(0, colon);
}

RemoteKind remote_kind(const std::string& type) {
  if (std::ranges::find(kServers, type) != kServers.end()) return RemoteKind::kServer;
  if (std::ranges::find(kDevices, type) != kDevices.end()) return RemoteKind::kDevice;
  return RemoteKind::kOther;
}

std::string remote_type(const std::string& backend, const VolumeOptions& options) {
  if (!options.type.empty()) return options.type;
  return backend == "mount" ? "" : backend;
}

Result<NewMount> remote_mount(const std::string& backend, const VolumeOptions& options,
                              std::string_view credentials, const Resolve& resolve) {
  MountWords words = sort_mount_words(options.mount_options);
  std::erase_if(words.rest, [](const std::string& word) {
    return std::ranges::find(kNothing, word) != kNothing.end();
  });
  NewMount what{.type = remote_type(backend, options),
                .source = options.device,
                .options = std::move(words.rest),
                .flags = words.flags};
  what.flags.read_only = what.flags.read_only || options.access == Access::kReadOnly;
  what.read_only_fs = what.flags.read_only;
  if (is_nfs(what.type)) add_soft_defaults(what.options);
  if (is_nfs(what.type) || is_cifs(what.type))
    TRY_STATUS(set_address(what.options, options.device, resolve));
  if (takes_owner(what.type)) add_owner(what.options, options);
  std::vector<std::string> login;
  TRY_STATUS(add_credentials(login, credentials));
  if (what.type == "ceph") std::ranges::for_each(login, rename_for_ceph);
  what.options.insert(what.options.end(), login.begin(), login.end());
  return what;
}

}  // namespace fairlead::volume
