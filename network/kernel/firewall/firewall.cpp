#include "network/kernel/firewall/firewall.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <optional>

#include "network/kernel/firewall/batch.h"
#include "network/kernel/firewall/parse.h"
#include "network/kernel/firewall/shape.h"
#include "network/kernel/firewall/socket.h"
#include "network/kernel/firewall/text.h"
#include "network/kernel/host/lasting_child.h"
#include "network/kernel/host/netns.h"

namespace fairlead::kernel {

std::string TableName::text() const {
  return fmt::format("{} {}", family == TableFamily::kInet ? "inet" : "bridge", name);
}

namespace {

constexpr int kMostAttempts = 5;

// The changes that the kernel refused with one error; count 0: it refused the transaction as a
// whole.
struct Refusal {
  std::size_t first = 0, count = 0;
  int error = 0;
};

using SharedSocket = std::shared_ptr<SharedNetfilterSocket>;

class NftFirewall : public Firewall {
 public:
  NftFirewall(TableName table, bool detach_close, Removal removal, UniqueFd netns,
              SharedSocket line)
      : table_(std::move(table)),
        detach_close_(detach_close),
        netns_(std::move(netns)),
        line_(std::move(line)),
        mutex_(line_->mutex),
        socket_(line_->socket),
        removal_(removal) {}

  ~NftFirewall() override {
    // Also when it has only added: the close waits for what others have deleted.
    if (detach_close_) leave_netfilter_sockets();
  }

  Status run(std::string_view nft_text) override;
  Status apply(std::span<const ElementChange> changes) override;
  Result<std::vector<Element>> elements(std::string_view set) override;
  Result<bool> present(std::string_view table_comment) override;
  Result<std::optional<std::string>> comment() override;
  Result<std::uint32_t> chain_uses(std::string_view chain) override;
  Result<std::vector<std::string>> differences(std::string_view nft_text) override;
  Result<std::string> list_text() override;

 private:
  Result<std::string> run_text(std::string_view nft_text);
  Result<std::vector<Refusal>> send(std::span<const ElementChange> changes, Grouping grouping);
  Status apply_singly(std::vector<ElementChange> changes);
  Result<bool> forgive(std::vector<ElementChange>& changes, const std::vector<Refusal>& refusals);
  tl::unexpected<Error> refused(std::span<const ElementChange> changes,
                                const Refusal& refusal) const;
  Result<std::optional<std::vector<std::uint8_t>>> get(std::span<const std::uint8_t> request,
                                                       std::uint32_t seq);
  Result<SetShape> shape_of(std::string_view set);
  Status request(std::string_view nft_text);

  const TableName table_;
  const bool detach_close_;
  const UniqueFd netns_;
  const SharedSocket line_;
  std::mutex& mutex_;
  NetfilterSocket& socket_;
  std::optional<NftText> text_;
  Removal removal_;
  std::string requested_text_;  // the text whose shape is requested_
  TableShape requested_;
};

// ---- text

Result<std::string> NftFirewall::run_text(std::string_view nft_text) {
  std::string printed;
  TRY_STATUS(in_netns(netns_.get(), [&]() -> Status {
    if (!text_) {
      TRY(auto opened, NftText::open());
      text_ = std::move(opened);
    }
    TRY(printed, text_->run(nft_text));
    return {};
  }));
  return printed;
}

Status NftFirewall::run(std::string_view nft_text) {
  const std::lock_guard lock(mutex_);
  if (auto printed = run_text(nft_text); !printed)
    return fail(with_context(std::move(printed).error(),
                             fmt::format("write firewall table {}", table_.text())));
  return {};
}

Result<std::string> NftFirewall::list_text() {
  const std::lock_guard lock(mutex_);
  const std::uint32_t seq = socket_.next_seq();
  TRY(const auto table, get(build_get_table(table_, seq), seq));
  if (!table) return std::string();
  auto printed = run_text(fmt::format("list table {}\n", table_.text()));
  if (!printed)
    return fail(with_context(std::move(printed).error(),
                             fmt::format("list firewall table {}", table_.text())));
  return printed;
}

// ---- elements

Status NftFirewall::apply(std::span<const ElementChange> changes) {
  if (changes.empty()) return {};
  const std::lock_guard lock(mutex_);
  TRY(const auto refusals, send(changes, Grouping::kGrouped));
  if (refusals.empty()) return {};
  return apply_singly({changes.begin(), changes.end()});
}

// Sends one transaction. After a message that fails the kernel goes on, so that it reports every
// message that fails, and changes nothing.
Result<std::vector<Refusal>> NftFirewall::send(std::span<const ElementChange> changes,
                                               Grouping grouping) {
  const Batch batch = build_batch(table_, changes, socket_.next_seq(), removal_, grouping);
  socket_.advance_seq(batch.end);
  TRY_STATUS(socket_.send(batch.bytes));
  TRY(const Answers answers, socket_.receive());
  std::vector<Refusal> refusals;
  bool acknowledged = false;
  for (const Reply& reply : answers.replies) {
    if (reply.seq < batch.begin || reply.seq >= batch.end) continue;
    acknowledged = true;
    if (reply.error == 0) continue;
    const auto message = std::ranges::find(batch.messages, reply.seq, &Batch::Message::seq);
    if (message == batch.messages.end())
      refusals.push_back({.error = reply.error});
    else
      refusals.push_back({.first = message->first, .count = message->count, .error = reply.error});
  }
  if (!acknowledged)
    return fail(Code::kIo, "change firewall table {}: the kernel does not answer", table_.text());
  return refusals;
}

// Repeats a refused transaction with a message for each change, which is slower but tells which
// changes fail. On kernels without kDestroy, removals of elements that do not exist are dropped
// from the transaction.
Status NftFirewall::apply_singly(std::vector<ElementChange> changes) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    if (changes.empty()) return {};
    TRY(const auto refusals, send(changes, Grouping::kSingle));
    if (refusals.empty()) return {};
    TRY(const bool again, forgive(changes, refusals));
    if (!again) return refused(changes, refusals.front());
  }
  return fail(Code::kUnavailable, "change firewall table {}: it changes too fast, try again",
              table_.text());
}

// Whether the transaction can be repeated without the refused changes, or with kDelete: true when
// no refusal is a real error. Changes `changes` or `removal_` accordingly.
Result<bool> NftFirewall::forgive(std::vector<ElementChange>& changes,
                                  const std::vector<Refusal>& refusals) {
  const auto is_removal = [&](const Refusal& refusal) {
    return refusal.count == 1 && changes[refusal.first].kind == ElementChange::Kind::kRemove;
  };
  if (!std::ranges::all_of(refusals, is_removal)) return false;
  if (removal_ == Removal::kDestroy) {
    // The kernel answers EINVAL to a message that it does not know (nfnetlink_rcv_batch).
    if (refusals.front().error != EINVAL) return false;
    removal_ = Removal::kDelete;
    return true;
  }
  for (const Refusal& refusal : refusals) {
    if (refusal.error != ENOENT) return false;
    // Fails when not only the element is missing, but the set.
    TRY_STATUS(shape_of(changes[refusal.first].element.set));
  }
  // Refusals come in the order of the changes.
  for (auto refusal = refusals.rbegin(); refusal != refusals.rend(); ++refusal)
    changes.erase(changes.begin() + static_cast<std::ptrdiff_t>(refusal->first));
  return true;
}

tl::unexpected<Error> NftFirewall::refused(std::span<const ElementChange> changes,
                                           const Refusal& refusal) const {
  if (refusal.count == 0)
    return fail_errno(refusal.error, fmt::format("change firewall table {}", table_.text()));
  const std::string what = fmt::format("change set {} of firewall table {}",
                                       changes[refusal.first].element.set, table_.text());
  switch (refusal.error) {
    case ENOENT:
      return fail(
          Error{Code::kNotFound, ENOENT, what + ": the table, the set or a chain is missing"});
    case EEXIST:
    case EBUSY:
      return fail(Error{Code::kExists, refusal.error, what + ": the key is there with other data"});
    case ENOTEMPTY:
      return fail(Error{Code::kExists, ENOTEMPTY, what + ": the interval overlaps another one"});
    default:
      return fail_errno(refusal.error, what);
  }
}

// ---- asking

// The answer to a request for one object; std::nullopt when there is no such object.
Result<std::optional<std::vector<std::uint8_t>>> NftFirewall::get(
    std::span<const std::uint8_t> request, std::uint32_t seq) {
  TRY_STATUS(socket_.send(request));
  TRY(const Answers answers, socket_.receive());
  for (const Reply& reply : answers.replies) {
    if (reply.seq == seq && reply.error == ENOENT) return std::nullopt;
    if (reply.seq == seq && reply.error != 0)
      return fail_errno(reply.error, fmt::format("read firewall table {}", table_.text()));
  }
  if (answers.messages.empty())
    return fail(Code::kIo, "read firewall table {}: the kernel does not answer", table_.text());
  const auto message = answers.messages.front();
  return std::vector<std::uint8_t>(message.begin(), message.end());
}

Result<SetShape> NftFirewall::shape_of(std::string_view set) {
  const std::uint32_t seq = socket_.next_seq();
  TRY(const auto answer, get(build_get_set(table_, set, seq), seq));
  if (!answer)
    return fail(Error{
        Code::kNotFound, ENOENT,
        fmt::format("read set {} of firewall table {}: it is not there", set, table_.text())});
  return parse_set_shape(*answer);
}

Result<std::vector<Element>> NftFirewall::elements(std::string_view set) {
  const std::lock_guard lock(mutex_);
  TRY(const SetShape shape, shape_of(set));
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    std::vector<RawElement> raw;
    const std::uint32_t seq = socket_.next_seq();
    const auto status = socket_.dump(build_dump_elements(table_, set, seq), seq,
                                     [&](std::span<const std::uint8_t> message) {
                                       return parse_elements(message, set, shape, raw);
                                     });
    if (status) return join_intervals(std::move(raw), shape);
    if (status.error().code != Code::kUnavailable)
      return fail(with_context(
          status.error(), fmt::format("read set {} of firewall table {}", set, table_.text())));
  }
  return fail(Code::kUnavailable,
              "read set {} of firewall table {}: it changes too fast, try again", set,
              table_.text());
}

Result<bool> NftFirewall::present(std::string_view table_comment) {
  TRY(const auto have, comment());
  return have == table_comment;
}

Result<std::optional<std::string>> NftFirewall::comment() {
  const std::lock_guard lock(mutex_);
  const std::uint32_t seq = socket_.next_seq();
  TRY(const auto answer, get(build_get_table(table_, seq), seq));
  if (!answer) return std::optional<std::string>();
  return parse_table_comment(*answer).map(
      [](std::string text) { return std::optional(std::move(text)); });
}

Result<std::uint32_t> NftFirewall::chain_uses(std::string_view chain) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t seq = socket_.next_seq();
  TRY(const auto answer, get(build_get_chain(table_, chain, seq), seq));
  if (!answer) return 0U;
  return parse_chain_uses(*answer);
}

// ---- the whole table

Status try_read_shape(NetfilterSocket& socket, const TableName& table, TableShape& shape) {
  const auto add = [&](std::span<const std::uint8_t> message) {
    return add_to_shape(message, table.name, shape);
  };
  for (const std::uint16_t type : {NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE,
                                   NFT_MSG_GETSET, NFT_MSG_GETOBJ, NFT_MSG_GETFLOWTABLE}) {
    const std::uint32_t seq = socket.next_seq();
    TRY_STATUS(socket.dump(build_dump(type, table, seq), seq, add));
    if (shape.parts.empty()) return {};  // there is no table
  }
  return {};
}

Result<TableShape> read_shape(NetfilterSocket& socket, const TableName& table) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    TableShape shape;
    const Status status = try_read_shape(socket, table, shape);
    if (status) return shape;
    // kNotFound: the table was deleted meanwhile.
    if (status.error().code != Code::kUnavailable && status.error().code != Code::kNotFound)
      return fail(
          with_context(status.error(), fmt::format("read firewall table {}", table.text())));
  }
  return fail(Code::kUnavailable, "read firewall table {}: it changes too fast, try again",
              table.text());
}

// Reads into requested_ the shape of the table that the text makes in a new, empty network
// namespace.
Status NftFirewall::request(std::string_view nft_text) {
  if (requested_text_ == nft_text) return {};
  TRY(const UniqueFd netns, new_netns());
  const auto make_and_read = [&]() -> Status {
    TRY(NftText text, NftText::open());
    TRY_STATUS(text.run(nft_text));
    TRY(NetfilterSocket socket, NetfilterSocket::open());
    TRY(requested_, read_shape(socket, table_));
    return {};
  };
  TRY_STATUS(in_netns(netns.get(), make_and_read));
  requested_text_ = nft_text;
  return {};
}

Result<std::vector<std::string>> NftFirewall::differences(std::string_view nft_text) {
  const std::lock_guard lock(mutex_);
  if (const Status requested = request(nft_text); !requested)
    return fail(with_context(requested.error(),
                             fmt::format("write firewall table {} for comparison", table_.text())));
  TRY(const TableShape have, read_shape(socket_, table_));
  return shape_differences(have, requested_);
}

Result<std::unique_ptr<Firewall>> open_over(SharedSocket line, TableName table, bool detach_close,
                                            Removal removal) {
  TRY(UniqueFd netns, netns_of_socket(line->socket.fd()));
  return std::unique_ptr<Firewall>(std::make_unique<NftFirewall>(
      std::move(table), detach_close, removal, std::move(netns), std::move(line)));
}

}  // namespace

Result<std::unique_ptr<Firewall>> open_nft_firewall(TableName table, bool detach_close,
                                                    Removal removal) {
  TRY(auto line, open_shared_netfilter_socket());
  return open_over(std::move(line), std::move(table), detach_close, removal);
}

Result<std::unique_ptr<Firewall>> open_nft_firewall(TableName table, bool detach_close) {
  return open_nft_firewall(std::move(table), detach_close, Removal::kDestroy);
}

Result<Firewalls> open_nft_firewalls(const std::string& table, bool detach_close) {
  TRY(auto line, open_shared_netfilter_socket());
  Firewalls all;
  TRY(all.inet, open_over(line, {table, TableFamily::kInet}, detach_close, Removal::kDestroy));
  TRY(all.bridge, open_over(line, {table, TableFamily::kBridge}, detach_close, Removal::kDestroy));
  TRY(all.conntrack, detach_close ? make_conntrack(std::move(line)) : open_conntrack());
  return all;
}

}  // namespace fairlead::kernel
