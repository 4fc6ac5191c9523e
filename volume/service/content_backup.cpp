#include "volume/service/content_backup.h"

#include <set>

#include "base/text.h"
#include "volume/service/content_live.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kZeros = 64 << 10;

bool is_beneath(const std::string& path, const std::string& folder) {
  if (folder.empty()) return !path.empty();
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

bool is_in(const std::string& path, const std::string& folder) {
  return path == folder || is_beneath(path, folder);
}

// "a/b/c" seen from "a" is "b/c".
std::string path_from(const std::string& path, const std::string& folder) {
  if (folder.empty() || path == folder) return path == folder ? std::string() : path;
  return path.substr(folder.size() + 1);
}

bool is_child(const std::string& path, const std::string& folder) {
  return is_beneath(path, folder) && path_from(path, folder).find('/') == std::string::npos;
}

DataRanges ranges_of(const BackupEntry& entry) {
  DataRanges ranges;
  for (const Chunk& chunk : entry.chunks) {
    if (!ranges.empty() && ranges.back().first + ranges.back().second == chunk.offset)
      ranges.back().second += chunk.length;
    else
      ranges.emplace_back(chunk.offset, chunk.length);
  }
  return ranges;
}

Result<std::string> content_of(ChunkStore& store, const Chunk& chunk, const std::string& path) {
  auto bytes = store.get(chunk.digest);
  if (bytes && bytes->size() != chunk.length)
    bytes = fail(Code::kInvalid, "a chunk has another length");
  if (bytes) return bytes;
  return fail(Code::kInvalid,
              "file \"/{}\" cannot be read: {}; `fairlead backup verify` tells what else is "
              "affected",
              printable(path), bytes.error().text);
}

// The hole of a file may be larger than anybody waits for.
Status write_zeros(int fd, std::uint64_t count, ProgressReporter& reporter) {
  static const std::string kBlock(kZeros, '\0');
  while (count > 0) {
    const auto part = std::min<std::uint64_t>(count, kZeros);
    TRY_STATUS(write_out(fd, std::string_view(kBlock).substr(0, part)));
    TRY_STATUS(reporter.add(part));
    count -= part;
  }
  return {};
}

}  // namespace

// The index is read to its end, where its digest is compared.
Status BackupContent::scan(const OnEntry& each) const {
  TRY(auto reader, folder_.read_index(backup_));
  bool found = false;
  std::optional<TreeEntry> barrier;
  for (;;) {
    TRY(const auto entry, reader.next());
    if (!entry) break;
    const TreeEntry& tree = entry->entry;
    if (is_in(tree.path, path_)) {
      found = true;
      TRY_STATUS(each(*entry));
    } else if (is_beneath(path_, tree.path) && tree.kind != EntryKind::kFolder) {
      barrier = tree;
    }
  }
  if (found) return {};
  if (barrier) return not_a_folder(*barrier, barrier->path);
  return nothing_there(path_);
}

Result<BackupEntry> BackupContent::find(const std::string& path) const {
  TRY(auto reader, folder_.read_index(backup_));
  std::optional<BackupEntry> found;
  for (;;) {
    TRY(auto entry, reader.next());
    if (!entry) break;
    if (entry->entry.path == path) found = std::move(*entry);
  }
  if (!found) return nothing_there(path);
  return std::move(*found);
}

Result<TreeEntry> BackupContent::look() const {
  std::optional<TreeEntry> seen;
  TRY_STATUS(scan([&](const BackupEntry& entry) -> Status {
    if (entry.entry.path == path_) seen = entry.entry;
    return {};
  }));
  if (!seen) return nothing_there(path_);
  return std::move(*seen);
}

Status BackupContent::list(VolumeContent::Reach reach, const VolumeContent::Visit& visit) const {
  return scan([&](const BackupEntry& entry) -> Status {
    const TreeEntry& tree = entry.entry;
    const bool itself = tree.path == path_;
    if (itself && tree.kind == EntryKind::kFolder) return {};
    if (!itself && reach == VolumeContent::Reach::kHere && !is_child(tree.path, path_)) return {};
    return visit(shown_entry(tree, tree.path));
  });
}

Status BackupContent::read(int fd, const Progress& progress) const {
  std::optional<BackupEntry> wanted;
  TRY_STATUS(scan([&](const BackupEntry& entry) -> Status {
    if (entry.entry.path == path_) wanted = entry;
    return {};
  }));
  if (!wanted) return nothing_there(path_);
  if (wanted->entry.kind != EntryKind::kFile) return not_a_file(wanted->entry, path_);
  if (!wanted->entry.hard_link.empty()) {
    TRY(wanted, find(wanted->entry.hard_link));
  }
  TRY(auto store, folder_.chunks());
  ProgressReporter reporter(progress, wanted->entry.size);
  std::uint64_t at = 0;
  for (const Chunk& chunk : wanted->chunks) {
    TRY(const auto bytes, content_of(store, chunk, path_));
    TRY_STATUS(write_zeros(fd, chunk.offset - at, reporter));
    TRY_STATUS(write_out(fd, bytes));
    at = chunk.offset + chunk.length;
    TRY_STATUS(reporter.add(bytes.size()));
  }
  return write_zeros(fd, wanted->entry.size - at, reporter);
}

// The files outside of the path that hard links below it lead to, by their paths.
Result<std::map<std::string, BackupEntry>> BackupContent::linked_from_outside() const {
  std::set<std::string> wanted;
  TRY_STATUS(scan([&](const BackupEntry& entry) -> Status {
    const std::string& link = entry.entry.hard_link;
    if (!link.empty() && !is_in(link, path_)) wanted.insert(link);
    return {};
  }));
  std::map<std::string, BackupEntry> found;
  if (wanted.empty()) return found;
  TRY(auto reader, folder_.read_index(backup_));
  for (;;) {
    TRY(auto entry, reader.next());
    if (!entry) return found;
    if (wanted.contains(entry->entry.path)) {
      std::string path = entry->entry.path;
      found.emplace(std::move(path), std::move(*entry));
    }
  }
}

// The first link to a file outside of the copy becomes that file, the others links to it.
Status BackupContent::copy(ContentCopy& copy) const {
  TRY(auto outside, linked_from_outside());
  std::map<std::string, std::string> inside;  // the first path in the copy, by the path outside
  TRY(auto store, folder_.chunks());
  return scan([&](const BackupEntry& seen) -> Status {
    BackupEntry entry = seen;
    std::string& link = entry.entry.hard_link;
    const std::string path = path_from(entry.entry.path, path_);
    if (const auto other = outside.find(link); !link.empty() && other != outside.end()) {
      const auto [first, fresh] = inside.try_emplace(link, path);
      if (fresh) {
        entry = other->second;
        entry.entry.hard_link.clear();
      } else {
        link = first->second;
      }
    } else if (!link.empty()) {
      link = path_from(link, path_);
    }
    entry.entry.path = path;
    TRY_STATUS(copy.add(entry.entry, ranges_of(entry)));
    if (!entry.entry.hard_link.empty()) return {};
    for (const Chunk& chunk : entry.chunks) {
      TRY(const auto bytes, content_of(store, chunk, seen.entry.path));
      TRY_STATUS(copy.write(chunk.offset, bytes));
    }
    return {};
  });
}

}  // namespace fairlead::volume
