#include "network/kernel/firewall_parse.h"

#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <memory>

#include "network/kernel/firewall_bytes.h"

namespace fairlead::kernel {

namespace {

constexpr unsigned kTypeBits =
    6;  // nft's TYPE_BITS: the share of one field in a concatenation's type number

struct FreeSet {
  void operator()(nftnl_set* set) const { nftnl_set_free(set); }
  void operator()(nftnl_table* table) const { nftnl_table_free(table); }
  void operator()(nftnl_set_elems_iter* iter) const { nftnl_set_elems_iter_destroy(iter); }
};
using NftnlSet = std::unique_ptr<nftnl_set, FreeSet>;
using NftnlTable = std::unique_ptr<nftnl_table, FreeSet>;
using NftnlElements = std::unique_ptr<nftnl_set_elems_iter, FreeSet>;

// libnftnl wants writable, aligned memory; a span of the receive buffer is both, one of a test may
// be neither.
Result<std::vector<std::uint32_t>> copy_of(std::span<const std::uint8_t> message) {
  std::vector<std::uint32_t> copy((message.size() + 3) / 4);
  std::copy(message.begin(), message.end(), reinterpret_cast<std::uint8_t*>(copy.data()));
  const auto* header = reinterpret_cast<const nlmsghdr*>(copy.data());
  if (message.size() > INT32_MAX || !mnl_nlmsg_ok(header, static_cast<int>(message.size())) ||
      header->nlmsg_len < MNL_NLMSG_HDRLEN + 4)
    return fail(Code::kIo, "read an answer of nf_tables: it is cut short");
  return copy;
}

std::span<const std::uint8_t> data_of(nftnl_set_elem* elem, std::uint16_t attribute) {
  std::uint32_t size = 0;
  const void* data = nftnl_set_elem_get(elem, attribute, &size);
  if (data == nullptr) return {};
  return {static_cast<const std::uint8_t*>(data), size};
}

ElementBytes bytes_of(nftnl_set_elem* elem, std::uint16_t attribute, unsigned fields) {
  if (!nftnl_set_elem_is_set(elem, attribute)) return {};
  return ElementBytes::of(data_of(elem, attribute), fields);
}

std::optional<Verdict> verdict_of(nftnl_set_elem* elem) {
  if (!nftnl_set_elem_is_set(elem, NFTNL_SET_ELEM_VERDICT)) return std::nullopt;
  Verdict verdict;
  switch (static_cast<std::int32_t>(nftnl_set_elem_get_u32(elem, NFTNL_SET_ELEM_VERDICT))) {
    case NF_ACCEPT:
      verdict.kind = Verdict::Kind::kAccept;
      break;
    case NFT_RETURN:
      verdict.kind = Verdict::Kind::kReturn;
      break;
    case NFT_GOTO:
      verdict.kind = Verdict::Kind::kGoto;
      break;
    case NFT_JUMP:
      verdict.kind = Verdict::Kind::kJump;
      break;
    default:
      verdict.kind = Verdict::Kind::kDrop;
      break;
  }
  if (const char* chain = nftnl_set_elem_get_str(elem, NFTNL_SET_ELEM_CHAIN)) verdict.chain = chain;
  return verdict;
}

RawElement raw_of(nftnl_set_elem* elem, std::string_view set, const SetShape& shape) {
  RawElement raw{.element = {.set = std::string(set),
                             .key = bytes_of(elem, NFTNL_SET_ELEM_KEY, shape.key_fields),
                             .data = bytes_of(elem, NFTNL_SET_ELEM_DATA, shape.data_fields),
                             .key_end = bytes_of(elem, NFTNL_SET_ELEM_KEY_END, shape.key_fields),
                             .verdict = verdict_of(elem)}};
  if (nftnl_set_elem_is_set(elem, NFTNL_SET_ELEM_FLAGS))
    raw.interval_end =
        (nftnl_set_elem_get_u32(elem, NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END) != 0;
  return raw;
}

unsigned fields_of(std::uint32_t type) {
  return std::max(1U, (static_cast<unsigned>(std::bit_width(type)) + kTypeBits - 1) / kTypeBits);
}

}  // namespace

Result<Answers> parse_answers(std::span<const std::uint8_t> bytes) {
  Answers answers;
  while (!bytes.empty()) {
    nlmsghdr header{};
    if (bytes.size() < sizeof(header))
      return fail(Code::kIo, "read an answer of the kernel: it is cut short");
    std::copy_n(bytes.begin(), sizeof(header), reinterpret_cast<std::uint8_t*>(&header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes.size())
      return fail(Code::kIo, "read an answer of the kernel: a message has a length of {} bytes",
                  header.nlmsg_len);
    const auto message = bytes.first(header.nlmsg_len);
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) answers.interrupted = true;
    if (header.nlmsg_type == NLMSG_ERROR) {
      std::int32_t error = 0;
      if (message.size() < sizeof(header) + sizeof(error))
        return fail(Code::kIo, "read an answer of the kernel: an error is cut short");
      std::copy_n(message.begin() + sizeof(header), sizeof(error),
                  reinterpret_cast<std::uint8_t*>(&error));
      answers.replies.push_back(
          {.seq = header.nlmsg_seq, .error = error < 0 && error != INT32_MIN ? -error : 0});
    } else if (header.nlmsg_type == NLMSG_DONE) {
      answers.done = true;
    } else if (header.nlmsg_type >= NLMSG_MIN_TYPE) {
      answers.messages.push_back(message);
    }
    bytes = bytes.subspan(std::min<std::size_t>(MNL_ALIGN(header.nlmsg_len), bytes.size()));
  }
  return answers;
}

Result<std::string> parse_table_comment(std::span<const std::uint8_t> message) {
  TRY(const auto copy, copy_of(message));
  const NftnlTable table(nftnl_table_alloc());
  if (nftnl_table_nlmsg_parse(reinterpret_cast<const nlmsghdr*>(copy.data()), table.get()) < 0)
    return fail(Code::kIo, "read an answer of nf_tables: it is no table");
  std::uint32_t size = 0;
  const auto* data = static_cast<const std::uint8_t*>(
      nftnl_table_get_data(table.get(), NFTNL_TABLE_USERDATA, &size));
  // Type, length and value of each entry: nftnl_udata_parse() trusts the lengths.
  std::span<const std::uint8_t> rest(data, data == nullptr ? 0 : size);
  while (rest.size() >= 2 && rest.size() - 2 >= rest[1]) {
    const auto value = rest.subspan(2, rest[1]);
    if (rest[0] == NFTNL_UDATA_TABLE_COMMENT)
      return std::string(value.begin(), std::ranges::find(value, std::uint8_t{0}));
    rest = rest.subspan(2 + value.size());
  }
  return std::string();
}

Result<SetShape> parse_set_shape(std::span<const std::uint8_t> message) {
  TRY(const auto copy, copy_of(message));
  const NftnlSet set(nftnl_set_alloc());
  if (nftnl_set_nlmsg_parse(reinterpret_cast<const nlmsghdr*>(copy.data()), set.get()) < 0)
    return fail(Code::kIo, "read an answer of nf_tables: it is no set");
  SetShape shape{.key_fields = fields_of(nftnl_set_get_u32(set.get(), NFTNL_SET_KEY_TYPE))};
  const std::uint32_t flags = nftnl_set_get_u32(set.get(), NFTNL_SET_FLAGS);
  shape.interval = (flags & NFT_SET_INTERVAL) != 0;
  const std::uint32_t data_type = nftnl_set_get_u32(set.get(), NFTNL_SET_DATA_TYPE);
  if ((flags & NFT_SET_MAP) != 0 && data_type != NFT_DATA_VERDICT)
    shape.data_fields = fields_of(data_type);
  return shape;
}

Status parse_elements(std::span<const std::uint8_t> message, std::string_view set,
                      const SetShape& shape, std::vector<RawElement>& into) {
  TRY(const auto copy, copy_of(message));
  const NftnlSet parsed(nftnl_set_alloc());
  if (nftnl_set_elems_nlmsg_parse(reinterpret_cast<const nlmsghdr*>(copy.data()), parsed.get()) < 0)
    return fail(Code::kIo, "read an answer of nf_tables: these are no elements of a set");
  const NftnlElements elements(nftnl_set_elems_iter_create(parsed.get()));
  while (nftnl_set_elem* elem = nftnl_set_elems_iter_next(elements.get()))
    into.push_back(raw_of(elem, set, shape));
  return {};
}

std::vector<Element> join_intervals(std::vector<RawElement> raw, const SetShape& shape) {
  std::vector<Element> joined;
  if (!shape.interval || shape.key_fields > 1) {
    for (RawElement& one : raw) joined.push_back(std::move(one.element));
    return joined;
  }
  // Where one interval ends and another begins at once, the end comes first.
  std::ranges::sort(raw, [](const RawElement& a, const RawElement& b) {
    const auto order = std::lexicographical_compare_three_way(
        a.element.key.bytes().begin(), a.element.key.bytes().end(), b.element.key.bytes().begin(),
        b.element.key.bytes().end());
    return order != 0 ? order < 0 : a.interval_end && !b.interval_end;
  });
  bool open = false;
  for (RawElement& one : raw) {
    if (one.interval_end) {
      if (const auto last = previous_key(one.element.key); open && last)
        joined.back().key_end = *last;
      open = false;
    } else {
      joined.push_back(std::move(one.element));
      open = true;
    }
  }
  if (open)  // reaches to the end of the range
    joined.back().key_end = ElementBytes::of(
        std::vector<std::uint8_t>(joined.back().key.bytes().size(), 0xff), shape.key_fields);
  return joined;
}

}  // namespace fairlead::kernel
