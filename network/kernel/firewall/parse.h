// Turns the answers of nf_tables from bytes into values. Pure functions; any bytes are safe to
// read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "network/kernel/firewall/firewall.h"

namespace fairlead::kernel {

// One NLMSG_ERROR: an acknowledgement when `error` is 0, otherwise an errno.
struct Reply {
  std::uint32_t seq = 0;
  int error = 0;
};

// The messages that were received.
struct Answers {
  std::vector<Reply> replies;
  // Other messages with their headers, as views into the bytes.
  std::vector<std::span<const std::uint8_t>> messages;
  bool done = false;         // NLMSG_DONE: the end of a dump
  bool interrupted = false;  // NLM_F_DUMP_INTR: the dump has to be repeated
};
// kIo when the bytes are not a sequence of netlink messages.
Result<Answers> parse_answers(std::span<const std::uint8_t> bytes);

// NFT_MSG_NEWTABLE: the comment that nft writes into the user data, empty when there is none.
Result<std::string> parse_table_comment(std::span<const std::uint8_t> message);

// NFT_MSG_NEWCHAIN: how many rules it has, and how many rules and elements lead to it.
Result<std::uint32_t> parse_chain_uses(std::span<const std::uint8_t> message);

struct SetShape {
  unsigned key_fields = 1;   // more than one: a concatenation
  unsigned data_fields = 0;  // 0: a set, or a verdict map
  bool interval = false;
};
// NFT_MSG_NEWSET. The number of fields follows from the type numbers that nft wrote (6 bits for
// each field).
Result<SetShape> parse_set_shape(std::span<const std::uint8_t> message);

// An element as the kernel stores it. An interval of a key of one field is stored as two elements:
// its first key, and the key after its last one (`interval_end`).
struct RawElement {
  Element element;
  bool interval_end = false;
};
// NFT_MSG_NEWSETELEM: appends the elements of the set to `into`.
Status parse_elements(std::span<const std::uint8_t> message, std::string_view set,
                      const SetShape& shape, std::vector<RawElement>& into);
// Makes one element of the two that the kernel stores for an interval.
std::vector<Element> join_intervals(std::vector<RawElement> raw, const SetShape& shape);

}  // namespace fairlead::kernel
