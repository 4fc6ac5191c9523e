#include "network/kernel/firewall/counters.h"

#include <endian.h>
#include <linux/netfilter/nf_tables.h>

#include <mutex>
#include <optional>

#include "network/kernel/firewall/attributes.h"
#include "network/kernel/firewall/batch.h"
#include "network/kernel/firewall/socket.h"

namespace fairlead::kernel {

namespace {

std::uint64_t number64(const nlattr* attribute) {
  return be64toh(number<std::uint64_t>(attribute).value_or(0));
}

struct Sink {
  unsigned key_fields;
  std::vector<CountedElement>& into;
};

int add_counted(const nlattr* nest, void* data) {
  Sink& sink = *static_cast<Sink*>(data);
  const NftAttributes element = nested(nest);
  const NftAttributes expression = nested(element[NFTA_SET_ELEM_EXPR]);
  const auto key = payload(nested(element[NFTA_SET_ELEM_KEY])[NFTA_DATA_VALUE]);
  if (key.empty() || text(expression[NFTA_EXPR_NAME]) != "counter") return MNL_CB_OK;
  const NftAttributes counter = nested(expression[NFTA_EXPR_DATA]);
  sink.into.push_back({.key = ElementBytes::of(key, sink.key_fields),
                       .packets = number64(counter[NFTA_COUNTER_PACKETS]),
                       .bytes = number64(counter[NFTA_COUNTER_BYTES])});
  return MNL_CB_OK;
}

class SocketCounters : public ElementCounters {
 public:
  explicit SocketCounters(TableName table) : table_(std::move(table)) {}

  Result<std::vector<CountedElement>> read(std::string_view set, unsigned key_fields) override {
    const std::scoped_lock hold(guard_);
    if (!socket_) {
      TRY(auto opened, NetfilterSocket::open());
      socket_ = std::move(opened);
    }
    constexpr int kMostAttempts = 5;
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      std::vector<CountedElement> elements;
      const std::uint32_t seq = socket_->next_seq();
      const Status done = socket_->dump(build_dump_elements(table_, set, seq), seq,
                                        [&](std::span<const std::uint8_t> message) {
                                          return parse_counted(message, key_fields, elements);
                                        });
      if (done) return elements;
      if (done.error().code != Code::kUnavailable)
        return fail(with_context(done.error(), fmt::format("read what set {} has counted", set)));
    }
    return fail(Code::kUnavailable,
                "read what set {} has counted: the table changes too fast, try again", set);
  }

 private:
  const TableName table_;
  std::mutex guard_;
  std::optional<NetfilterSocket> socket_;
};

}  // namespace

Status parse_counted(std::span<const std::uint8_t> message, unsigned key_fields,
                     std::vector<CountedElement>& into) {
  const auto aligned = AlignedMessage::of(message);
  if (!aligned) return fail(Code::kIo, "read an answer of nf_tables: elements are cut short");
  Sink sink{key_fields, into};
  if (const nlattr* list = aligned->attributes()[NFTA_SET_ELEM_LIST_ELEMENTS])
    mnl_attr_parse_nested(list, add_counted, &sink);
  return {};
}

std::unique_ptr<ElementCounters> make_element_counters(TableName table) {
  return std::make_unique<SocketCounters>(std::move(table));
}

}  // namespace fairlead::kernel
