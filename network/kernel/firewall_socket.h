// One kept NETLINK_NETFILTER socket. Opening is cheap; closing waits for whatever nf_tables still
// has to destroy (4-14 ms after a deletion by anybody), which is why it is kept, and handed over at
// the end of short-lived programs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "network/kernel/firewall_parse.h"

namespace fairlead::kernel {

// Bound to the network namespace of the thread that opened it. Not thread-safe.
class NetfilterSocket {
 public:
  static Result<NetfilterSocket> open();

  // The kernel works on a request before sendmsg(2) returns, so that its answer can be read at
  // once.
  Status send(std::span<const std::uint8_t> bytes);
  // Every reply and message that is there now. The messages live until the next call.
  Result<Answers> receive();
  // Sends the request of a dump and gives each message to `on_message`. kUnavailable when the
  // dumped objects changed meanwhile, so that something may be missing or twice: ask again.
  Status dump(std::span<const std::uint8_t> request, std::uint32_t seq,
              const std::function<Status(std::span<const std::uint8_t>)>& on_message);

  std::uint32_t next_seq() { return seq_++; }
  void advance_seq(std::uint32_t seq) { seq_ = seq; }
  int fd() const { return fd_.get(); }

 private:
  explicit NetfilterSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<std::size_t> receive_some(std::size_t offset);

  UniqueFd fd_;
  std::uint32_t seq_ = 1;
  std::size_t send_room_ = 0;
  std::vector<std::uint8_t> buffer_;
};

// Forks a child that outlives this process, holds no descriptor but the netfilter sockets that are
// open now (whoever opened them, libnftables included), and waits in our stead: closing them here
// returns at once. The child goes when this process ends, or after a second. Does nothing when it
// cannot fork: then closing takes longer.
void hand_over_netfilter_sockets();

}  // namespace fairlead::kernel
