#include "plugin-api/docker/codec_volume.h"

#include "base/host.h"

namespace fairlead::docker {

namespace {

using json::Json;
using json::Object;

Result<CreateVolumeRequest> read_create_volume(const Object& root) {
  CreateVolumeRequest request;
  TRY(request.name, root.string("Name"));
  TRY(request.options, root.string_map_or_empty("Opts"));
  return request;
}

Result<VolumeRequest> read_volume(const Object& root) {
  TRY(auto name, root.string("Name"));
  return VolumeRequest{std::move(name)};
}

Result<MountRequest> read_mount(const Object& root) {
  MountRequest request;
  TRY(request.name, root.string("Name"));
  TRY(request.id, id_field(root, "ID"));
  return request;
}

// CreatedAt must be a time or absent: an empty text makes Docker drop the whole answer.
Json volume_json(const volume::Volume& volume) {
  Json json{{"Name", volume.name.str()}, {"Mountpoint", volume.mountpoint}};
  if (volume.created > 0) json["CreatedAt"] = rfc3339(volume.created);
  return json;
}

// What `docker volume inspect` shows under Status. In Docker's spelling; sizes in bytes; what is
// not known, or was never done, is absent.
Json status_json(const volume::Volume& volume, const volume::VolumeStatus& status) {
  Json json{{"Backend", status.backend}, {"Health", status.health}, {"Snapshots", Json::array()}};
  for (const volume::Snapshot& snapshot : volume.snapshots)
    json["Snapshots"].push_back(snapshot.name.str());
  if (!volume.pool.empty()) json["Pool"] = volume.pool;
  if (!status.reason.empty()) json["Reason"] = status.reason;
  if (status.size) json["Size"] = *status.size;
  if (status.used) json["Used"] = *status.used;
  if (status.inodes) json["Inodes"] = *status.inodes;
  if (status.inodes_used) json["InodesUsed"] = *status.inodes_used;
  if (status.in_use) json["InUse"] = *status.in_use;
  if (!status.users.empty()) json["Users"] = status.users;
  if (volume.backed_up > 0) json["LastBackup"] = rfc3339(volume.backed_up);
  return json;
}

}  // namespace

Result<CreateVolumeRequest> decode_create_volume(std::string_view body) {
  return decode_with(body, read_create_volume);
}
Result<VolumeRequest> decode_volume(std::string_view body) {
  return decode_with(body, read_volume);
}
Result<MountRequest> decode_mount(std::string_view body) { return decode_with(body, read_mount); }

std::string encode(const Mountpoint& mountpoint) {
  return json::dump({{"Mountpoint", mountpoint.path}, {"Err", ""}});
}

std::string encode(const InspectedVolume& inspected) {
  Json volume = volume_json(inspected.volume);
  volume["Status"] = status_json(inspected.volume, inspected.status);
  return json::dump({{"Volume", std::move(volume)}, {"Err", ""}});
}

std::string encode(const std::vector<volume::Volume>& volumes) {
  Json list = Json::array();
  for (const volume::Volume& volume : volumes) list.push_back(volume_json(volume));
  return json::dump({{"Volumes", std::move(list)}, {"Err", ""}});
}

}  // namespace fairlead::docker
