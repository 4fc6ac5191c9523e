// A table of nftables in the kernel, as `inet fairlead`, behind a narrow interface. Chains and rules are
// written rarely, as text through libnftables. Elements of sets and maps are written often, in
// binary batches built with libnftnl and sent over one socket that is kept open.
#pragma once

#include <compare>
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
#include "network/kernel/firewall/conntrack.h"

namespace fairlead::kernel {

// kInet: packets that the host receives, forwards and sends. kBridge: frames at the ports of its
// bridges.
enum class TableFamily { kInet, kBridge };

struct TableName {
  std::string name;
  TableFamily family = TableFamily::kInet;
  std::string text() const;  // "inet fairlead"
  bool operator==(const TableName&) const = default;
};

// Key or data of an element as it lies in the kernel's registers: each field of a concatenation is
// padded to a multiple of 4 bytes (net/netfilter/nf_tables_api.c); ports are in network order, and
// interface names are padded to 16 bytes.
class ElementBytes {
 public:
  ElementBytes& family(Family family);  // meta nfproto
  ElementBytes& proto(std::uint8_t number);
  ElementBytes& port(std::uint16_t number);
  ElementBytes& vni(std::uint32_t number);  // 24 bits of a VXLAN header
  ElementBytes& address(const IpAddress& address);
  ElementBytes& ifname(const IfName& name);
  ElementBytes& last_ifname(const IfName& beginning);  // of all that begin so
  ElementBytes& mac(const MacAddress& address);
  ElementBytes& mark(std::uint32_t number);  // in host order
  // These bytes and then those of the last value: the data of a map with ranges.
  ElementBytes until(const ElementBytes& last) const;
  // Takes the bytes as they were read from the kernel.
  static ElementBytes of(std::span<const std::uint8_t> bytes, unsigned fields);
  std::span<const std::uint8_t> bytes() const { return bytes_; }
  unsigned fields() const { return fields_; }  // more than one: a concatenation
  bool empty() const { return bytes_.empty(); }
  auto operator<=>(const ElementBytes&) const = default;

 private:
  ElementBytes& append(std::span<const std::uint8_t> field);

  std::vector<std::uint8_t> bytes_;
  unsigned fields_ = 0;
};

// The verdict of an element of a verdict map. `chain` is the target of kGoto and kJump.
struct Verdict {
  enum class Kind { kAccept, kDrop, kReturn, kGoto, kJump };
  Kind kind = Kind::kAccept;
  std::string chain{};
  auto operator<=>(const Verdict&) const = default;
};

struct Element {
  std::string set;  // name of the set or map in the table
  ElementBytes key;
  ElementBytes data{};     // empty for sets and verdict maps
  ElementBytes key_end{};  // sets with intervals: the last key of the interval; empty: only `key`
  std::optional<Verdict> verdict{};  // verdict maps only
  // It has a timeout, or expressions that count or limit what it lets through. apply() makes no
  // such elements; elements() shows those that others have made.
  bool conditional = false;
  auto operator<=>(const Element&) const = default;
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

  // Runs nft text as one transaction, all or nothing, through libnftables, which is loaded at the
  // first use. Takes 0.2-1 ms.
  virtual Status run(std::string_view nft_text) = 0;
  // Adds and removes elements in one transaction, all or nothing (5 us each). Adding an element
  // that exists with the same data succeeds, and so does removing one that does not exist.
  // kNotFound when the table or a set is missing; it has to be written with run() first. kExists
  // when the key exists with other data, or overlaps another interval. Changes take effect in their
  // order: a key may be removed and added with other data in one call.
  virtual Status apply(std::span<const ElementChange> changes) = 0;
  // The present elements of a set or map of the table, read from the kernel.
  virtual Result<std::vector<Element>> elements(std::string_view set) = 0;
  // Whether the table exists and has this comment (the version of the chains).
  virtual Result<bool> present(std::string_view table_comment) = 0;
  // The table's comment, empty when it has none; std::nullopt when there is no table.
  virtual Result<std::optional<std::string>> comment() = 0;
  // The rules in a chain of the table, and the rules and elements that lead to it; 0: there is no such
  // chain.
  virtual Result<std::uint32_t> chain_uses(std::string_view chain) = 0;
  // How the table differs from the table that `nft_text` makes, each difference in words ("rule 3
  // of chain forward is missing"); empty when it does not differ. Everything is compared except the
  // elements of sets: chains with hooks, priorities and policies, rules, sets, other objects, the
  // table's flags and comment. The text is run in a new network namespace, and both tables are
  // compared in the form in which the kernel lists them, so the way in which this kernel and this
  // libnftables write a rule makes no difference. The first call with a text takes 5-20 ms, later
  // ones 1 ms. kUnavailable when others alter the table all the time.
  virtual Result<std::vector<std::string>> differences(std::string_view nft_text) = 0;
  // The whole table as `nft list table` prints it; empty when there is no table.
  virtual Result<std::string> list_text() = 0;
};

// The table is the one of that name in the network namespace that the calling thread is in at the
// time of this call. Closing the sockets waits for 4-20 ms after something was deleted, by whomever;
// when `detach_close` is set, a child process waits instead (exec'd plugins).
Result<std::unique_ptr<Firewall>> open_nft_firewall(TableName table, bool detach_close);

// The tables of one name in both families, and the entries of conntrack. With `detach_close` they have one socket; a process
// that stays has a second one for conntrack, as the tables cannot wait for walks through all connections.
struct Firewalls {
  std::unique_ptr<Firewall> inet, bridge;
  std::unique_ptr<Conntrack> conntrack;
};
Result<Firewalls> open_nft_firewalls(const std::string& table, bool detach_close);

}  // namespace fairlead::kernel
