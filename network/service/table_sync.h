// Keeps one of the firewall's tables equal to what the records say. Changes are written as elements;
// the whole table is written only when it is missing or altered.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/kernel/firewall/firewall.h"
#include "network/nat/nat.h"
#include "network/service/ownership.h"

namespace fairlead::network {

// Thread-safe.
class TableSync {
 public:
  // `firewall` is the table of that family; `wanted` reads what it should contain.
  TableSync(kernel::Firewall& firewall, kernel::TableFamily family, Ownership& ownership,
            std::function<Result<nat::NatState>()> wanted)
      : firewall_(firewall), family_(family), ownership_(ownership), wanted_(std::move(wanted)) {}

  // Makes `after` of `before`, in one transaction. Returns why the table had to be written anew;
  // empty: it had not.
  Result<std::string> change(const nat::NatState& before, const nat::NatState& after);
  // Makes these sets hold what `state` has in them, whatever they hold, in one transaction. Returns as
  // change() does.
  Result<std::string> replace(std::span<const std::string_view> sets, const nat::NatState& state);
  // Removes the elements; those of a table that is gone are gone as well.
  Status drop(const nat::NatState& state);
  // Whether the table exists in this version, and belongs to this store.
  Result<bool> present();
  // Renders the table unless it is present. Does not read its content.
  Status ensure();
  // Renders the table if there is none, also where the kernel could not have it the last time.
  // Returns whether it did.
  Result<bool> restore();
  // Replaces the table by what the records say, in one transaction. kInUse when it belongs to
  // another store.
  Status render();
  // Renders the table unless it is present or another store's.
  Status keep();
  // Deletes the table. One of another store stays.
  Status withdraw();

  // How the table differs from what the records say, in words; empty when it does not.
  Result<std::vector<std::string>> differences();
  // The same without the elements of sets; of the chains that count connections, those of `state`.
  Result<std::vector<std::string>> altered_chains(const nat::NatState& state);
  // Deletes chains that count connections to no port.
  Status tidy_limits();
  // The first element of `state` that the table lacks, in words; empty when it has them all.
  Result<std::string> lacking(const nat::NatState& state);

  // Why this kernel cannot have the table; empty when it can. Such a table is left out: the verbs
  // above succeed and do nothing.
  std::string unsupported() const;

 private:
  bool left_out() const { return !unsupported().empty(); }
  Result<std::vector<std::string>> altered_elements(const nat::NatState& wanted);
  Status write(const std::string& text);
  bool make_limits(const nat::NatState& state);
  void drop_limits(const nat::NatState& before, const nat::NatState& after);
  void drop_limit(const std::string& chain);

  kernel::Firewall& firewall_;
  const kernel::TableFamily family_;
  Ownership& ownership_;
  const std::function<Result<nat::NatState>()> wanted_;
  mutable std::mutex guard_;
  std::string unsupported_;
  bool told_ = false;  // in the log
};

}  // namespace fairlead::network
