// Trash, pools of volumes, jobs, backups and archives, as JSON.
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::defaulted;
using json::fields;
using json::ignored;
using json::Json;
using json::one_of;
using json::required;
using json::shown;
using json::sparse;
using volume::ArchiveReport;
using volume::BackupInfo;
using volume::Job;
using volume::JobState;
using volume::PoolSpec;
using volume::TrashedVolume;
using volume::Volume;
using volume::VolumePool;

namespace {

// ---- trash

Json volume_of(const TrashedVolume& trashed) { return encode_volume(trashed.volume); }
constexpr auto kTrashedVolume =
    fields(required<&TrashedVolume::volume, &Volume::id>("id"),
           required<&TrashedVolume::volume, &Volume::deleted>("deleted", kTime),
           required<&TrashedVolume::due>("due", kTime), shown<TrashedVolume, volume_of>("volume"));

struct TrashRestore {
  VolumeName as;
};
constexpr auto kTrashRestore = fields(sparse<&TrashRestore::as>("as"));

// ---- pools

constexpr auto kPoolSpec =
    fields(required<&PoolSpec::name>("name"), defaulted<&PoolSpec::fstype>("fstype"),
           sparse<&PoolSpec::size>("size", kSize), sparse<&PoolSpec::device>("device"),
           defaulted<&PoolSpec::overwrite>("overwrite"), ignored<PoolSpec>("state"));

constexpr auto kPoolState = fields(
    required<&VolumePool::id>("id"), required<&VolumePool::used>("used"),
    required<&VolumePool::volumes>("volumes"), required<&VolumePool::created>("created", kTime),
    required<&VolumePool::health>("health"), sparse<&VolumePool::warnings>("warnings"));
Json state_of(const VolumePool& pool) { return json::write(pool, kPoolState); }

constexpr auto kPool =
    fields(required<&VolumePool::name>("name"), required<&VolumePool::fstype>("fstype"),
           sparse<&VolumePool::size>("size"), sparse<&VolumePool::device>("device"),
           shown<VolumePool, state_of>("state"));

struct PoolGrowth {
  std::optional<std::uint64_t> size;
};
constexpr auto kPoolGrowth = fields(sparse<&PoolGrowth::size>("size", kSize));

// ---- jobs, backups, archives

constexpr auto kJob = fields(
    required<&Job::id>("id"), required<&Job::verb>("verb"), required<&Job::volume>("volume"),
    required<&Job::arguments>("arguments"),
    required<&Job::state>("state", one_of<JobState::kRunning, JobState::kDone, JobState::kFailed,
                                          JobState::kStopped, JobState::kInterrupted>()),
    required<&Job::done>("done"), sparse<&Job::total>("total"),
    required<&Job::started>("started", kTime), sparse<&Job::ended>("ended", kTime),
    sparse<&Job::error>("error"), sparse<&Job::left_out>("left_out"));

constexpr auto kBackup = fields(
    required<&BackupInfo::id>("id"), required<&BackupInfo::volume>("volume"),
    required<&BackupInfo::created>("created", kTime), required<&BackupInfo::bytes>("bytes"),
    required<&BackupInfo::stored>("stored"), required<&BackupInfo::incremental>("incremental"),
    sparse<&BackupInfo::left_out>("left_out", json::object(kLeftOut)),
    sparse<&BackupInfo::group>("group"), sparse<&BackupInfo::excluded>("excluded"));
constexpr auto kBackupForm = json::object(kBackup);

using volume::PruneReport;
using volume::RepairReport;
constexpr auto kPrune =
    fields(required<&PruneReport::removed>("removed", kBackupForm),
           required<&PruneReport::kept>("kept", kBackupForm),
           required<&PruneReport::freed>("freed"), required<&PruneReport::notes>("notes"));
constexpr auto kRepair = fields(required<&RepairReport::healed>("healed"),
                                required<&RepairReport::findings>("findings"));

constexpr auto kArchive =
    fields(required<&ArchiveReport::files>("files"), required<&ArchiveReport::bytes>("bytes"),
           required<&ArchiveReport::digest>("digest"),
           sparse<&ArchiveReport::left_out>("left_out", json::object(kLeftOut)));

}  // namespace

Document encode_trashed(const TrashedVolume& trashed) {
  return json::write(trashed, kTrashedVolume);
}

Result<TrashedVolume> decode_trashed(const Json& document) {
  TRY(const auto whole, json::Object::of(document));
  TRY(const auto volume, whole.object("volume"));
  TrashedVolume trashed;
  TRY(trashed.volume, decode_volume(volume.raw()));
  TRY_STATUS(json::read_into(json::Slot(document, kLenient), kTrashedVolume, trashed));
  return trashed;
}

Document encode_trash_restore(const VolumeName& as) {
  return json::write(TrashRestore{as}, kTrashRestore);
}

Result<std::string> decode_trash_restore(const Json& document) {
  TRY(const auto request, json::read(document, kTrashRestore, kStrict));
  return request.as.str();
}

Document encode_pool(const VolumePool& pool) { return json::write(pool, kPool); }

Result<PoolSpec> decode_pool_spec(const Json& document) {
  return json::read(document, kPoolSpec, kStrict);
}

Result<std::uint64_t> decode_pool_growth(const Json& document) {
  TRY(const auto growth, json::read(document, kPoolGrowth, kStrict));
  return growth.size.value_or(0);
}

Document encode_job(const Job& job) { return json::write(job, kJob); }
Document encode_backup(const BackupInfo& backup) { return json::write(backup, kBackup); }
Document encode_prune(const PruneReport& report) { return json::write(report, kPrune); }
Document encode_repair(const RepairReport& report) { return json::write(report, kRepair); }
Document encode_archive(const ArchiveReport& report) { return json::write(report, kArchive); }

std::vector<DocumentTable> storage_tables() {
  return {{"TrashedVolume", kTrashedVolume.rows},
          {"TrashRestoreRequest", kTrashRestore.rows},
          {"VolumePoolSpec", kPoolSpec.rows},
          {"VolumePoolState", kPoolState.rows},
          {"VolumePool", kPool.rows},
          {"VolumePoolGrowth", kPoolGrowth.rows},
          {"Job", kJob.rows}};
}

}  // namespace fairlead::native
