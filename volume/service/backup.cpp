#include "volume/service/backup.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <span>

#include "base/fault.h"
#include "base/hash.h"
#include "base/text.h"
#include "volume/kernel/tree_reader.h"
#include "volume/service/exclude_filter.h"
#include "volume/service/left_out.h"
#include "volume/service/progress_reporter.h"

namespace fairlead::volume {

namespace {

constexpr const char* kStamp = "%Y%m%dT%H%M%SZ";
constexpr std::size_t kStampSize = 16;
// Of a folder. The index keeps what is new in each path, so that deep trees cost little; some work
// is done with whole paths, though.
constexpr std::size_t kLongestPath = 4U << 20;
constexpr long long kLastSecond = 253402300799;  // of the year 9999

std::string stamp_of(long long seconds) {
  const std::time_t time = std::clamp(seconds, 0LL, kLastSecond);
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char buffer[32];
  return std::string(buffer, std::strftime(buffer, sizeof buffer, kStamp, &utc));
}

// The time in an id; 0 when there is none.
long long time_in(const std::string& id) {
  std::tm utc{};
  const std::string stamp = id.substr(0, kStampSize);
  const char* const end = ::strptime(stamp.c_str(), kStamp, &utc);
  return end != nullptr && *end == '\0' ? ::timegm(&utc) : 0;
}

// "20260131T120000Z-3f2a…": sorts by time, and is a valid name in any file system. It sorts last
// even when the clock was set back, or for two backups in one second.
std::string make_id(long long created, const std::vector<BackupSummary>& there) {
  const long long last = there.empty() ? 0 : time_in(there.back().info.id);
  return fmt::format("{}-{}", stamp_of(std::max(created, last + 1)), random_hex(8));
}

// The index of the previous backup, read in step with the walk, because both have the same order.
class Before {
 public:
  static Result<Before> open(const BackupFolder& folder, const BackupSummary& summary) {
    TRY(auto reader, folder.read_index(summary));
    return Before(std::move(reader), summary.started);
  }
  // The entry of this path, or nullptr. After damage in the index it always returns nullptr, so
  // that everything is read again.
  const BackupEntry* find(const std::string& path) {
    while (!over_ && (!begun_ || compare_paths(entry_.entry.path, path) < 0)) {
      const auto next = reader_.next(entry_);
      over_ = !next || !*next;
      begun_ = true;
    }
    return !over_ && entry_.entry.path == path ? &entry_ : nullptr;
  }
  const FileTime& started() const { return started_; }

 private:
  Before(IndexReader reader, FileTime started) : reader_(std::move(reader)), started_(started) {}
  IndexReader reader_;
  FileTime started_;
  BackupEntry entry_;
  bool begun_ = false, over_ = false;
};

// The kernel's times advance in steps of some milliseconds, and a file that changed in the same
// step in which it was read looks unchanged. So a file counts as seen only if it was last changed
// more than a second before.
bool was_at_rest(const FileTime& ctime, const FileTime& started) {
  return ctime < FileTime{.seconds = started.seconds - 1, .nanos = started.nanos};
}

bool is_unchanged(const TreeEntry& now, const BackupEntry& then, const FileTime& started) {
  return now.kind == EntryKind::kFile && then.entry.kind == EntryKind::kFile &&
         now.hard_link == then.entry.hard_link && now.inode == then.entry.inode && now.inode != 0 &&
         now.size == then.entry.size && now.mtime == then.entry.mtime &&
         now.ctime == then.entry.ctime && was_at_rest(now.ctime, started);
}

// --- back up

class BackupRun {
 public:
  BackupRun(const BackupFolder& folder, const BackupRequest& request, const Progress& progress,
            ChunkStore store, IndexWriter index)
      : folder_(folder),
        request_(request),
        reporter_(progress, request.total),
        store_(std::move(store)),
        index_(std::move(index)) {}

  Result<BackupResult> run(const BackupFolder::Listing& listing);

 private:
  Status visit(TreeCursor& cursor);
  Status read_content(const UniqueFd& file, BackupEntry& entry);
  Status read_chunk(int file, std::uint64_t offset, std::uint64_t length, BackupEntry& entry);
  Status keep(const BackupEntry& entry);
  bool mark_all(const std::vector<Chunk>& chunks);

  const BackupFolder& folder_;
  const BackupRequest& request_;
  ProgressReporter reporter_;
  ChunkStore store_;
  IndexWriter index_;
  std::optional<Before> before_;
  std::string buffer_ = std::string(kChunkSize, '\0');
  WalkNotes notes_;
  std::uint64_t bytes_ = 0, entries_ = 0;
};

bool BackupRun::mark_all(const std::vector<Chunk>& chunks) {
  return std::ranges::all_of(chunks, [&](const Chunk& chunk) { return store_.mark(chunk.digest); });
}

Status BackupRun::keep(const BackupEntry& entry) {
  TRY(const bool is_kept, index_.add(entry));
  if (!is_kept) {
    notes_.add(fmt::format("{} has more attributes than a backup holds; it was left out",
                           printable(entry.entry.path)));
    return {};
  }
  bytes_ += entry.entry.size;
  ++entries_;
  return {};
}

Status BackupRun::read_chunk(int file, std::uint64_t offset, std::uint64_t length,
                             BackupEntry& entry) {
  const auto size = read_at(file, offset, std::span(buffer_).first(length));
  if (!size)
    return fail(with_context(size.error(), fmt::format("file \"{}\"", shown(entry.entry.path))));
  if (*size < length)
    notes_.add(fmt::format("{} became shorter while it was read", printable(entry.entry.path)));
  if (*size == 0) return {};
  const std::string_view bytes = std::string_view(buffer_).substr(0, *size);
  const Chunk chunk{.offset = offset,
                    .length = static_cast<std::uint32_t>(bytes.size()),
                    .digest = store_.digest(bytes)};
  TRY_STATUS(store_.put(chunk.digest, bytes));
  store_.mark(chunk.digest);
  entry.chunks.push_back(chunk);
  return reporter_.add(bytes.size());
}

// A chunk starts at a multiple of the chunk size and covers the data from its first to its last
// byte, so that a change moves no other chunk and holes are not read.
Status BackupRun::read_content(const UniqueFd& file, BackupEntry& entry) {
  const std::uint64_t size = entry.entry.size;
  TRY(const auto ranges, data_ranges(file.get(), size));
  std::uint64_t data = 0, from = 0, to = 0;
  for (const auto& [offset, length] : ranges) {
    data += length;
    for (std::uint64_t at = offset; at < offset + length;) {
      const std::uint64_t end = std::min(offset + length, (at / kChunkSize + 1) * kChunkSize);
      if (to != 0 && at / kChunkSize != (to - 1) / kChunkSize) {
        TRY_STATUS(read_chunk(file.get(), from, to - from, entry));
        to = 0;
      }
      if (to == 0) from = at;
      to = end;
      at = end;
    }
  }
  if (to != 0) TRY_STATUS(read_chunk(file.get(), from, to - from, entry));
  entry.has_holes = data < size;
  return {};
}

Status BackupRun::visit(TreeCursor& cursor) {
  const TreeEntry& seen = cursor.seen();
  const BackupEntry* const then = before_ ? before_->find(seen.path) : nullptr;
  if (then != nullptr && is_unchanged(seen, *then, before_->started()) && mark_all(then->chunks)) {
    TRY_STATUS(reporter_.add(seen.size));
    return keep(*then);
  }
  TRY_STATUS(reporter_.add(0));
  UniqueFd file;
  TRY(auto entry, cursor.read(file));
  BackupEntry now{.entry = std::move(entry), .has_holes = false, .chunks = {}};
  if (file) TRY_STATUS(read_content(file, now));
  return keep(now);
}

Result<BackupResult> BackupRun::run(const BackupFolder::Listing& listing) {
  const auto last = std::find_if(
      listing.backups.rbegin(), listing.backups.rend(),
      [&](const BackupSummary& summary) { return summary.volume_id == request_.volume.id; });
  const bool is_first = last == listing.backups.rend();
  if (!is_first) {
    TRY(auto before, Before::open(folder_, *last));
    before_.emplace(std::move(before));
  }
  const ExcludeFilter filter(request_.excludes);
  const auto walked =
      walk_tree(request_.data, [this](TreeCursor& cursor) { return visit(cursor); }, notes_,
                {.hollow = request_.hollow,
                 .filter = request_.excludes.empty() ? nullptr : &filter,
                 .longest_path = kLongestPath});
  // Flushes also after a stop or failure, so that the next backup need not store again what was
  // read so far.
  const auto flushed = store_.flush();
  if (!walked) return fail(walked.error());
  TRY_STATUS(flushed);
  TRY_STATUS(index_.drain());
  fault_point("backup.content.stored");
  const std::uint64_t stored = store_.stored() + index_.size();
  BackupSummary summary{.info = {.id = make_id(request_.created, listing.backups),
                                 .volume = request_.volume.name.str(),
                                 .created = request_.created,
                                 .bytes = bytes_,
                                 .stored = stored,
                                 .incremental = !is_first,
                                 .left_out = left_out_of(notes_),
                                 .group = request_.group,
                                 .excluded = format_excludes(request_.excludes)},
                        .volume_id = request_.volume.id,
                        .backend = request_.volume.backend,
                        .options = to_map(request_.volume.options),
                        .labels = request_.volume.labels,
                        .started = request_.started,
                        .entries = entries_,
                        .lines = {},
                        .packs = store_.needed_packs()};
  TRY_STATUS(index_.publish(summary));
  BackupResult result{.info = summary.info, .notes = {}};
  // The backup is complete. What cannot be cleaned up now is cleaned up by the next one.
  const auto gone = folder_.collect(store_);
  if (gone && *gone > 0)
    result.notes.push_back(
        fmt::format("{} bytes of backups that did not finish were removed", *gone));
  for (const std::string& line : store_.damaged())
    result.notes.push_back(fmt::format("{}; verify tells what is affected", line));
  return result;
}

}  // namespace

Result<BackupResult> run_backup(const BackupFolder& folder, const BackupRequest& request,
                                const Progress& progress) {
  TRY(const auto listing, folder.list());
  TRY(auto store, folder.chunks(listing));
  TRY(auto index, folder.write_index());
  return BackupRun(folder, request, progress, std::move(store), std::move(index)).run(listing);
}

}  // namespace fairlead::volume
