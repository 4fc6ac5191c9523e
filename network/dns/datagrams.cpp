#include "network/dns/datagrams.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "network/kernel/host/bound_sockets.h"

namespace fairlead::dns {

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMostQuery = 4096;  // bytes; a query has some hundreds
constexpr int kBatchesAtOnce = 4;         // of one socket, until others have their turn

}  // namespace

class DatagramBatch {
 public:
  DatagramBatch() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      in_parts_[i] = {.iov_base = in_bytes_[i].data(), .iov_len = kMostQuery};
      in_[i].msg_hdr.msg_iov = &in_parts_[i];
      in_[i].msg_hdr.msg_iovlen = 1;
      in_[i].msg_hdr.msg_name = in_from_[i].get();
    }
  }
  DatagramBatch(const DatagramBatch&) = delete;
  DatagramBatch& operator=(const DatagramBatch&) = delete;

  // How many have come, at most kBatch.
  std::size_t receive(int fd) {
    for (std::size_t i = 0; i < kBatch; ++i) in_[i].msg_hdr.msg_namelen = sizeof(in_from_[i].bytes);
    const int count = ::recvmmsg(fd, in_.data(), kBatch, MSG_DONTWAIT, nullptr);
    return static_cast<std::size_t>(std::max(count, 0));
  }
  // std::nullopt: it is larger than a query can be.
  std::optional<std::span<const std::uint8_t>> bytes(std::size_t index) const {
    if ((in_[index].msg_hdr.msg_flags & MSG_TRUNC) != 0) return std::nullopt;
    return std::span(in_bytes_[index].data(), in_[index].msg_len);
  }
  const kernel::SocketName& from(std::size_t index) {
    in_from_[index].size = in_[index].msg_hdr.msg_namelen;
    return in_from_[index];
  }

  void answer(std::size_t index, Message message) {
    out_[answers_] = std::move(message);
    out_to_[answers_++] = index;
  }
  // An answer that cannot be sent (the firewall refuses it, there is no route) does not keep the others.
  void send(int fd) {
    for (std::size_t i = 0; i < answers_; ++i) {
      out_parts_[i] = {.iov_base = out_[i].data(), .iov_len = out_[i].size()};
      msghdr& header = out_messages_[i].msg_hdr;
      header = in_[out_to_[i]].msg_hdr;
      header.msg_iov = &out_parts_[i];
      header.msg_flags = 0;
    }
    for (std::size_t sent = 0; sent < answers_;) {
      const int count = ::sendmmsg(fd, out_messages_.data() + sent,
                                   static_cast<unsigned>(answers_ - sent), MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) break;
      sent += count > 0 ? static_cast<std::size_t>(count) : 1;
    }
    answers_ = 0;
  }

 private:
  std::array<std::array<std::uint8_t, kMostQuery>, kBatch> in_bytes_;
  std::array<kernel::SocketName, kBatch> in_from_;
  std::array<iovec, kBatch> in_parts_{}, out_parts_{};
  std::array<mmsghdr, kBatch> in_{}, out_messages_{};
  std::array<Message, kBatch> out_;
  std::array<std::size_t, kBatch> out_to_{};  // who has asked
  std::size_t answers_ = 0;
};

namespace {

class BoundDatagrams final : public DatagramSocket,
                             public std::enable_shared_from_this<BoundDatagrams> {
 public:
  BoundDatagrams(DatagramService service, UniqueFd fd)
      : service_(std::move(service)), fd_(std::move(fd)) {}

  Status start() {
    TRY(watch_, service_.loop.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { read(); }));
    return {};
  }

 private:
  void read() {
    for (int i = 0; i < kBatchesAtOnce; ++i) {
      const std::size_t count = service_.batch->receive(fd_.get());
      for (std::size_t index = 0; index < count; ++index) handle(index);
      service_.batch->send(fd_.get());
      if (count < kBatch) return;
    }
    service_.shares->crowded();
  }

  void handle(std::size_t index) {
    const auto bytes = service_.batch->bytes(index);
    const kernel::SocketName& from = service_.batch->from(index);
    // Nothing can be sent to port 0.
    if (!bytes || from.port() == 0) return;
    const IpAddress client = from.address();
    if (!service_.shares->admit(client, service_.loop.now())) return;
    auto answer =
        service_.front.ask({*bytes, client, Transport::kDatagram}, [&] { return later(from); });
    if (answer) service_.batch->answer(index, std::move(*answer));
  }

  Front::Answer later(const kernel::SocketName& to) {
    return [socket = weak_from_this(), to](const Message& answer) {
      if (const auto alive = socket.lock())
        (void)::sendto(alive->fd_.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                       to.get(), to.size);
    };
  }

  const DatagramService service_;
  const UniqueFd fd_;
  Loop::Watch watch_;
};

}  // namespace

std::shared_ptr<DatagramBatch> make_datagram_batch() { return std::make_shared<DatagramBatch>(); }

Result<std::shared_ptr<DatagramSocket>> serve_datagrams(DatagramService service, UniqueFd fd) {
  auto socket = std::make_shared<BoundDatagrams>(std::move(service), std::move(fd));
  TRY_STATUS(socket->start());
  return std::shared_ptr<DatagramSocket>(std::move(socket));
}

}  // namespace fairlead::dns
