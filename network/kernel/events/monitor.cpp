#include "network/kernel/events/monitor.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "base/unique_fd.h"
#include "network/kernel/events/monitor_parse.h"
#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

namespace {

constexpr int kReceiveBuffer = 8 << 20;  // room for some thousands of events while one is handled

Result<NetlinkSocket> listen_to(int protocol, int group) {
  TRY(NetlinkSocket socket, NetlinkSocket::open(protocol));
  socket.set_receive_buffer(kReceiveBuffer);
  TRY_STATUS(socket.join(group));
  return socket;
}

class NetlinkMonitor final : public Monitor {
 public:
  NetlinkMonitor(NetlinkSocket links, NetlinkSocket tables, UniqueFd stop, std::string table,
                 std::function<void(const KernelEvent&)> on_event)
      : links_(std::move(links)),
        tables_(std::move(tables)),
        stop_(std::move(stop)),
        table_events_(std::move(table)),
        on_event_(std::move(on_event)),
        thread_([this] { run(); }) {}

  ~NetlinkMonitor() override {
    (void)::eventfd_write(stop_.get(), 1);
    thread_.join();
  }

 private:
  void run() {
    std::array<pollfd, 3> ready{{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = links_.fd(), .events = POLLIN, .revents = 0},
                                 {.fd = tables_.fd(), .events = POLLIN, .revents = 0}}};
    for (;;) {
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
      if (ready[0].revents != 0) return;
      if (ready[1].revents != 0) read(links_, [](const MessageView& m) { return link_event(m); });
      if (ready[2].revents != 0)
        read(tables_, [this](const MessageView& m) { return table_events_.take(m); });
    }
  }

  template <class Parse>
  void read(NetlinkSocket& socket, const Parse& parse) {
    auto bytes = socket.receive("listen to the kernel", false);
    if (!bytes) {
      on_event_({.kind = KernelEvent::Kind::kOverrun, .name = {}});
      return;
    }
    while (const auto message = take_message(*bytes))
      if (const auto event = parse(*message)) on_event_(*event);
  }

  NetlinkSocket links_, tables_;
  UniqueFd stop_;
  TableEvents table_events_;
  std::function<void(const KernelEvent&)> on_event_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Monitor>> start_monitor(std::string table,
                                               std::function<void(const KernelEvent&)> on_event) {
  TRY(NetlinkSocket links, listen_to(NETLINK_ROUTE, RTNLGRP_LINK));
  TRY(NetlinkSocket tables, listen_to(NETLINK_NETFILTER, NFNLGRP_NFTABLES));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail_errno(errno, "start the kernel monitor");
  return std::make_unique<NetlinkMonitor>(std::move(links), std::move(tables), std::move(stop),
                                          std::move(table), std::move(on_event));
}

}  // namespace fairlead::kernel
