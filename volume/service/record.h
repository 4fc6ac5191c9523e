// The record of a volume in the store: Volume to JSON text and back.
//
//   {"id":"3f…","name":"shop","backend":"dir","options":{"uid":"1000"},"labels":{},"phase":"ready","created":1767225600,
//    "boot":"6c1f…","mounts":[{"client":"docker","id":"9a…","count":1}],"counted":1767225700,
//    "unflushed":true,"pool":"fast","former":"store","backed_up":1767225800,
//    "backup":{"done":1767225800,"tried":1767229400,"since":1767229400,"failures":1,"error":"…"},
//    "snapshots":[{"id":"77…","name":"monday","origin":"user","created":1767225650,"size":1073741824,"mounts":[as above]}],
//    "change":{"kind":"rollback","snapshot":{…},"kept":{…}}}
//    or             {"kind":"resize","size":2147483648,"automatic":true}
//
// A snapshot that was taken of several volumes at one moment has their common "group":"5b…" as well.
// `deleted` is present in phase deleting. `boot` is the boot in which the mounts were counted, and
// `counted` the time of the last count. `unflushed`: the data may not be on the disk yet
// (Backend::settle); nobody has written to it. `former` is the volume's name before the last rename.
// Everything after "created" may be missing, as in records of older versions.
//
// The record of a removed volume (volume-trash/<id>, volume-going/<id>) is {"due":1767830400,"volume":{as above}}.
#pragma once

#include <string>
#include <string_view>

#include "volume/api/types.h"
#include "volume/service/disk_level.h"

namespace fairlead::volume {

// A volume as the store holds it, with the fields that only the service needs.
struct Entry {
  Volume volume;
  long long counted = 0;  // Unix seconds of the last mount; 0: no mounts
  std::string former;     // name before the last rename, or empty
  bool unflushed = false;

  bool operator==(const Entry&) const = default;
};

std::string to_record(const Entry& entry, const std::string& boot);

struct ParsedRecord {
  Entry entry;               // without mounts of another boot: their mount namespaces are gone
  bool void_mounts = false;  // there were mounts of another boot
};

// kInternal when the text is not a record. `boot` is the present boot.
Result<ParsedRecord> parse_record(std::string_view text, const std::string& boot);

std::string to_disk_record(const DiskState& state);
Result<DiskState> parse_disk_record(std::string_view text);  // kInternal when it is none

// Why a volume could not grow; empty when the text cannot be read.
std::string growth_error_of(std::string_view text);

std::string to_trash_record(const TrashedVolume& trashed);
Result<TrashedVolume> parse_trash_record(std::string_view text);  // kInternal when it is none

}  // namespace fairlead::volume
