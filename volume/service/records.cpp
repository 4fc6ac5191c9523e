#include "volume/service/records.h"

#include "base/json/json.h"
#include "volume/service/record.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kRecordPrefix = "volume/", kNamePrefix = "volume-name/";

std::string record_key(const std::string& id) { return fmt::format("{}{}", kRecordPrefix, id); }
std::string name_key(const VolumeName& name) {
  return fmt::format("{}{}", kNamePrefix, name.str());
}

Result<Stored> parse_stored(const state::Record& record, const std::string& boot) {
  auto parsed = parse_record(record.value, boot);
  if (!parsed) return fail(with_context(parsed.error(), record.key));
  return Stored{std::move(parsed->volume), record.revision, parsed->void_mounts};
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

Result<Stored> Records::add(const Volume& volume) {
  TRY(const auto committed,
      store_.commit({.preconditions = {{name_key(volume.name), state::kAbsent},
                                       {record_key(volume.id), state::kAbsent}},
                     .puts = {{name_key(volume.name), json::dump(volume.id)},
                              {record_key(volume.id), to_record(volume, boot_)}},
                     .deletes = {},
                     .durability = state::Durability::kDurable}));
  return Stored{volume, committed.revision, false};
}

Status Records::put(Stored& stored, state::Durability durability) {
  const std::string key = record_key(stored.volume.id);
  TRY(const auto committed, store_.commit({.preconditions = {{key, stored.revision}},
                                           .puts = {{key, to_record(stored.volume, boot_)}},
                                           .deletes = {},
                                           .durability = durability}));
  stored.revision = committed.revision;
  stored.void_mounts = false;
  return {};
}

Status Records::erase(const Volume& volume) {
  TRY_STATUS(store_
                 .commit({.preconditions = {},
                          .puts = {},
                          .deletes = {name_key(volume.name), record_key(volume.id)},
                          .durability = state::Durability::kDurable})
                 .map([](const state::CommitResult&) {}));
  return {};
}

}  // namespace fairlead::volume
