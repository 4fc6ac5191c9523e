#include "volume/service/backup_repair.h"

#include <fcntl.h>

#include <algorithm>
#include <unordered_set>

#include "base/fault.h"
#include "base/text.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/tree_reader.h"
#include "volume/service/backup_needs.h"
#include "volume/service/progress_reporter.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostLines = 100;
constexpr std::uint64_t kPackEstimate = 16U << 20;  // about the size of a pack

using Digests = std::unordered_set<Digest, DigestHash>;

// At most kMostLines, and how many more there were.
class Lines {
 public:
  void add(std::string line) {
    if (++count_ <= kMostLines) lines_.push_back(std::move(line));
  }
  std::vector<std::string> take() && {
    if (count_ > kMostLines) lines_.push_back(fmt::format("{} more", count_ - kMostLines));
    return std::move(lines_);
  }

 private:
  std::vector<std::string> lines_;
  std::size_t count_ = 0;
};

class Repair {
 public:
  Repair(const BackupFolder& folder, ChunkStore store, const OpenVolumeOf& open_volume,
         const Progress& progress)
      : folder_(folder),
        store_(std::move(store)),
        open_volume_(open_volume),
        reporter_(progress, store_.packs().size() * kPackEstimate) {}

  Result<RepairReport> run(const BackupFolder::Listing& listing);

 private:
  Status check_packs();
  Status check_pack(const Digest& pack);
  Status heal(const BackupSummary& backup);
  Result<std::size_t> heal_file(int data, const BackupEntry& entry);
  Status keep_good();
  Status list_anew();
  Status tell_lost(const BackupSummary& backup);
  // Stored again in another pack, perhaps by a later backup.
  bool lists_missing(const BackupSummary& backup) const {
    const auto& there = store_.packs();
    return std::ranges::any_of(backup.packs, [&](const Digest& pack) {
      return std::ranges::find(there, pack) == there.end();
    });
  }
  bool is_lost(const Digest& chunk) const { return !store_.has(chunk) || bad_.contains(chunk); }

  const BackupFolder& folder_;
  ChunkStore store_;
  const OpenVolumeOf& open_volume_;
  ProgressReporter reporter_;
  std::vector<BackupSummary> backups_;  // those whose index can be read
  Digests bad_;                         // chunks that cannot be read where they are
  std::set<Digest> damaged_;            // packs that have some
  Lines healed_, findings_;
  bool changed_ = false;
};

Status Repair::check_pack(const Digest& pack) {
  const auto bad = store_.check_pack(pack);
  if (!bad) {  // of the disk, perhaps for now only: the pack stays
    findings_.add(fmt::format("pack {} cannot be read: {}", to_hex(pack), bad.error().text));
    for (const PackedChunk& chunk : store_.chunks_in(pack))
      if (!store_.get(chunk.digest)) bad_.insert(chunk.digest);
  } else if (!bad->empty()) {
    damaged_.insert(pack);
    bad_.insert(bad->begin(), bad->end());
  }
  return reporter_.add(kPackEstimate);
}

Status Repair::check_packs() {
  const std::vector<Digest> packs = store_.packs();  // put() adds to them
  for (const Digest& pack : packs) TRY_STATUS(check_pack(pack));
  return {};
}

// The volume may have changed, so a chunk counts only when its digest is right.
Result<std::size_t> Repair::heal_file(int data, const BackupEntry& entry) {
  const auto file =
      open_beneath(data, entry.entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
  std::size_t count = 0;
  if (!file) return count;
  for (const Chunk& chunk : entry.chunks) {
    if (!is_lost(chunk.digest)) continue;
    const auto bytes = read_range(file->get(), chunk.offset, chunk.length);
    if (!bytes || bytes->size() != chunk.length || store_.digest(*bytes) != chunk.digest) continue;
    store_.forget(chunk.digest);
    TRY_STATUS(store_.put(chunk.digest, *bytes));
    bad_.erase(chunk.digest);
    changed_ = true;
    ++count;
    TRY_STATUS(reporter_.add(0));
  }
  return count;
}

Status Repair::heal(const BackupSummary& backup) {
  std::optional<int> data;
  return each_entry_of(folder_, backup, [&](const BackupEntry& entry) -> Status {
    TRY_STATUS(reporter_.add(0));
    const bool lacks = std::ranges::any_of(
        entry.chunks, [&](const Chunk& chunk) { return is_lost(chunk.digest); });
    if (!lacks) return {};
    if (!data) {
      const auto opened = open_volume_(backup);
      if (!opened && opened.error().code != Code::kNotFound)
        findings_.add(fmt::format("volume \"{}\" cannot help: {}", shown(backup.info.volume),
                                  opened.error().text));
      data = opened ? *opened : -1;
    }
    if (*data < 0) return {};
    TRY(const auto count, heal_file(*data, entry));
    if (count > 0)
      healed_.add(fmt::format(
          "backup {}: file \"{}\": {} of {} chunks were taken from volume \"{}\"", backup.info.id,
          shown(entry.entry.path), count, entry.chunks.size(), shown(backup.info.volume)));
    return {};
  });
}

Status Repair::keep_good() {
  for (const Digest& pack : damaged_) {
    std::size_t good = 0;
    for (const PackedChunk& chunk : store_.chunks_in(pack)) {
      const auto bytes = store_.get(chunk.digest);
      store_.forget(chunk.digest);
      if (!bytes) continue;
      TRY_STATUS(store_.put(chunk.digest, *bytes));
      ++good;
      TRY_STATUS(reporter_.add(0));
    }
    changed_ = true;
    healed_.add(fmt::format("pack {}.pack is damaged: {} chunks that are good are packed anew",
                            to_hex(pack), good));
  }
  return {};
}

// Indexes first, then the packs that they listed.
Status Repair::list_anew() {
  TRY_STATUS(store_.flush());
  fault_point("backup.repair.stored");
  for (const BackupSummary& backup : backups_) {
    // A pack that cannot be read for now stays in the list.
    std::set<Digest> also;
    for (const Digest& pack : backup.packs)
      if (!damaged_.contains(pack)) also.insert(pack);
    TRY_STATUS(rewrite_index(folder_, store_, backup, also));
    fault_point("backup.repair.listed");
  }
  for (const Digest& pack : damaged_) {
    // All of it was mended: the new pack has the same bytes as this one had, and so its name.
    if (!store_.chunks_in(pack).empty()) continue;
    TRY([[maybe_unused]] const auto bytes, store_.remove_pack(pack));
    fault_point("backup.repair.removed");
  }
  return {};
}

Status Repair::tell_lost(const BackupSummary& backup) {
  return each_entry_of(folder_, backup, [&](const BackupEntry& entry) -> Status {
    const auto lost = std::ranges::count_if(
        entry.chunks, [&](const Chunk& chunk) { return is_lost(chunk.digest); });
    if (lost > 0)
      findings_.add(fmt::format("backup {}: file \"{}\" is damaged: {} of {} chunks are lost",
                                backup.info.id, shown(entry.entry.path), lost,
                                entry.chunks.size()));
    return reporter_.add(0);
  });
}

Result<RepairReport> Repair::run(const BackupFolder::Listing& listing) {
  for (const std::string& line : listing.damaged) findings_.add(line);
  TRY_STATUS(check_packs());
  // The newest first: the volume is most like it.
  for (auto backup = listing.backups.rbegin(); backup != listing.backups.rend(); ++backup) {
    const auto healed = heal(*backup);
    if (healed) {
      backups_.push_back(*backup);
    } else if (healed.error().code == Code::kInvalid) {
      findings_.add(healed.error().text);
    } else {
      return fail(healed.error());
    }
  }
  TRY_STATUS(keep_good());
  changed_ = changed_ || std::ranges::any_of(backups_, [&](const BackupSummary& backup) {
               return lists_missing(backup);
             });
  if (changed_) TRY_STATUS(list_anew());
  // A damaged pack that a killed repair left is listed by no backup, but readers would find it.
  TRY([[maybe_unused]] const auto freed, folder_.collect(store_));
  for (const BackupSummary& backup : backups_) TRY_STATUS(tell_lost(backup));
  return RepairReport{.healed = std::move(healed_).take(), .findings = std::move(findings_).take()};
}

}  // namespace

Result<RepairReport> run_repair(const BackupFolder& folder, const OpenVolumeOf& open_volume,
                                const Progress& progress) {
  TRY(const auto listing, folder.list());
  if (listing.backups.empty() && listing.damaged.empty())
    return fail(Code::kNotFound, "there is no backup in {}", folder.path());
  TRY(auto store, folder.chunks(listing));
  return Repair(folder, std::move(store), open_volume, progress).run(listing);
}

}  // namespace fairlead::volume
