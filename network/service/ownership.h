// Decides to which store the objects in the kernel belong. A network namespace has one firewall
// table and one set of link names, so they can belong to one store only. Another store is refused,
// because it would take the objects of the first one for its own leftovers and delete them.
#pragma once

#include <optional>
#include <string>

#include "base/state/store.h"
#include "network/api/store_mark.h"
#include "network/kernel/firewall/firewall.h"
#include "network/kernel/links/links.h"

namespace fairlead::network {

// The mark of the store in this folder. Its number is made at the first call and kept in the store.
Result<StoreMark> load_store_mark(state::Store& store, const std::string& folder);

// Thread-safe, as its parts are. With an empty `mark` all objects count as this store's.
class Ownership {
 public:
  Ownership(kernel::Links& links, kernel::Firewall& firewall, StoreMark mark)
      : links_(links), firewall_(firewall), mark_(std::move(mark)) {}

  // The other store to which the table belongs; or, when there is no table, or it has no mark (of an
  // older version) or no networks, to which a link belongs. std::nullopt: there is none, and this store may make
  // and delete objects.
  Result<std::optional<StoreMark>> other_owner();
  // kInUse when there is another owner; the text says which store it is, and what the user can do.
  Status claim();
  Error refusal(const StoreMark& other) const;
  // Whether the alias or comment has another store's mark.
  bool is_foreign(std::string_view text) const { return foreign_mark(text).has_value(); }

  const StoreMark& mark() const { return mark_; }

 private:
  std::optional<StoreMark> foreign_mark(std::string_view text) const;

  kernel::Links& links_;
  kernel::Firewall& firewall_;
  const StoreMark mark_;
};

}  // namespace fairlead::network
