// Trash, pools of volumes, jobs, backups and archives, as JSON.
#include "base/host.h"
#include "plugin-api/native/fields.h"

namespace fairlead::native {

Document encode_trashed(const volume::TrashedVolume& trashed) {
  return {{"id", trashed.volume.id},
          {"deleted", rfc3339(trashed.volume.deleted)},
          {"due", rfc3339(trashed.due)},
          {"volume", encode_volume(trashed.volume)}};
}

Result<std::string> decode_trash_restore(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"as"}));
  TRY(auto name, parsed_or_none(object, "as", VolumeName::parse));
  return name ? name->str() : std::string();
}

Document encode_pool(const volume::VolumePool& pool) {
  Document document = {{"name", pool.name.str()}, {"fstype", pool.fstype}};
  if (pool.size > 0) document["size"] = pool.size;
  if (!pool.device.empty()) document["device"] = pool.device;
  document["state"] = {{"id", pool.id},
                       {"used", pool.used},
                       {"volumes", pool.volumes},
                       {"created", rfc3339(pool.created)},
                       {"health", pool.health}};
  return document;
}

Result<volume::PoolSpec> decode_pool_spec(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"name", "fstype", "size", "device", "overwrite", "state"}));
  volume::PoolSpec spec;
  TRY(spec.name, parsed(object, "name", PoolName::parse));
  TRY(spec.fstype, object.string_or("fstype", spec.fstype));
  TRY(spec.size, size_or_none(object, "size"));
  TRY(spec.device, object.string_or("device", ""));
  TRY(spec.overwrite, object.bool_or("overwrite", false));
  return spec;
}

Result<std::uint64_t> decode_pool_growth(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"size"}));
  TRY(auto size, size_or_none(object, "size"));
  return size.value_or(0);
}

Document encode_job(const volume::Job& job) {
  Document document = {{"id", job.id},
                       {"verb", job.verb},
                       {"volume", job.volume},
                       {"arguments", job.arguments},
                       {"state", volume::to_string(job.state)},
                       {"done", job.done}};
  if (job.total > 0) document["total"] = job.total;
  document["started"] = rfc3339(job.started);
  if (job.ended > 0) document["ended"] = rfc3339(job.ended);
  if (!job.error.empty()) document["error"] = job.error;
  return document;
}

Document encode_backup(const volume::BackupInfo& backup) {
  return {{"id", backup.id},       {"volume", backup.volume}, {"created", rfc3339(backup.created)},
          {"bytes", backup.bytes}, {"stored", backup.stored}, {"incremental", backup.incremental}};
}

Document encode_archive(const volume::ArchiveReport& report) {
  return {{"files", report.files}, {"bytes", report.bytes}, {"digest", report.digest}};
}

}  // namespace fairlead::native
