// A NETLINK_NETFILTER socket that is kept open. Opening one is cheap, but closing it waits for
// everything that nf_tables still has to destroy (4-14 ms after a deletion by any program). So the
// socket is kept, and short-lived programs hand it over to a child process at their end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "network/kernel/firewall/parse.h"
#include "network/kernel/host/lasting_child.h"

namespace fairlead::kernel {

// Bound to the network namespace of the thread that opened it. Not thread-safe.
class NetfilterSocket {
 public:
  static Result<NetfilterSocket> open();

  // The kernel handles the request before sendto(2) returns, so the answer can be read at once.
  Status send(std::span<const std::uint8_t> bytes);
  // Every reply and message that is waiting in the socket. The messages are valid until the next
  // call.
  Result<Answers> receive();
  // Sends the request of a dump and passes each message to `on_message`. kUnavailable when the
  // dumped objects changed meanwhile, so that some may be missing or listed twice: the caller
  // repeats the dump.
  Status dump(std::span<const std::uint8_t> request, std::uint32_t seq,
              const std::function<Status(std::span<const std::uint8_t>)>& on_message);

  std::uint32_t next_seq() { return seq_++; }
  void advance_seq(std::uint32_t seq) { seq_ = seq; }
  int fd() const { return fd_.get(); }

 private:
  explicit NetfilterSocket(UniqueFd fd) : fd_(std::move(fd)), known_(fd_.get()) {}
  void make_room(std::size_t offset);
  Result<std::size_t> receive_some(std::size_t offset);

  UniqueFd fd_;
  KnownNetfilterSocket known_;
  std::uint32_t seq_ = 1;
  std::size_t send_room_ = 0;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t room_ = 0;  // bytes in the buffer
};

// A socket, and the turn of its users. Closing a socket after something was deleted waits, and
// others with it, so the tables and the conntrack entries of a process share one.
struct SharedNetfilterSocket {
  explicit SharedNetfilterSocket(NetfilterSocket opened) : socket(std::move(opened)) {}

  std::mutex mutex;
  NetfilterSocket socket;
};
Result<std::shared_ptr<SharedNetfilterSocket>> open_shared_netfilter_socket();

}  // namespace fairlead::kernel
