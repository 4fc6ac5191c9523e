// The nftables table `inet fairlead`: the kernel behind a narrow interface. Chains and rules are
// written rarely and as text (libnftables); elements of sets and maps often, in binary batches
// (libnftnl over one kept socket).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "base/result.h"

namespace fairlead::kernel {

// Key or data of an element as it lies in the kernel's registers: each field of a concatenation is
// padded to a multiple of 4 bytes (net/netfilter/nf_tables_api.c); ports and protocol numbers in
// network order, interface names padded to 16.
class ElementBytes {
 public:
  ElementBytes& family(Family family);  // meta nfproto
  ElementBytes& proto(std::uint8_t number);
  ElementBytes& port(std::uint16_t number);
  ElementBytes& vni(std::uint32_t number);  // 24 bits of a VXLAN header
  ElementBytes& address(const IpAddress& address);
  ElementBytes& ifname(const IfName& name);
  // As read from the kernel.
  static ElementBytes of(std::span<const std::uint8_t> bytes, unsigned fields);
  std::span<const std::uint8_t> bytes() const { return bytes_; }
  unsigned fields() const { return fields_; }  // more than one: a concatenation
  bool empty() const { return bytes_.empty(); }
  bool operator==(const ElementBytes&) const = default;

 private:
  ElementBytes& append(std::span<const std::uint8_t> field);

  std::vector<std::uint8_t> bytes_;
  unsigned fields_ = 0;
};

// What a verdict map says. `chain` is the target of kGoto and kJump.
struct Verdict {
  enum class Kind { kAccept, kDrop, kReturn, kGoto, kJump };
  Kind kind = Kind::kAccept;
  std::string chain{};
  bool operator==(const Verdict&) const = default;
};

struct Element {
  std::string set;  // name of the set or map in the table
  ElementBytes key;
  ElementBytes data{};     // empty for sets and verdict maps
  ElementBytes key_end{};  // sets with intervals: the last key that is meant; empty: `key` alone
  std::optional<Verdict> verdict{};  // verdict maps only
  bool operator==(const Element&) const = default;
};

struct ElementChange {
  enum class Kind { kAdd, kRemove };
  Kind kind = Kind::kAdd;
  Element element;
  bool operator==(const ElementChange&) const = default;
};

// Thread-safe.
class Firewall {
 public:
  virtual ~Firewall() = default;

  // Runs nft text as one transaction, all or nothing (libnftables; loaded at the first use). 0.2-1
  // ms.
  virtual Status run(std::string_view nft_text) = 0;
  // Adds and removes elements in one transaction, all or nothing (5 us each). Adding an element
  // that is there with the same data, or removing one that is not there, succeeds. kNotFound when
  // the table or a set is missing: render it first. kExists when the key is there with other data,
  // or overlaps another interval. Changes take effect in their order: a key may be removed and
  // added with other data in one call.
  virtual Status apply(std::span<const ElementChange> changes) = 0;
  // Present contents of a set or map of the table, from the kernel.
  virtual Result<std::vector<Element>> elements(std::string_view set) = 0;
  // Is the table there, with this comment (the version of the chains)?
  virtual Result<bool> present(std::string_view table_comment) = 0;
  // The table's comment, empty when it has none; nothing when there is no table.
  virtual Result<std::optional<std::string>> comment() = 0;
  // How the table differs from what `nft_text` makes of it, in words ("altered rules of chain
  // forward"); empty when it does not. Everything counts but the elements of its sets: chains with
  // hooks, priorities and policies, rules, sets, the table's flags and comment. The text is run in
  // a namespace of its own, and both are compared as the kernel tells them: whatever this kernel
  // and this libnftables make of a rule. 5-20 ms for the first time, then 1 ms.
  virtual Result<std::string> difference(std::string_view nft_text) = 0;
  // The whole table as `nft list table` prints it; empty when it is not there.
  virtual Result<std::string> list_text() = 0;
};

// The table is `inet <table>` in the network namespace of the calling thread at the time of this
// call. A deletion's wait at closing time (4-14 ms) is passed to a child process when
// `detach_close` is set (exec'd plugins).
Result<std::unique_ptr<Firewall>> open_nft_firewall(std::string table, bool detach_close);

}  // namespace fairlead::kernel
