// A thin layer over libmnl: it builds and sends messages, and reads the answers. Nothing is cached.
#pragma once

#include <libmnl/libmnl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "network/kernel/netlink/messages.h"

namespace fairlead::kernel {

// A netlink message under construction: header, family header, attributes.
class NetlinkMessage {
 public:
  // Adds NLM_F_REQUEST to `flags`.
  NetlinkMessage(std::uint16_t type, int flags);

  // Appends the family's fixed header (struct ifinfomsg, rtmsg, ...), or a struct at the start of a
  // nest.
  template <class T>
  NetlinkMessage& put_struct(const T& value) {
    append({reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
    return *this;
  }
  NetlinkMessage& put(int type, Bytes data);
  NetlinkMessage& put_u8(int type, std::uint8_t value);
  NetlinkMessage& put_u16(int type, std::uint16_t value);
  NetlinkMessage& put_be16(int type, std::uint16_t value);  // in network order
  NetlinkMessage& put_u32(int type, std::uint32_t value);
  NetlinkMessage& put_u64(int type, std::uint64_t value);
  NetlinkMessage& put_text(int type, std::string_view text);  // with the final NUL

  // Attributes that are put during the lifetime of the object are inside the nest.
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

// One message of a batch, with a description for its error ("add address 10.1.0.2/24 to eth0"). A
// failure with the errno `tolerated` counts as success.
struct NetlinkStep {
  NetlinkMessage message;
  std::string what;
  int tolerated = 0;
};

// The kernel's answer to a request that failed, as an error whose text begins with `what`.
Error explained(const Ack& ack, std::string_view what);

// A bound netlink socket of one namespace. Not thread-safe: one request at a time.
class NetlinkSocket {
 public:
  using OnMessage = std::function<void(const MessageView&)>;
  // Called for each message that failed; `index` is its position among the messages that were sent.
  using OnFailure = std::function<void(std::size_t index, const Ack& ack)>;

  // Opens the socket in the network namespace of the calling thread; any thread may use it then.
  // `protocol`: NETLINK_ROUTE, ...
  static Result<NetlinkSocket> open(int protocol);

  int fd() const { return mnl_socket_get_fd(socket_.get()); }
  Status join(int group);
  // How many bytes of messages may wait in the socket. With CAP_NET_ADMIN this may exceed the limit
  // of the system (net.core.rmem_max).
  void set_receive_buffer(int bytes);

  // Sends the message and waits for the kernel's ack. Replies and echoes are passed to `on_message`
  // as they come. The error's text begins with `what` and ends with the kernel's own explanation.
  Status request(NetlinkMessage message, std::string_view what, const OnMessage& on_message = {});
  // Sends all messages at once. The kernel handles each message even when earlier ones failed; the
  // error is that of the first message that failed. Failures that are tolerated are passed to
  // `on_tolerated`.
  Status batch(std::vector<NetlinkStep> steps, const OnMessage& on_message = {},
               const OnFailure& on_tolerated = {});
  // Like batch(), but every failure is passed to `on_failure`, and none makes the call fail. An
  // error of the call means that the socket failed, and that the outcome of the messages is
  // unknown. At most some hundreds of messages: their failures have to fit into the receive buffer.
  Status exchange(std::vector<NetlinkMessage> messages, std::string_view what,
                  const OnFailure& on_failure, const OnMessage& on_message = {});
  // Passes every object of a dump to `on_message`. Calls `restart` before each attempt: a dump is
  // repeated when the objects changed meanwhile (NLM_F_DUMP_INTR).
  Status dump(const NetlinkMessage& message, std::string_view what,
              const std::function<void()>& restart, const OnMessage& on_message);

  Status send(Bytes bytes, std::string_view what);
  // One datagram from the kernel with one or more messages, valid until the next call. Empty when
  // `wait` is false and nothing is in the socket. kUnavailable (ENOBUFS) when messages were lost.
  Result<Bytes> receive(std::string_view what, bool wait = true);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
  };
  explicit NetlinkSocket(mnl_socket* socket);
  Result<bool> dump_once(NetlinkMessage message, std::string_view what,
                         const OnMessage& on_message);

  std::unique_ptr<mnl_socket, Close> socket_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::uint32_t sequence_ = 0;
};

}  // namespace fairlead::kernel
