// One network namespace has one table and one set of names: they belong to one store. Another store
// is refused instead of taking the objects of the first one for leftovers of its own.
#pragma once

#include <optional>
#include <string>

#include "base/state/store.h"
#include "network/api/store_mark.h"
#include "network/kernel/firewall.h"
#include "network/kernel/links.h"

namespace fairlead::network {

// The mark of the store in this folder. Its number is made once and kept in the store.
Result<StoreMark> load_store_mark(state::Store& store, const std::string& folder);

// Thread-safe, as its parts are. Everything is this store's when `mark` is empty.
class Ownership {
 public:
  Ownership(kernel::Links& links, kernel::Firewall& firewall, StoreMark mark)
      : links_(links), firewall_(firewall), mark_(std::move(mark)) {}

  // The other store to which the table belongs or, where the table is gone or without a mark (of an
  // older version), one of the links. Nothing: this store may make and take away what it likes.
  Result<std::optional<StoreMark>> other_owner();
  // kInUse when there is one; says which store it is, and what to do.
  Status claim();
  Error refusal(const StoreMark& other) const;
  // Does the alias or comment carry another store's mark?
  bool is_foreign(std::string_view text) const { return foreign_mark(text).has_value(); }

  const StoreMark& mark() const { return mark_; }

 private:
  std::optional<StoreMark> foreign_mark(std::string_view text) const;

  kernel::Links& links_;
  kernel::Firewall& firewall_;
  const StoreMark mark_;
};

}  // namespace fairlead::network
