#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "base/text.h"
#include "volume/service/backup.h"
#include "volume/service/parallel.h"
#include "volume/service/progress_reporter.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostFindings = 100;
constexpr std::uint64_t kPackEstimate = 16U << 20;  // about the size of a pack

class Verifier {
 public:
  Verifier(const BackupFolder& folder, const ChunkStore& store, ProgressReporter& reporter)
      : folder_(folder), store_(store), reporter_(reporter) {}

  Status check_packs(const std::vector<Digest>& packs);
  Status check_backup(const BackupSummary& backup);
  CheckReport report();
  void find(std::string line);

 private:
  Status check_entries(const BackupSummary& backup);
  void judge(const Digest& pack, const Result<std::vector<Digest>>& bad);

  const BackupFolder& folder_;
  const ChunkStore& store_;
  ProgressReporter& reporter_;
  std::set<Digest> bad_;
  std::vector<std::string> findings_;
  std::size_t count_ = 0;
};

void Verifier::find(std::string line) {
  if (++count_ <= kMostFindings) findings_.push_back(std::move(line));
}

void Verifier::judge(const Digest& pack, const Result<std::vector<Digest>>& bad) {
  if (!bad) return find(fmt::format("pack {} cannot be read: {}", to_hex(pack), bad.error().text));
  bad_.insert(bad->begin(), bad->end());
  if (!bad->empty())
    find(
        fmt::format("pack {}.pack is damaged: {} chunks are lost; delete it, and the next "
                    "backup stores again what the volume still has",
                    to_hex(pack), bad->size()));
}

// Several packs at the same time, a megabyte of each in memory. Progress is told by this thread
// alone.
Status Verifier::check_packs(const std::vector<Digest>& packs) {
  const auto self = std::this_thread::get_id();
  std::atomic<std::uint64_t> done = 0;
  std::mutex mutex;
  Status told;
  in_parallel(packs.size(), store_.checkers(), [&](std::size_t k) {
    const auto bad = store_.check_pack(packs[k]);
    const std::lock_guard guard(mutex);
    judge(packs[k], bad);
    done += kPackEstimate;
    if (std::this_thread::get_id() == self && told) told = reporter_.add(done.exchange(0));
    return told.has_value();
  });
  return told;
}

Status Verifier::check_entries(const BackupSummary& backup) {
  TRY(auto reader, folder_.read_index(backup));
  BackupEntry entry;
  for (;;) {
    TRY(const bool is_there, reader.next(entry));
    if (!is_there) return {};
    const auto lost = std::ranges::count_if(entry.chunks, [&](const Chunk& chunk) {
      return !store_.has(chunk.digest) || bad_.contains(chunk.digest);
    });
    if (lost > 0)
      find(fmt::format("backup {}: file \"{}\" is damaged: {} of {} chunks are lost",
                       backup.info.id, shown(entry.entry.path), lost, entry.chunks.size()));
  }
}

Status Verifier::check_backup(const BackupSummary& backup) {
  const auto checked = check_entries(backup);
  if (!checked) find(fmt::format("backup {}: {}", backup.info.id, checked.error().text));
  return reporter_.add(0);
}

CheckReport Verifier::report() {
  if (count_ > kMostFindings) findings_.push_back(fmt::format("{} more", count_ - kMostFindings));
  return {.clean = count_ == 0, .findings = std::move(findings_)};
}

}  // namespace

Result<CheckReport> run_verify(const BackupFolder& folder,
                               const std::vector<BackupSummary>& backups,
                               const Progress& progress) {
  TRY(const auto store, folder.chunks());
  std::set<Digest> packs;
  for (const BackupSummary& backup : backups)
    packs.insert(backup.packs.begin(), backup.packs.end());
  ProgressReporter reporter(progress, packs.size() * kPackEstimate);
  Verifier verifier(folder, store, reporter);
  TRY_STATUS(verifier.check_packs({packs.begin(), packs.end()}));
  for (const BackupSummary& backup : backups) TRY_STATUS(verifier.check_backup(backup));
  return verifier.report();
}

}  // namespace fairlead::volume
