#include "volume/service/records.h"

#include <algorithm>

#include "base/json/json.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kRecordPrefix = "volume/", kNamePrefix = "volume-name/",
                           kTrashPrefix = "volume-trash/", kGoingPrefix = "volume-going/";

std::string record_key(const std::string& id) { return fmt::format("{}{}", kRecordPrefix, id); }
std::string name_key(const VolumeName& name) {
  return fmt::format("{}{}", kNamePrefix, name.str());
}

std::string disk_key(const std::string& name) { return fmt::format("volume-disk/{}", name); }
std::string growth_key(const std::string& id) { return fmt::format("volume-growth/{}", id); }

std::string going_key(const std::string& id) { return fmt::format("{}{}", kGoingPrefix, id); }
std::string trash_key(const std::string& id) { return fmt::format("{}{}", kTrashPrefix, id); }

Result<TrashedVolume> parse_trashed(const state::Record& record) {
  auto parsed = parse_trash_record(record.value);
  if (!parsed) return fail(with_context(parsed.error(), record.key));
  return parsed;
}

std::string text_of(const Stored& stored, const std::string& boot) {
  return to_record({.volume = stored.volume,
                    .counted = stored.counted,
                    .former = stored.former,
                    .unflushed = stored.unflushed},
                   boot);
}

Result<Stored> parse_stored(const state::Record& record, const std::string& boot) {
  auto parsed = parse_record(record.value, boot);
  if (!parsed) return fail(with_context(parsed.error(), record.key));
  return Stored{.volume = std::move(parsed->entry.volume),
                .revision = record.revision,
                .void_mounts = parsed->void_mounts,
                .counted = parsed->entry.counted,
                .former = std::move(parsed->entry.former),
                .unflushed = parsed->entry.unflushed};
}

Result<std::string> parse_id(const state::Record& record) {
  TRY(const auto value, json::parse(record.value));
  if (!value.is_string())
    return fail(Code::kInternal, "{} in the store is not the id of a volume", record.key);
  return value.get<std::string>();
}

}  // namespace

Result<std::optional<Stored>> Records::by_id(const std::string& id) {
  TRY(const auto record, store_.get(record_key(id)));
  if (!record) return std::nullopt;
  TRY(auto stored, parse_stored(*record, boot_));
  return stored;
}

Result<std::optional<Stored>> Records::by_name(const VolumeName& name) {
  TRY(const auto record, store_.get(name_key(name)));
  if (!record) return std::nullopt;
  TRY(const auto id, parse_id(*record));
  return by_id(id);
}

Result<Records::Listing> Records::all() {
  TRY(const auto records, store_.list(kRecordPrefix));
  Listing listing;
  for (const state::Record& record : records) {
    auto stored = parse_stored(record, boot_);
    if (stored)
      listing.volumes.push_back(std::move(*stored));
    else
      listing.unreadable.push_back(stored.error().text);
  }
  return listing;
}

Result<std::set<std::string>> Records::ids() {
  std::set<std::string> ids;
  for (const std::string_view prefix : {kRecordPrefix, kTrashPrefix, kGoingPrefix}) {
    TRY(const auto records, store_.list(prefix));
    for (const state::Record& record : records) ids.insert(record.key.substr(prefix.size()));
  }
  return ids;
}

Result<std::string> Records::growth_failure(const std::string& id) {
  TRY(const auto record, store_.get(growth_key(id)));
  return record ? growth_error_of(record->value) : std::string();
}

Status Records::put_growth_failure(const std::string& id, const std::string& error) {
  state::Txn txn;
  if (error.empty())
    txn.deletes.push_back(growth_key(id));
  else
    txn.puts.push_back({growth_key(id), json::dump({{"error", error}})});
  return status_of(store_.commit(txn));
}

Result<std::optional<DiskState>> Records::disk(const std::string& name) {
  TRY(const auto record, store_.get(disk_key(name)));
  if (!record) return std::nullopt;
  auto state = parse_disk_record(record->value);
  // one that cannot be read is written anew
  return state ? std::optional(std::move(*state)) : std::nullopt;
}

Status Records::put_disk(const std::string& name, const DiskState& state) {
  return status_of(store_.commit({.preconditions = {},
                                  .puts = {{disk_key(name), to_disk_record(state)}},
                                  .deletes = {},
                                  .durability = state::Durability::kBoot}));
}

Result<Stored> Records::add(Stored stored) {
  const Volume& volume = stored.volume;
  TRY(const auto committed,
      store_.commit({.preconditions = {{name_key(volume.name), state::kAbsent},
                                       {record_key(volume.id), state::kAbsent}},
                     .puts = {{name_key(volume.name), json::dump(volume.id)},
                              {record_key(volume.id), text_of(stored, boot_)}},
                     .deletes = {},
                     .durability = state::Durability::kDurable}));
  stored.revision = committed.revision;
  return stored;
}

Status Records::put(Stored& stored, state::Durability durability) {
  const std::string key = record_key(stored.volume.id);
  TRY(const auto committed, store_.commit({.preconditions = {{key, stored.revision}},
                                           .puts = {{key, text_of(stored, boot_)}},
                                           .deletes = {},
                                           .durability = durability}));
  stored.revision = committed.revision;
  stored.void_mounts = false;
  return {};
}

Status Records::put_all(const std::vector<Stored*>& all) {
  state::Txn txn{
      .preconditions = {}, .puts = {}, .deletes = {}, .durability = state::Durability::kDurable};
  for (const Stored* const stored : all) {
    const std::string key = record_key(stored->volume.id);
    txn.preconditions.push_back({key, stored->revision});
    txn.puts.push_back({key, text_of(*stored, boot_)});
  }
  TRY(const auto committed, store_.commit(txn));
  for (Stored* const stored : all) {
    stored->revision = committed.revision;
    stored->void_mounts = false;
  }
  return {};
}

Status Records::rename(Stored& stored, const VolumeName& to) {
  Stored renamed = stored;
  renamed.former = stored.volume.name.str();
  renamed.volume.name = to;
  const std::string key = record_key(stored.volume.id);
  TRY(const auto committed,
      store_.commit(
          {.preconditions = {{key, stored.revision}, {name_key(to), state::kAbsent}},
           .puts = {{key, text_of(renamed, boot_)}, {name_key(to), json::dump(stored.volume.id)}},
           .deletes = {name_key(stored.volume.name)},
           .durability = state::Durability::kDurable}));
  renamed.revision = committed.revision;
  renamed.void_mounts = false;
  stored = std::move(renamed);
  return {};
}

Status Records::erase(const Volume& volume, const std::optional<TrashedVolume>& trashed) {
  state::Txn txn{.preconditions = {},
                 .puts = {},
                 .deletes = {name_key(volume.name), record_key(volume.id), growth_key(volume.id)},
                 .durability = state::Durability::kDurable};
  if (trashed) txn.puts.push_back({trash_key(volume.id), to_trash_record(*trashed)});
  return status_of(store_.commit(txn));
}

Status Records::let_go(const Stored& stored) {
  const Volume& volume = stored.volume;
  return status_of(store_.commit(
      {.preconditions = {{record_key(volume.id), stored.revision}},
       .puts = {{going_key(volume.id), to_trash_record({.volume = volume, .due = volume.deleted})}},
       .deletes = {name_key(volume.name), record_key(volume.id), growth_key(volume.id)},
       .durability = state::Durability::kDurable}));
}

Result<Records::Going> Records::all_going() {
  TRY(const auto records, store_.list(kGoingPrefix));
  Going going;
  for (const state::Record& record : records) {
    auto parsed = parse_trashed(record);
    if (parsed)
      going.volumes.push_back(std::move(parsed->volume));
    else
      going.unreadable.push_back(parsed.error().text);
  }
  return going;
}

Status Records::erase_going(const std::string& id) {
  return status_of(store_.commit({.preconditions = {},
                                  .puts = {},
                                  .deletes = {going_key(id)},
                                  .durability = state::Durability::kBoot}));
}

Result<std::optional<TrashedVolume>> Records::trashed(const std::string& id) {
  TRY(const auto record, store_.get(trash_key(id)));
  if (!record) return std::nullopt;
  TRY(auto parsed, parse_trashed(*record));
  return parsed;
}

Result<Records::TrashListing> Records::all_trashed() {
  TRY(const auto records, store_.list(kTrashPrefix));
  TrashListing listing;
  for (const state::Record& record : records) {
    auto parsed = parse_trashed(record);
    if (parsed)
      listing.volumes.push_back(std::move(*parsed));
    else
      listing.unreadable.push_back(parsed.error().text);
  }
  std::ranges::stable_sort(listing.volumes, std::greater(), [](const TrashedVolume& trashed) {
    return std::pair(trashed.volume.deleted, trashed.volume.id);
  });
  return listing;
}

Result<Stored> Records::take_from_trash(const Volume& volume, const VolumeName& former) {
  Stored stored{.volume = volume,
                .revision = 0,
                .void_mounts = false,
                .counted = 0,
                .former = former.str(),
                .unflushed = false};
  TRY(const auto there, store_.get(trash_key(volume.id)));
  if (!there) return fail(Code::kConflict, "volume {} is not in the trash any more", volume.id);
  TRY(const auto committed,
      store_.commit({.preconditions = {{trash_key(volume.id), there->revision},
                                       {name_key(volume.name), state::kAbsent},
                                       {record_key(volume.id), state::kAbsent}},
                     .puts = {{name_key(volume.name), json::dump(volume.id)},
                              {record_key(volume.id), text_of(stored, boot_)}},
                     .deletes = {trash_key(volume.id)},
                     .durability = state::Durability::kDurable}));
  stored.revision = committed.revision;
  return stored;
}

Status Records::put_trashed(const TrashedVolume& trashed) {
  return status_of(
      store_.commit({.preconditions = {},
                     .puts = {{trash_key(trashed.volume.id), to_trash_record(trashed)}},
                     .deletes = {},
                     .durability = state::Durability::kDurable}));
}

Status Records::erase_trashed(const std::string& id) {
  return status_of(store_.commit({.preconditions = {},
                                  .puts = {},
                                  .deletes = {trash_key(id)},
                                  .durability = state::Durability::kDurable}));
}

}  // namespace fairlead::volume
