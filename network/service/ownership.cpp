#include "network/service/ownership.h"

#include "base/hash.h"
#include "network/service/keys.h"
#include "network/service/records.h"

namespace fairlead::network {

Result<StoreMark> load_store_mark(state::Store& store, const std::string& folder) {
  const std::string key(keys::kInstance);
  TRY(auto record, store.get(key));
  if (!record) {
    // When several processes do this at the same time, one of them makes the number, and all read
    // it afterwards. A full disk must not prevent removals, which make room on it; until the number
    // can be stored, stores are told apart by their folders.
    const std::string fresh = random_hex(8);
    const auto made = store.commit({.preconditions = {{key, state::kAbsent}},
                                    .puts = {{key, encode_id(fresh)}},
                                    .durability = state::Durability::kDurable});
    TRY(record, store.get(key));
    if (!made && !record) return store_mark(fresh, folder);
  }
  if (!record) return fail(Code::kIo, "read the number of the store: it is gone");
  TRY(const std::string id, decode_id(record->value));
  return store_mark(id, folder);
}

std::optional<StoreMark> Ownership::foreign_mark(std::string_view text) const {
  auto mark = find_mark(text);
  if (mark_.empty() || !mark || mark_.owns(*mark)) return std::nullopt;
  return mark;
}

Result<std::optional<StoreMark>> Ownership::other_owner() {
  if (mark_.empty()) return std::optional<StoreMark>();
  TRY(const auto comment, firewall_.comment());
  if (comment && find_mark(*comment)) {
    auto other = foreign_mark(*comment);
    if (!other) return other;
    // A table without bridges only keeps the host from routing strangers (hold_strangers()).
    const auto bridges = firewall_.elements("bridges");
    if (!bridges || !bridges->empty()) return other;
  }
  TRY(const auto links, links_.list());
  for (const kernel::Link& link : links)
    if (auto mark = foreign_mark(link.alias)) return mark;
  return std::optional<StoreMark>();
}

Error Ownership::refusal(const StoreMark& other) const {
  return {Code::kInUse, 0,
          fmt::format("the network objects of this host belong to the store in {} ({}), and this "
                      "is the store in {} ({}): use --config, FAIRLEAD_CONFIG or "
                      "FAIRLEAD_STATE_DIR to work with the other one, or remove its networks first",
                      other.folder, other.store, mark_.folder, mark_.store)};
}

Status Ownership::claim() {
  TRY(const auto other, other_owner());
  if (other) return fail(refusal(*other));
  return {};
}

}  // namespace fairlead::network
