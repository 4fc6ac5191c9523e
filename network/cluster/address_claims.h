// Whose each address of one network is, by the records of its blocks and single addresses. Pure: it
// has no thread, store or clock.
//
// A key says which block or address is claimed, and its value by whom. Claims are made by creating
// the key and given back by deleting it, so a value that names another host than the one before it
// was written by a host that does not keep to that. Then the first holder stays as long as the key
// is there.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "network/cluster/records.h"

namespace fairlead::network::cluster {

struct HashIp {
  std::size_t operator()(const IpAddress& ip) const {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const std::uint8_t byte : ip.bytes()) hash = (hash ^ byte) * 0x100000001b3ULL;
    return hash ^ (hash >> 29);
  }
};

struct AddressClaim {
  std::string host_id;
  std::uint64_t epoch = 0;
  std::vector<IpAddress> holes;  // of a block

  bool operator==(const AddressClaim&) const = default;
};

struct ListedClaim {
  bool is_block = false;
  IpAddress first;  // of the block, or the single address
  AddressClaim claim;
  std::int64_t revision = 0;
};

// kNotFound for a record of another kind; otherwise as decode() (records.h).
Result<ListedClaim> decode_claim(const state::Record& record);
// The record that decode_claim() would read as the claim.
state::Record record_of(const ListedClaim& claim, const std::string& network_id);

// Not thread-safe.
class AddressClaims {
 public:
  using Time = std::chrono::milliseconds;
  // Whether a claim counts no more, because its host was removed or is not known.
  using IsVoid = std::function<bool(const AddressClaim&)>;
  // Whether all changes of the key since the last call were seen, or some may have been missed.
  enum class Seen { kEveryChange, kTheLastOne };

  AddressClaims(std::vector<Subnet> subnets, IsVoid is_void);

  // These return the addresses whose owner may have changed; empty when none has.
  std::vector<Cidr> set(const ListedClaim& claim, Seen seen);
  std::vector<Cidr> drop(bool is_block, const IpAddress& first, std::int64_t revision);
  // A complete list, read at or after `revision`, as PeerTable::replace() has it.
  std::vector<Cidr> replace(const std::vector<ListedClaim>& listed, std::int64_t revision,
                            Seen seen, Time now);
  void rewind();

  // The claim that the address belongs to. A single claim inside of a block counts only where the
  // block has a hole.
  const AddressClaim* owner(const IpAddress& ip) const;
  std::size_t missing() const { return missing_; }
  std::vector<ListedClaim> all() const;

  struct Refusal {
    std::string host_id;
    std::string text;  // what it claims and why that does not count
  };
  std::vector<Refusal> refusals() const;

 private:
  struct Held {
    ListedClaim holder;
    std::optional<ListedClaim> contender;  // what the key says now, when that is not the holder
    std::optional<Time> missing_since;
    std::int64_t revision() const { return contender ? contender->revision : holder.revision; }
  };
  using Table = std::unordered_map<IpAddress, Held, HashIp>;

  Table& table(bool is_block) { return is_block ? blocks_ : singles_; }
  const AddressClaim* counting(const Table& table, const IpAddress& first) const;
  std::optional<Cidr> area_of(const IpAddress& ip) const;
  std::vector<Cidr> covered(bool is_block, const IpAddress& first) const;
  void drop_missing(bool is_block, const std::vector<ListedClaim>& listed, std::int64_t revision,
                    Time now, std::vector<Cidr>& changed);

  const std::vector<Subnet> subnets_;
  const IsVoid is_void_;
  Table blocks_, singles_;
  std::size_t missing_ = 0;
};

}  // namespace fairlead::network::cluster
