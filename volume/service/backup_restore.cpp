#include <deque>

#include "base/fault.h"
#include "base/text.h"
#include "volume/service/backup.h"
#include "volume/service/chunk_stream.h"
#include "volume/service/progress_reporter.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kBlock = 4096;
// Read ahead of what is written: bytes of content, and entries with what they say.
constexpr std::uint64_t kMostAhead = 16U << 20;
constexpr std::size_t kMostEntriesAhead = 4096, kMostPathsAhead = 4U << 20;

// Leaves runs of zeros as holes.
Status write_sparse(TreeWriter& writer, std::uint64_t offset, std::string_view bytes) {
  static const std::string kZeros(kBlock, '\0');
  std::size_t from = 0;
  for (std::size_t at = 0; at < bytes.size(); at += kBlock) {
    const std::string_view block = bytes.substr(at, kBlock);
    if (block != std::string_view(kZeros).substr(0, block.size())) continue;
    if (at > from) TRY_STATUS(writer.write(offset + from, bytes.substr(from, at - from)));
    from = at + block.size();
  }
  return from < bytes.size() ? writer.write(offset + from, bytes.substr(from)) : Status();
}

// Reads the index ahead, and with it the chunks.
class Restoration {
 public:
  Restoration(const ChunkStore& store, IndexReader index, TreeWriter& writer,
              ProgressReporter& reporter)
      : chunks_(store), index_(std::move(index)), writer_(writer), reporter_(reporter) {}

  Status run();

 private:
  bool wants_more() const;
  Status look_ahead();
  Status write(const BackupEntry& entry);

  ChunkStream chunks_;
  IndexReader index_;
  TreeWriter& writer_;
  ProgressReporter& reporter_;
  std::deque<BackupEntry> ahead_;
  std::size_t paths_ = 0;  // bytes of those ahead
  bool over_ = false;
};

bool Restoration::wants_more() const {
  return !over_ && (ahead_.empty() || (chunks_.pending() < kMostAhead && paths_ < kMostPathsAhead &&
                                       ahead_.size() < kMostEntriesAhead));
}

Status Restoration::look_ahead() {
  while (wants_more()) {
    TRY(auto entry, index_.next());
    over_ = !entry;
    if (over_) return {};
    for (const Chunk& chunk : entry->chunks) chunks_.ask(chunk);
    paths_ += entry->entry.path.size();
    ahead_.push_back(std::move(*entry));
  }
  return {};
}

Status Restoration::write(const BackupEntry& entry) {
  TRY_STATUS(writer_.add(entry.entry));
  for (const Chunk& chunk : entry.chunks) {
    const auto bytes = chunks_.next();
    if (!bytes)
      return fail(Code::kInvalid,
                  "file \"{}\" cannot be restored: {}; `verify` tells what else is affected",
                  shown(entry.entry.path), bytes.error().text);
    TRY_STATUS(entry.has_holes ? write_sparse(writer_, chunk.offset, *bytes)
                               : writer_.write(chunk.offset, *bytes));
    TRY_STATUS(reporter_.add(bytes->size()));
  }
  return reporter_.add(0);
}

Status Restoration::run() {
  for (;;) {
    TRY_STATUS(look_ahead());
    if (ahead_.empty()) return writer_.finish();
    TRY_STATUS(write(ahead_.front()));
    paths_ -= ahead_.front().entry.path.size();
    ahead_.pop_front();
    fault_point("backup.restore.entry");
  }
}

}  // namespace

Status run_restore(const BackupFolder& folder, const BackupSummary& backup, TreeWriter& writer,
                   const Progress& progress) {
  TRY(const auto store, folder.chunks());
  TRY(auto index, folder.read_index(backup));
  ProgressReporter reporter(progress, backup.info.bytes);
  return Restoration(store, std::move(index), writer, reporter).run();
}

}  // namespace fairlead::volume
