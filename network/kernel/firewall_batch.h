// The netlink bytes of requests to nf_tables: built here, sent elsewhere. Pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/kernel/firewall.h"

namespace fairlead::kernel {

// How removals are asked for. kDestroy (NFT_MSG_DESTROYSETELEM, Linux 6.3) passes over elements
// that are not there; kDelete fails the transaction with ENOENT.
enum class Removal { kDestroy, kDelete };

// kGrouped: neighbouring changes of one set share a message. kSingle: one message each, so that an
// error names its change.
enum class Grouping { kGrouped, kSingle };

// One transaction: everything between NFNL_MSG_BATCH_BEGIN (sequence number `begin`) and _END, for
// one sendmsg(2). The kernel acknowledges the last message, and reports each one that fails.
struct Batch {
  struct Message {
    std::uint32_t seq = 0;
    std::size_t first = 0, count = 0;  // the changes it carries
  };
  std::vector<std::uint8_t> bytes;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;  // one behind the last sequence number used
  std::vector<Message> messages;
};
Batch build_batch(std::string_view table, std::span<const ElementChange> changes,
                  std::uint32_t first_seq, Removal removal, Grouping grouping);

// Requests for one table, for one set, and for the elements of one set (a dump).
std::vector<std::uint8_t> build_get_table(std::string_view table, std::uint32_t seq);
std::vector<std::uint8_t> build_get_set(std::string_view table, std::string_view set,
                                        std::uint32_t seq);
std::vector<std::uint8_t> build_dump_elements(std::string_view table, std::string_view set,
                                              std::uint32_t seq);

// For all chains, rules or sets of the table (a dump): NFT_MSG_GETCHAIN, GETRULE, GETSET. Of chains
// the kernel gives those of other tables too.
std::vector<std::uint8_t> build_dump(std::uint16_t type, std::string_view table, std::uint32_t seq);

// open_nft_firewall() with a say in how removals begin; kDestroy becomes kDelete by itself where
// the kernel is older.
Result<std::unique_ptr<Firewall>> open_nft_firewall(std::string table, bool detach_close,
                                                    Removal removal);

}  // namespace fairlead::kernel
