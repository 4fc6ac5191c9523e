// volume.json, which is kept beside the data of each volume: enough to write the volume's record
// again when the store is lost, and to take the folder over on another host. It is written before
// the volume is renamed into place, and anew whenever the record changes in one of these.
//
//   {"format":1,"id":"3f…","name":"shop","backend":"dir","options":{"uid":"1000"},"labels":{},"created":1767225600,
//    "pool":"fast","backed_up":1767225800,
//    "snapshots":[{"id":"77…","name":"monday","origin":"user","created":1767225650,"size":1073741824}]}
//
// What follows "created" may be missing, as in files of older versions.
#pragma once

#include <string>
#include <string_view>

#include "volume/api/types.h"

namespace fairlead::volume {

std::string to_volume_json(const Volume& volume);

// kInvalid when the text is not one of these, kUnsupported when it has a newer format. Options that
// this version cannot read are kept as `unread`. The volume's phase is kReady.
Result<Volume> parse_volume_json(std::string_view text);

// kInvalid for what cannot be the id of a volume, snapshot or pool: ids become names of folders.
Status check_written_id(const std::string& id);

}  // namespace fairlead::volume
