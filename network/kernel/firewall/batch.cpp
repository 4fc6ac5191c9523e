#include "network/kernel/firewall/batch.h"

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <memory>
#include <string>

#include "network/kernel/firewall/bytes.h"

namespace fairlead::kernel {

namespace {

// NFT_MSG_DESTROYSETELEM of linux/netfilter/nf_tables.h since Linux 6.3; Debian 12's headers lack
// it.
constexpr std::uint16_t kDestroySetElem = 30;

// NFTA_SET_ELEM_LIST_ELEMENTS is an attribute, and so at most 65,535 bytes long.
constexpr std::size_t kMostElementBytes = 32 << 10;

struct FreeSet {
  void operator()(nftnl_set* set) const { nftnl_set_free(set); }
};
using NftnlSet = std::unique_ptr<nftnl_set, FreeSet>;

// An upper bound of the bytes of the element's attributes: one or two keys, data or verdict, flags,
// headers.
std::size_t room_for(const Element& element) {
  const std::size_t chain = element.verdict ? element.verdict->chain.size() : 0;
  return 192 + 2 * element.key.bytes().size() + element.key_end.bytes().size() +
         element.data.bytes().size() + chain;
}

std::uint32_t code_of(Verdict::Kind kind) {
  switch (kind) {
    case Verdict::Kind::kAccept:
      return NF_ACCEPT;
    case Verdict::Kind::kDrop:
      return NF_DROP;
    case Verdict::Kind::kReturn:
      return static_cast<std::uint32_t>(NFT_RETURN);
    case Verdict::Kind::kGoto:
      return static_cast<std::uint32_t>(NFT_GOTO);
    case Verdict::Kind::kJump:
      return static_cast<std::uint32_t>(NFT_JUMP);
  }
  return NF_DROP;
}

void put(nftnl_set_elem* elem, std::uint16_t attribute, const ElementBytes& bytes) {
  const auto raw = bytes.bytes();
  nftnl_set_elem_set(elem, attribute, raw.data(), static_cast<std::uint32_t>(raw.size()));
}

nftnl_set_elem* add_elem(nftnl_set* set, const ElementBytes& key) {
  nftnl_set_elem* elem = nftnl_set_elem_alloc();
  put(elem, NFTNL_SET_ELEM_KEY, key);
  nftnl_set_elem_add(set, elem);
  return elem;
}

void add_element(nftnl_set* set, const Element& element) {
  nftnl_set_elem* elem = add_elem(set, element.key);
  if (!element.data.empty()) put(elem, NFTNL_SET_ELEM_DATA, element.data);
  if (element.verdict) {
    nftnl_set_elem_set_u32(elem, NFTNL_SET_ELEM_VERDICT, code_of(element.verdict->kind));
    if (!element.verdict->chain.empty())
      nftnl_set_elem_set_str(elem, NFTNL_SET_ELEM_CHAIN, element.verdict->chain.c_str());
  }
  if (element.key_end.empty()) return;
  if (element.key.fields() > 1) {
    put(elem, NFTNL_SET_ELEM_KEY_END, element.key_end);
  } else if (const auto behind = next_key(element.key_end)) {
    nftnl_set_elem_set_u32(add_elem(set, *behind), NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
  }
}

std::uint8_t family_of(const TableName& table) {
  return table.family == TableFamily::kInet ? NFPROTO_INET : NFPROTO_BRIDGE;
}

std::uint16_t message_type(ElementChange::Kind kind, Removal removal) {
  if (kind == ElementChange::Kind::kAdd) return NFT_MSG_NEWSETELEM;
  return removal == Removal::kDestroy ? kDestroySetElem : std::uint16_t{NFT_MSG_DELSETELEM};
}

// How many changes from `first` on go into one message.
std::size_t group_size(std::span<const ElementChange> changes, std::size_t first,
                       Grouping grouping) {
  if (grouping == Grouping::kSingle) return 1;
  std::size_t bytes = 0, count = 0;
  for (const ElementChange& change : changes.subspan(first)) {
    bytes += room_for(change.element);
    if (count > 0 && (bytes > kMostElementBytes || change.kind != changes[first].kind ||
                      change.element.set != changes[first].element.set))
      break;
    ++count;
  }
  return count;
}

class Builder {
 public:
  Builder(TableName table, std::uint32_t seq) : table_(std::move(table)) {
    batch_.begin = batch_.end = seq;
  }

  void mark(void (*put_mark)(std::uint8_t*, std::uint32_t)) {
    put_mark(reserve(64), batch_.end++);
    shrink();
  }

  void add(std::span<const ElementChange> changes, std::size_t first, std::size_t count,
           Removal removal) {
    const NftnlSet set(nftnl_set_alloc());
    nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table_.name.c_str());
    nftnl_set_set_str(set.get(), NFTNL_SET_NAME, changes[first].element.set.c_str());
    std::size_t room = 256 + table_.name.size() + changes[first].element.set.size();
    for (const ElementChange& change : changes.subspan(first, count)) {
      add_element(set.get(), change.element);
      room += 2 * room_for(change.element);
    }
    const bool last = first + count == changes.size();
    const bool adds = changes[first].kind == ElementChange::Kind::kAdd;
    nlmsghdr* header = nftnl_nlmsg_build_hdr(
        reinterpret_cast<char*>(reserve(room)), message_type(changes[first].kind, removal),
        family_of(table_),
        static_cast<std::uint16_t>((adds ? NLM_F_CREATE : 0) | (last ? NLM_F_ACK : 0)), batch_.end);
    nftnl_set_elems_nlmsg_build_payload(header, set.get());
    batch_.messages.push_back({.seq = batch_.end++, .first = first, .count = count});
    shrink();
  }

  Batch take() { return std::move(batch_); }

 private:
  std::uint8_t* reserve(std::size_t room) {
    start_ = batch_.bytes.size();
    batch_.bytes.resize(start_ + room);
    return batch_.bytes.data() + start_;
  }
  void shrink() {
    const auto* header = reinterpret_cast<const nlmsghdr*>(batch_.bytes.data() + start_);
    batch_.bytes.resize(start_ + MNL_ALIGN(header->nlmsg_len));
  }

  TableName table_;
  Batch batch_;
  std::size_t start_ = 0;
};

std::vector<std::uint8_t> build_get(
    std::uint16_t type, const TableName& table, std::uint16_t flags, std::uint32_t seq,
    std::span<const std::pair<std::uint16_t, std::string_view>> names) {
  std::size_t room = 64;
  for (const auto& [attribute, name] : names) room += 8 + name.size();
  std::vector<std::uint8_t> bytes(room);
  nlmsghdr* header = nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(bytes.data()), type,
                                           family_of(table), flags, seq);
  for (const auto& [attribute, name] : names)
    mnl_attr_put_strz(header, attribute, std::string(name).c_str());
  bytes.resize(header->nlmsg_len);
  return bytes;
}

}  // namespace

Batch build_batch(const TableName& table, std::span<const ElementChange> changes,
                  std::uint32_t first_seq, Removal removal, Grouping grouping) {
  Builder builder(table, first_seq);
  builder.mark([](std::uint8_t* at, std::uint32_t seq) {
    nftnl_batch_begin(reinterpret_cast<char*>(at), seq);
  });
  for (std::size_t first = 0; first < changes.size();) {
    const std::size_t count = group_size(changes, first, grouping);
    builder.add(changes, first, count, removal);
    first += count;
  }
  builder.mark([](std::uint8_t* at, std::uint32_t seq) {
    nftnl_batch_end(reinterpret_cast<char*>(at), seq);
  });
  return builder.take();
}

std::vector<std::uint8_t> build_get_table(const TableName& table, std::uint32_t seq) {
  const std::pair<std::uint16_t, std::string_view> names[] = {{NFTA_TABLE_NAME, table.name}};
  return build_get(NFT_MSG_GETTABLE, table, 0, seq, names);
}

std::vector<std::uint8_t> build_get_chain(const TableName& table, std::string_view chain,
                                          std::uint32_t seq) {
  const std::pair<std::uint16_t, std::string_view> names[] = {{NFTA_CHAIN_TABLE, table.name},
                                                              {NFTA_CHAIN_NAME, chain}};
  return build_get(NFT_MSG_GETCHAIN, table, 0, seq, names);
}

std::vector<std::uint8_t> build_get_set(const TableName& table, std::string_view set,
                                        std::uint32_t seq) {
  const std::pair<std::uint16_t, std::string_view> names[] = {{NFTA_SET_TABLE, table.name},
                                                              {NFTA_SET_NAME, set}};
  return build_get(NFT_MSG_GETSET, table, 0, seq, names);
}

std::vector<std::uint8_t> build_dump_elements(const TableName& table, std::string_view set,
                                              std::uint32_t seq) {
  const std::pair<std::uint16_t, std::string_view> names[] = {
      {NFTA_SET_ELEM_LIST_TABLE, table.name}, {NFTA_SET_ELEM_LIST_SET, set}};
  return build_get(NFT_MSG_GETSETELEM, table, NLM_F_DUMP, seq, names);
}

std::vector<std::uint8_t> build_dump(std::uint16_t type, const TableName& table,
                                     std::uint32_t seq) {
  static_assert(int{NFTA_CHAIN_TABLE} == int{NFTA_RULE_TABLE} &&
                int{NFTA_CHAIN_TABLE} == int{NFTA_SET_TABLE} &&
                int{NFTA_CHAIN_TABLE} == int{NFTA_OBJ_TABLE} &&
                int{NFTA_CHAIN_TABLE} == int{NFTA_FLOWTABLE_TABLE});
  const std::pair<std::uint16_t, std::string_view> names[] = {{NFTA_CHAIN_TABLE, table.name}};
  return build_get(type, table, NLM_F_DUMP, seq, names);
}

}  // namespace fairlead::kernel
