// A thin layer over libmnl: messages are built, sent and answered; nothing is cached.
#pragma once

#include <libmnl/libmnl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "network/kernel/netlink_parse.h"

namespace fairlead::kernel {

// A netlink message under construction: header, family header, attributes.
class NetlinkMessage {
 public:
  // NLM_F_REQUEST is added.
  NetlinkMessage(std::uint16_t type, int flags);

  // The family's fixed header (struct ifinfomsg, rtmsg, ...), or a struct at the start of a nest.
  template <class T>
  NetlinkMessage& put_struct(const T& value) {
    append({reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
    return *this;
  }
  NetlinkMessage& put(int type, Bytes data);
  NetlinkMessage& put_u8(int type, std::uint8_t value);
  NetlinkMessage& put_be16(int type, std::uint16_t value);  // in network order
  NetlinkMessage& put_u32(int type, std::uint32_t value);
  NetlinkMessage& put_u64(int type, std::uint64_t value);
  NetlinkMessage& put_text(int type, std::string_view text);  // with the final NUL

  // Attributes put while the nest lives are inside of it.
  class Nest {
   public:
    Nest(NetlinkMessage& message, int type);
    ~Nest();
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;

   private:
    NetlinkMessage& message_;
    std::size_t start_;
  };
  [[nodiscard]] Nest nest(int type) { return Nest(*this, type); }

  void add_flags(int flags);
  void set_sequence(std::uint32_t sequence);
  Bytes bytes() const { return bytes_; }

 private:
  void append(Bytes data);  // padded to 4 bytes
  nlmsghdr header() const;
  void set_header(const nlmsghdr& header);

  std::vector<std::uint8_t> bytes_;
};

// One message of a batch and what it is about, for its error ("add address 10.1.0.2/24 to eth0"). A
// failure with the errno `tolerated` counts as success.
struct NetlinkStep {
  NetlinkMessage message;
  std::string what;
  int tolerated = 0;
};

// What the kernel said to a request that failed, as an error that begins with `what`.
Error explained(const Ack& ack, std::string_view what);

// A bound netlink socket of one namespace. Not thread-safe: one request at a time.
class NetlinkSocket {
 public:
  using OnMessage = std::function<void(const MessageView&)>;
  // Told of each message that failed, by its place among those that were sent.
  using OnFailure = std::function<void(std::size_t index, const Ack& ack)>;

  // In the network namespace of the calling thread, from then on usable by any thread. `protocol`:
  // NETLINK_ROUTE, ...
  static Result<NetlinkSocket> open(int protocol);

  int fd() const { return mnl_socket_get_fd(socket_.get()); }
  Status join(int group);
  // Bytes of messages that may wait; beyond the limit of the system, as root may.
  void set_receive_buffer(int bytes);

  // Sends and waits for the kernel's ack. Replies and echoes are handed to `on_message` as they
  // come. The error's text begins with `what` and ends with the kernel's own explanation.
  Status request(NetlinkMessage message, std::string_view what, const OnMessage& on_message = {});
  // All messages in one sendmsg. The kernel works on each of them whatever became of those before;
  // the error is that of the first that failed.
  Status batch(std::vector<NetlinkStep> steps, const OnMessage& on_message = {});
  // The same, and every failure is told; none of them fails the call. An error of the call means
  // that the socket failed, and that it is not known what became of the messages. Some hundreds of
  // them at most: their failures have to fit into the receive buffer.
  Status exchange(std::vector<NetlinkMessage> messages, std::string_view what,
                  const OnFailure& on_failure, const OnMessage& on_message = {});
  // Every object the kernel returns; started again (after `restart`) when they changed meanwhile
  // (NLM_F_DUMP_INTR).
  Status dump(const NetlinkMessage& message, std::string_view what,
              const std::function<void()>& restart, const OnMessage& on_message);

  Status send(Bytes bytes, std::string_view what);
  // What is in the socket: one or more messages from the kernel, valid until the next call. Empty
  // when `wait` is false and there is nothing. ENOBUFS (kUnavailable): messages were lost.
  Result<Bytes> receive(std::string_view what, bool wait = true);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
  };
  explicit NetlinkSocket(mnl_socket* socket);
  Result<bool> dump_once(NetlinkMessage message, std::string_view what,
                         const OnMessage& on_message);

  std::unique_ptr<mnl_socket, Close> socket_;
  std::vector<std::uint8_t> buffer_;
  std::uint32_t sequence_ = 0;
};

}  // namespace fairlead::kernel
