#include "network/kernel/firewall/parse.h"

#include <arpa/inet.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <bit>
#include <compare>
#include <initializer_list>
#include <optional>

#include "network/kernel/firewall/attributes.h"
#include "network/kernel/firewall/bytes.h"

namespace fairlead::kernel {

namespace {

constexpr unsigned kTypeBits =
    6;  // nft's TYPE_BITS: the bits for one field in the type number of a concatenation

tl::unexpected<Error> damaged(std::string_view what) {
  return fail(Code::kIo, "read an answer of nf_tables: {}", what);
}

std::uint32_t number32(const nlattr* attribute) {
  return ntohl(number<std::uint32_t>(attribute).value_or(0));
}

ElementBytes bytes_of(const nlattr* data, unsigned fields) {
  const auto value = payload(nested(data)[NFTA_DATA_VALUE]);
  return value.empty() ? ElementBytes() : ElementBytes::of(value, fields);
}

std::optional<Verdict> verdict_of(const nlattr* data) {
  const nlattr* nest = nested(data)[NFTA_DATA_VERDICT];
  if (nest == nullptr) return std::nullopt;
  const NftAttributes attributes = nested(nest);
  Verdict verdict{.chain = text(attributes[NFTA_VERDICT_CHAIN])};
  switch (static_cast<std::int32_t>(number32(attributes[NFTA_VERDICT_CODE]))) {
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
  return verdict;
}

bool is_conditional(const NftAttributes& element) {
  return std::ranges::any_of(
      std::initializer_list<std::uint16_t>{NFTA_SET_ELEM_TIMEOUT, NFTA_SET_ELEM_EXPIRATION,
                                           NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS,
                                           NFTA_SET_ELEM_OBJREF},
      [&](std::uint16_t type) { return element[type] != nullptr; });
}

RawElement raw_of(const nlattr* nest, std::string_view set, const SetShape& shape) {
  const NftAttributes element = nested(nest);
  return {
      .element = {.set = std::string(set),
                  .key = bytes_of(element[NFTA_SET_ELEM_KEY], shape.key_fields),
                  .data = bytes_of(element[NFTA_SET_ELEM_DATA], shape.data_fields),
                  .key_end = bytes_of(element[NFTA_SET_ELEM_KEY_END], shape.key_fields),
                  .verdict = verdict_of(element[NFTA_SET_ELEM_DATA]),
                  .conditional = is_conditional(element)},
      .interval_end = (number32(element[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END) != 0};
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
  const auto aligned = AlignedMessage::of(message);
  if (!aligned) return damaged("a table is cut short");
  // Entries of type, length and value (libnftnl/udata.h).
  auto rest = payload(aligned->attributes()[NFTA_TABLE_USERDATA]);
  while (rest.size() >= 2 && rest.size() - 2 >= rest[1]) {
    const auto value = rest.subspan(2, rest[1]);
    if (rest[0] == NFTNL_UDATA_TABLE_COMMENT)
      return std::string(value.begin(), std::ranges::find(value, std::uint8_t{0}));
    rest = rest.subspan(2 + value.size());
  }
  return std::string();
}

Result<std::uint32_t> parse_chain_uses(std::span<const std::uint8_t> message) {
  const auto aligned = AlignedMessage::of(message);
  if (!aligned) return damaged("a chain is cut short");
  return number32(aligned->attributes()[NFTA_CHAIN_USE]);
}

Result<SetShape> parse_set_shape(std::span<const std::uint8_t> message) {
  const auto aligned = AlignedMessage::of(message);
  if (!aligned) return damaged("a set is cut short");
  const NftAttributes set = aligned->attributes();
  const std::uint32_t flags = number32(set[NFTA_SET_FLAGS]),
                      data_type = number32(set[NFTA_SET_DATA_TYPE]);
  SetShape shape{.key_fields = fields_of(number32(set[NFTA_SET_KEY_TYPE])),
                 .interval = (flags & NFT_SET_INTERVAL) != 0};
  if ((flags & NFT_SET_MAP) != 0 && data_type != NFT_DATA_VERDICT)
    shape.data_fields = fields_of(data_type);
  return shape;
}

Status parse_elements(std::span<const std::uint8_t> message, std::string_view set,
                      const SetShape& shape, std::vector<RawElement>& into) {
  const auto aligned = AlignedMessage::of(message);
  if (!aligned) return damaged("elements of a set are cut short");
  struct Sink {
    std::string_view set;
    const SetShape& shape;
    std::vector<RawElement>& into;
  } sink{set, shape, into};
  if (const nlattr* list = aligned->attributes()[NFTA_SET_ELEM_LIST_ELEMENTS])
    mnl_attr_parse_nested(
        list,
        [](const nlattr* nest, void* data) -> int {
          auto& to = *static_cast<Sink*>(data);
          to.into.push_back(raw_of(nest, to.set, to.shape));
          return MNL_CB_OK;
        },
        &sink);
  return {};
}

std::vector<Element> join_intervals(std::vector<RawElement> raw, const SetShape& shape) {
  std::vector<Element> joined;
  if (!shape.interval || shape.key_fields > 1) {
    for (RawElement& one : raw) joined.push_back(std::move(one.element));
    return joined;
  }
  // When an interval begins with the key at which another ends, the end comes first.
  std::ranges::sort(raw, [](const RawElement& a, const RawElement& b) {
    const auto order = std::lexicographical_compare_three_way(
        a.element.key.bytes().begin(), a.element.key.bytes().end(), b.element.key.bytes().begin(),
        b.element.key.bytes().end());
    return std::is_eq(order) ? a.interval_end && !b.interval_end : std::is_lt(order);
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
  if (open)  // the last interval reaches to the end of the range
    joined.back().key_end = ElementBytes::of(
        std::vector<std::uint8_t>(joined.back().key.bytes().size(), 0xff), shape.key_fields);
  return joined;
}

}  // namespace fairlead::kernel
