// VolumeDriver on the wire, as Docker and Podman speak it: bodies to values, values to bodies.
// Pure; fuzzed.
//
//   Create {"Name":"data","Opts":{"size":"1G"}}   Opts may be null or absent
//   Mount  {"Name":"data","ID":"acb6..."}         Docker: one id per mount; Podman: one constant
//   Get    {"Name":"data"} -> {"Volume":{"Name":"data","Mountpoint":"/...",
//          "CreatedAt":"2026-01-01T00:00:00Z","Status":{"Backend":"dir","Health":"ok","Used":4096,
//          "Snapshots":["monday"]}},"Err":""}
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/docker/codec_common.h"
#include "volume/api/types.h"

namespace fairlead::docker {

struct CreateVolumeRequest {
  std::string name;  // as sent: Docker does not check it
  std::map<std::string, std::string> options;

  bool operator==(const CreateVolumeRequest&) const = default;
};

struct VolumeRequest {  // Remove, Path, Get
  std::string name;

  bool operator==(const VolumeRequest&) const = default;
};

struct MountRequest {  // Mount, Unmount
  std::string name, id;

  bool operator==(const MountRequest&) const = default;
};

Result<CreateVolumeRequest> decode_create_volume(std::string_view body);
Result<VolumeRequest> decode_volume(std::string_view body);
Result<MountRequest> decode_mount(std::string_view body);

struct Mountpoint {
  std::string path;
};

struct InspectedVolume {
  volume::Volume volume;
  volume::VolumeStatus status;
  std::optional<volume::SnapshotView> view = {};  // of a snapshot, in the place of the volume
};

std::string encode(const Mountpoint& mountpoint);
std::string encode(const InspectedVolume& inspected);
std::string encode(const std::vector<volume::Volume>& volumes);

}  // namespace fairlead::docker
