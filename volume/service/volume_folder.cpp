#include "volume/service/volume_folder.h"

#include "base/host.h"
#include "base/json/fields.h"
#include "base/log.h"
#include "volume/service/records.h"

namespace fairlead::volume {

namespace {

struct Written {
  std::string folder;
};
constexpr auto kFields = json::fields(json::required<&Written::folder>("folder"));

// Empty: nothing was written down, or it is damaged.
std::string folder_in(const std::optional<state::Record>& record) {
  if (!record) return {};
  const auto document = json::parse(record->value);
  auto written =
      document ? json::read(*document, kFields) : Result<Written>(fail(document.error()));
  return written ? std::move(written->folder) : "";
}

// Without the volumes whose creation or removal a crash has left, and those in pools.
Result<FolderOf> content_of(state::Store& store) {
  FolderOf of;
  TRY(const auto listing, Records(store, boot_id()).all());
  for (const Stored& stored : listing.volumes)
    if (stored.volume.phase == Phase::kReady && stored.volume.pool.empty())
      of.volumes.push_back(stored.volume.id);
  TRY(const auto pools, store.list("volume-pool/"));
  for (const state::Record& pool : pools) {
    const auto document = json::parse(pool.value);
    const auto whole =
        document ? json::Object::of(*document) : Result<json::Object>(fail(document.error()));
    if (const auto id = whole ? whole->string("id") : Result<std::string>(""))
      of.pools.push_back(*id);
  }
  return of;
}

}  // namespace

Status agree_on_volume_folder(state::Store& store, const std::string& told,
                              const HoldsData& holds) {
  const std::string key(kVolumeFolder);
  TRY(const auto record, store.get(key));
  const std::string known = folder_in(record);
  if (known == told) return {};
  if (!known.empty()) {
    TRY(const auto of, content_of(store));
    const bool has_some = !of.volumes.empty() || !of.pools.empty();
    if (has_some && (holds(known, of) || !holds(told, of)))
      return fail(
          Code::kConflict,
          "the volumes of this store are in {}, not in {}: use that folder (\"volume_dir\" "
          "in fairlead.json, --volume-dir, FAIRLEAD_VOLUME_DIR), or move it there as a whole",
          known, told);
    if (has_some) log::info("the volume folder was moved", {{"from", known}, {"to", told}});
  }
  const auto written =
      store.commit({.preconditions = {{key, record ? record->revision : state::kAbsent}},
                    .puts = {{key, json::dump(json::write(Written{told}, kFields))}}});
  if (!written)
    log::debug("which folder volumes are in is not written down",
               {{"error", written.error().text}});
  return {};
}

}  // namespace fairlead::volume
