#include "plugin-api/docker/codec_volume.h"

#include "base/host.h"

namespace fairlead::docker {

namespace {

using json::defaulted;
using json::fields;
using json::Json;
using json::required;
using json::shown;
using json::sparse;

// A blank name is passed on: the core says what a name is.
constexpr json::Reading kBlankIsAName{};

constexpr auto kCreateVolume = fields(required<&CreateVolumeRequest::name>("Name"),
                                      defaulted<&CreateVolumeRequest::options>("Opts"));
constexpr auto kVolumeRequest = fields(required<&VolumeRequest::name>("Name"));
constexpr auto kMount =
    fields(required<&MountRequest::name>("Name"), required<&MountRequest::id>("ID", kId));

Json time_or_none(std::int64_t time) { return time > 0 ? Json(rfc3339(time)) : Json(); }

// CreatedAt must be a time or absent: an empty text makes Docker drop the whole answer.
Json created_at(const volume::Volume& volume) { return time_or_none(volume.created); }

constexpr auto kVolume = fields(required<&volume::Volume::name>("Name"),
                                required<&volume::Volume::mountpoint>("Mountpoint"),
                                shown<volume::Volume, created_at>("CreatedAt"));

Json last_backup(const InspectedVolume& inspected) {
  return time_or_none(inspected.volume.backed_up);
}
Json backup_target(const InspectedVolume& inspected) {
  const std::string& folder = inspected.volume.options.backup.folder;
  return folder.empty() ? Json() : Json(folder);
}
Json backup_error(const InspectedVolume& inspected) {
  const std::string& error = inspected.volume.backup.error;
  return error.empty() ? Json() : Json(error);
}
Json snapshot_names(const InspectedVolume& inspected) {
  Json names = Json::array();
  for (const volume::Snapshot& snapshot : inspected.volume.snapshots)
    names.push_back(snapshot.name.str());
  return names;
}

// As text: Docker reads numbers of a Status as floats, and shows 10 GiB as 1.073741824e+10.
template <auto Member>
Json digits(const InspectedVolume& inspected) {
  const auto& number = inspected.status.*Member;
  return number ? Json(std::to_string(*number)) : Json();
}

// What `docker volume inspect` shows under Status. In Docker's spelling; sizes in bytes; what is
// not known, or was never done, is absent.
using volume::VolumeStatus;
using enum volume::Condition;
constexpr auto kCondition =
    json::one_of<kOk, kWarning, kFull, kDiskFull, kDamaged, kMissing, kOffline, kLocked>();
constexpr auto kStatus = fields(
    required<&InspectedVolume::status, &VolumeStatus::backend>("Backend"),
    required<&InspectedVolume::status, &VolumeStatus::condition>("Condition", kCondition),
    required<&InspectedVolume::status, &VolumeStatus::health>("Health"),
    shown<InspectedVolume, snapshot_names>("Snapshots"),
    sparse<&InspectedVolume::volume, &volume::Volume::pool>("Pool"),
    sparse<&InspectedVolume::status, &VolumeStatus::reason>("Reason"),
    shown<InspectedVolume, digits<&VolumeStatus::size>>("Size"),
    shown<InspectedVolume, digits<&VolumeStatus::used>>("Used"),
    shown<InspectedVolume, digits<&VolumeStatus::only_in_snapshots>>("OnlyInSnapshots"),
    shown<InspectedVolume, digits<&VolumeStatus::inodes>>("Inodes"),
    shown<InspectedVolume, digits<&VolumeStatus::inodes_used>>("InodesUsed"),
    sparse<&InspectedVolume::status, &VolumeStatus::in_use>("InUse"),
    sparse<&InspectedVolume::status, &VolumeStatus::users>("Users"),
    shown<InspectedVolume, last_backup>("LastBackup"),
    sparse<&InspectedVolume::volume, &volume::Volume::left_out, &volume::LeftOut::count>("LeftOut"),
    shown<InspectedVolume, backup_target>("BackupTarget"),
    shown<InspectedVolume, backup_error>("BackupError"));

// The same of a snapshot: what it is one of, and who has it mounted.
using volume::SnapshotView;
Json view_created(const SnapshotView& view) { return time_or_none(view.snapshot.created); }
Json view_name(const SnapshotView& view) { return view.name(); }
Json view_in_use(const SnapshotView& view) { return !view.users.empty(); }
Json always(const SnapshotView&) { return true; }
constexpr auto kView = fields(shown<SnapshotView, view_name>("Name"),
                              required<&SnapshotView::mountpoint>("Mountpoint"),
                              shown<SnapshotView, view_created>("CreatedAt"));
constexpr auto kViewStatus =
    fields(required<&SnapshotView::backend>("Backend"), required<&SnapshotView::health>("Health"),
           required<&SnapshotView::volume>("SnapshotOf"), shown<SnapshotView, always>("ReadOnly"),
           shown<SnapshotView, view_in_use>("InUse"), sparse<&SnapshotView::users>("Users"));

}  // namespace

Result<CreateVolumeRequest> decode_create_volume(std::string_view body) {
  return decode_body(body, kCreateVolume, kBlankIsAName);
}
Result<VolumeRequest> decode_volume(std::string_view body) {
  return decode_body(body, kVolumeRequest, kBlankIsAName);
}
Result<MountRequest> decode_mount(std::string_view body) {
  return decode_body(body, kMount, kBlankIsAName);
}

std::string encode(const Mountpoint& mountpoint) {
  return json::dump({{"Mountpoint", mountpoint.path}, {"Err", ""}});
}

std::string encode(const InspectedVolume& inspected) {
  if (inspected.view) {
    Json view = json::write(*inspected.view, kView);
    view["Status"] = json::write(*inspected.view, kViewStatus);
    return json::dump({{"Volume", std::move(view)}, {"Err", ""}});
  }
  Json volume = json::write(inspected.volume, kVolume);
  volume["Status"] = json::write(inspected, kStatus);
  return json::dump({{"Volume", std::move(volume)}, {"Err", ""}});
}

std::string encode(const std::vector<volume::Volume>& volumes) {
  Json list = Json::array();
  for (const volume::Volume& volume : volumes) list.push_back(json::write(volume, kVolume));
  return json::dump({{"Volumes", std::move(list)}, {"Err", ""}});
}

}  // namespace fairlead::docker
