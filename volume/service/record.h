// The record of a volume in the store: Volume to JSON text and back.
//
//   {"id":"3f…","name":"shop","backend":"dir","options":{"uid":"1000"},"labels":{},"phase":"ready","created":1767225600,
//    "boot":"6c1f…","mounts":[{"client":"docker","id":"9a…","count":1}]}
//
// `deleted` stands there in phase deleting. `boot` is the boot in which the mounts were counted.
#pragma once

#include <string>
#include <string_view>

#include "volume/api/types.h"

namespace fairlead::volume {

std::string to_record(const Volume& volume, const std::string& boot);

struct ParsedRecord {
  Volume volume;             // without mounts of another boot: their mount namespaces are gone
  bool void_mounts = false;  // there were such
};

// kInternal when the text is not a record; `boot` is the present one.
Result<ParsedRecord> parse_record(std::string_view text, const std::string& boot);

}  // namespace fairlead::volume
