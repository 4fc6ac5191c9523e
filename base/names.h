// Names that users choose. A value of these types can only exist if it is valid (parse, don't
// validate).
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead {

// One strong string type per kind of name. Rules:
//   NetworkName, VolumeName  ^[a-zA-Z0-9][a-zA-Z0-9_.-]*$, at most 128 bytes (volumes: at least 2,
//   as Docker's); SnapshotName, PoolName as volumes
//   ContainerId              the same, at most 255 bytes (CNI spec 1.1.0, CNI_CONTAINERID)
//   IfName                   1 to 15 letters, digits, '_', '.', '-', '@', '=' or '~', not beginning
//                            with '-', and none of ".", "..", "all" and "default": what the kernel
//                            takes (net/core/dev.c, dev_valid_name) and firewalls can name;
//                            stored_ifname() takes what the kernel does
template <class Tag>
class Name;
using IfName = Name<struct IfNameTag>;

// Reads a name from a record. Earlier versions accepted every name that the kernel accepts; such
// names must stay readable, so that the links with these names can be used and removed.
Result<IfName> stored_ifname(std::string_view text);

template <class Tag>
class Name {
 public:
  Name() = default;  // empty: "none yet" in a record that is being built; never the result of parse
  static Result<Name> parse(std::string_view text);
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Name&) const = default;

 private:
  friend Result<IfName> stored_ifname(std::string_view text);
  explicit Name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

using NetworkName = Name<struct NetworkNameTag>;
using VolumeName = Name<struct VolumeNameTag>;
using SnapshotName = Name<struct SnapshotNameTag>;
using PoolName = Name<struct PoolNameTag>;  // of a pool of volumes
using ContainerId = Name<struct ContainerIdTag>;

}  // namespace fairlead
