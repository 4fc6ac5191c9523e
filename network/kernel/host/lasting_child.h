// Short-lived programs leave slow ends of their work to a child process that outlives them: system
// calls that return after a grace period of the kernel only (10-30 ms), and the last close of a
// netfilter socket, which waits for everything that nf_tables still has to destroy, by whomever it
// was deleted (4-20 ms).
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"

namespace fairlead::kernel {

// Descriptors are borrowed; the child has copies of them, and of no others but the netfilter sockets.
struct LastWork {
  std::span<const std::uint8_t> message{};  // is sent to `socket`
  int socket = -1;
  int life_line = -1;  // is closed when that has returned
};

// Tells leave_child() of a netfilter socket, as long as it lives. Thread-safe.
class KnownNetfilterSocket {
 public:
  explicit KnownNetfilterSocket(int fd);
  KnownNetfilterSocket(KnownNetfilterSocket&& other) noexcept;
  KnownNetfilterSocket& operator=(KnownNetfilterSocket&& other) noexcept;
  ~KnownNetfilterSocket();

 private:
  int fd_ = -1;
};
// From now on there are sockets that nobody tells of (libnftables' own): they are searched for, which
// takes 0.1 ms at each call.
void expect_unknown_netfilter_sockets();

// Starts the child, which makes `work` and then keeps open the netfilter sockets that are open in
// this process now, libnftables' own among them, until this process has ended: closing them here
// returns at once. The child is adopted by init or a subreaper, and ends within seconds. Thread-safe.
Status leave_child(const LastWork& work);

// The same for the netfilter sockets alone. Starts none where an earlier child has all of them. Where
// that fails, closing takes longer.
void leave_netfilter_sockets();

}  // namespace fairlead::kernel
