// A tree on the disk to an archive, and back.
#pragma once

#include "volume/api/service.h"
#include "volume/kernel/archive.h"
#include "volume/kernel/tree_reader.h"
#include "volume/kernel/tree_writer.h"

namespace fairlead::volume {

struct ExportedTree {
  ArchiveReport report;
  WalkNotes notes;
};

// `data` and `to` are borrowed. The digest is that of the archive's bytes, as sha256sum(1) shows
// it.
Result<ExportedTree> export_tree(int data, int to, std::uint64_t total, const Progress& progress,
                                 Hollow hollow = Hollow::kNote);

// `from` is borrowed; `sha256` is what the digest of all that it gives must be, in lower case, or
// empty; `total` is the size of the archive, 0: not known. kInvalid for a damaged archive, and for
// another digest; only then is known what the content is worth.
Status import_tree(int from, const std::string& sha256, TreeWriter& writer, std::uint64_t total,
                   const Progress& progress);

}  // namespace fairlead::volume
