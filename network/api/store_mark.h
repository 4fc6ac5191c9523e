// Ownership of objects in the kernel: each store marks the objects that are made for it, so that
// another store on the same host leaves them alone. A mark is "store 1f2e3d4c/9a8b7c6d
// /var/lib/fairlead", and is the end of the alias of a bridge or tunnel ("fairlead shop store ...")
// and of the comment of the nftables table ("fairlead ruleset ... store ...").
//
// The first number is the store's own, the second is a hash of its folder, and the folder itself is
// for people: it is shortened to the room there is. (A mark at each container's link was rejected:
// it would cost every attach a message. A file in /run was rejected: it would not be seen by a
// daemon that has another /run and the same network.)
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
  // The text of the mark in the kernel; empty for an empty mark.
  std::string text() const;
  // `before`, a space and the text; `before` alone for an empty mark.
  std::string after(std::string_view before) const;
  // Whether an object with the other mark belongs to this store. It does when the store is the same
  // (its folder was moved), and when the folder is the same (the store was lost, and this one was
  // made in its place).
  bool owns(const StoreMark& other) const { return store == other.store || place == other.place; }

  bool operator==(const StoreMark&) const = default;
};

// The mark of the store with this number in this folder.
StoreMark store_mark(std::string_view store, std::string_view folder);

// The mark at the end of an alias or a comment; std::nullopt when there is none.
std::optional<StoreMark> find_mark(std::string_view text);

}  // namespace fairlead::network
