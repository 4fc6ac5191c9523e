// Builds the netlink bytes of requests to nf_tables. Pure functions; NetfilterSocket sends the
// bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/kernel/firewall/firewall.h"

namespace fairlead::kernel {

// Which request removes an element. kDestroy (NFT_MSG_DESTROYSETELEM, since Linux 6.3) ignores
// elements that do not exist; with kDelete they fail the transaction with ENOENT.
enum class Removal { kDestroy, kDelete };

// kGrouped: consecutive changes of the same kind to the same set share a message. kSingle: each
// change has its own message, so that an error can be assigned to its change.
enum class Grouping { kGrouped, kSingle };

// One transaction for one sendmsg(2), from NFNL_MSG_BATCH_BEGIN (sequence number `begin`) to
// NFNL_MSG_BATCH_END. The kernel acknowledges the last message of changes, and reports each message
// that fails.
struct Batch {
  struct Message {
    std::uint32_t seq = 0;
    std::size_t first = 0, count = 0;  // the changes it carries
  };
  std::vector<std::uint8_t> bytes;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;  // the last sequence number used, plus one
  std::vector<Message> messages;
};
Batch build_batch(const TableName& table, std::span<const ElementChange> changes,
                  std::uint32_t first_seq, Removal removal, Grouping grouping);

// Requests for one table, for one chain, for one set, and (a dump) for the elements of one set.
std::vector<std::uint8_t> build_get_table(const TableName& table, std::uint32_t seq);
std::vector<std::uint8_t> build_get_chain(const TableName& table, std::string_view chain,
                                          std::uint32_t seq);
std::vector<std::uint8_t> build_get_set(const TableName& table, std::string_view set,
                                        std::uint32_t seq);
std::vector<std::uint8_t> build_dump_elements(const TableName& table, std::string_view set,
                                              std::uint32_t seq);

// Dumps all tables, chains, rules, sets, objects or flowtables: `type` is NFT_MSG_GETTABLE,
// _GETCHAIN, _GETRULE, _GETSET, _GETOBJ or _GETFLOWTABLE. For chains the answer also contains those
// of other tables.
std::vector<std::uint8_t> build_dump(std::uint16_t type, const TableName& table, std::uint32_t seq);

// open_nft_firewall() with a choice of the request that is first used for removals. On a kernel
// that does not know kDestroy the object changes to kDelete.
Result<std::unique_ptr<Firewall>> open_nft_firewall(TableName table, bool detach_close,
                                                    Removal removal);

}  // namespace fairlead::kernel
