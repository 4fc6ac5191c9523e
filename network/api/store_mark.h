// Whose the objects in the kernel are: each store marks what is made for it, so that another store
// on the same host leaves it alone. A mark is "store 1f2e3d4c/9a8b7c6d /var/lib/fairlead", and is
// the end of the alias of a bridge or tunnel ("fairlead shop store ...") and of the comment of the
// nftables table ("fairlead ruleset ... store ...").
//
// The first number is the store's own, the second one stands for its folder, and the folder is for
// people: it is cut to what has room. (A mark at each container's link was rejected: it would cost
// every attach a message. A file in /run was rejected: it would not be seen by a daemon that has
// another /run and the same network.)
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fairlead::network {

struct StoreMark {
  std::string store;   // 8 hex digits
  std::string place;   // 8 hex digits of the folder's hash
  std::string folder;  // for people

  bool empty() const { return store.empty(); }
  // What stands in the kernel; empty for an empty mark.
  std::string text() const;
  // `before`, a space and the text; `before` alone for an empty mark.
  std::string after(std::string_view before) const;
  // Is what carries the other mark this store's? It is when the store is the same (its folder was
  // moved), and when the folder is (the store was lost, and this one made in its place).
  bool owns(const StoreMark& other) const { return store == other.store || place == other.place; }

  bool operator==(const StoreMark&) const = default;
};

// Of the store with this number in this folder.
StoreMark store_mark(std::string_view store, std::string_view folder);

// The mark at the end of an alias or a comment; nothing where there is none.
std::optional<StoreMark> find_mark(std::string_view text);

}  // namespace fairlead::network
