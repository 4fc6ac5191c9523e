#include "volume/backends/option_support.h"

#include <algorithm>
#include <array>

#include "base/options/values.h"

namespace fairlead::volume {

namespace {

struct Row {
  std::string_view name;
  bool (*is_set)(const VolumeOptions&);
  std::string_view instead;
};

using Options = VolumeOptions;
constexpr auto kRows = std::to_array<Row>({
    {"size", [](const Options& o) { return o.size.has_value(); },
     "leave it out, or use backend=image or a pool (fairlead pool create)"},
    {"inodes", [](const Options& o) { return o.inodes.has_value(); },
     "leave it out, or use backend=image"},
    {"uid", [](const Options& o) { return o.uid != 0; }, "set the owner where the data lies"},
    {"gid", [](const Options& o) { return o.gid != 0; }, "set the owner where the data lies"},
    {"mode", [](const Options& o) { return o.mode != kDefaultMode; },
     "set the mode where the data lies"},
    {"fstype", [](const Options& o) { return !o.fstype.empty(); }, "it belongs to backend=image"},
    {"type", [](const Options& o) { return !o.type.empty(); }, "leave it out"},
    {"device", [](const Options& o) { return !o.device.empty(); }, "leave it out"},
    {"from", [](const Options& o) { return !o.from_volume.empty(); },
     "there is nothing of its own to copy into; use another backend"},
    {"snapshot", [](const Options& o) { return !o.view_volume.empty(); },
     "it shows a snapshot of another volume, and takes no backend="},
    {"snapshots", [](const Options& o) { return o.snapshots != Schedule{}; },
     "keep it in a pool (fairlead pool create, then pool=NAME), or use backend=image"},
    {"autogrow", [](const Options& o) { return o.autogrow.percent != 0; },
     "it goes with size=, of an image or in a btrfs pool"},
    {"idmap", [](const Options& o) { return !o.idmap.empty(); }, "use backend=dir, btrfs or bind"},
    {"compress", [](const Options& o) { return !o.compress.empty(); },
     "it belongs to backend=btrfs"},
    {"cow", [](const Options& o) { return !o.cow; }, "it belongs to backend=btrfs"},
    {"discard", [](const Options& o) { return !o.discard; }, "it belongs to backend=image"},
    {"encrypt", [](const Options& o) { return !o.encrypt.empty(); }, "use backend=image"},
    {"keyfile", [](const Options& o) { return !o.keyfile.empty(); }, "it belongs to encrypt="},
    {"passwordfile", [](const Options& o) { return !o.passwordfile.empty(); },
     "it belongs to type=cifs"},
});

}  // namespace

Status check_autogrow(const VolumeOptions& options) {
  if (options.autogrow.percent == 0) return {};
  if (options.size && *options.size > options.autogrow.most)
    return fail(Code::kInvalid, "volume option \"autogrow\": its max={} is below size={}",
                format_size(options.autogrow.most), format_size(*options.size));
  if (options.size || !options.from_volume.empty()) return {};
  return fail(Code::kInvalid,
              "volume option \"autogrow\" needs the size that grows; add it, as size=10g");
}

Status refuse_unsupported(std::string_view backend, const VolumeOptions& options,
                          std::initializer_list<std::string_view> supported) {
  for (const Row& row : kRows)
    if (row.is_set(options) && std::ranges::find(supported, row.name) == supported.end())
      return fail(Code::kUnsupported, "volume option \"{}\" is not available with backend {}: {}",
                  row.name, backend, row.instead);
  return {};
}

}  // namespace fairlead::volume
