// Writes a tree on the disk to an archive, and an archive to a tree.
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

// `data` and `to` are borrowed. The digest is of the archive's bytes, as sha256sum(1) shows it.
Result<ExportedTree> export_tree(int data, int to, std::uint64_t total, const Progress& progress,
                                 Hollow hollow = Hollow::kNote, const WalkFilter* filter = nullptr);

// `from` is borrowed. `sha256` is the expected digest of everything that `from` gives, in lower
// case, or empty. `total` is the size of the archive, 0 when it is not known. kInvalid for a
// damaged archive or another digest; only when the import succeeds is the content trustworthy.
Status import_tree(int from, const std::string& sha256, TreeWriter& writer, std::uint64_t total,
                   const Progress& progress);

}  // namespace fairlead::volume
