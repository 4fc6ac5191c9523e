#include "network/kernel/events/monitor.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <initializer_list>
#include <thread>

#include "base/unique_fd.h"
#include "network/kernel/events/link_events.h"
#include "network/kernel/events/table_events.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

namespace {

constexpr int kReceiveBuffer = 8 << 20;  // room for some thousands of events while one is handled
// How often links are asked for settings whose changes make no event. An answer takes 10 us.
constexpr std::chrono::milliseconds kQuietPeriod{500};

Result<NetlinkSocket> listen_to(int protocol, std::initializer_list<int> groups) {
  TRY(NetlinkSocket socket, NetlinkSocket::open(protocol));
  socket.set_receive_buffer(kReceiveBuffer);
  for (const int group : groups) TRY_STATUS(socket.join(group));
  return socket;
}

// Lost events are made up for by looking: what changed meanwhile is not told.
Status learn(NetlinkSocket& socket, LinkEvents& events) {
  return socket.dump(
      dump_links(), "list links", [&] { events = {}; },
      [&](const MessageView& message) { events.know(message); });
}

struct Sockets {
  NetlinkSocket links, tables;
  NetlinkSocket questions;  // answers must not mix with events
};

class NetlinkMonitor final : public Monitor {
 public:
  NetlinkMonitor(Sockets sockets, LinkEvents link_events, UniqueFd stop, std::string table,
                 std::function<void(const KernelEvent&)> on_event)
      : sockets_(std::move(sockets)),
        link_events_(std::move(link_events)),
        stop_(std::move(stop)),
        table_events_(std::move(table)),
        on_event_(std::move(on_event)),
        thread_([this] { run(); }) {}

  ~NetlinkMonitor() override {
    (void)::eventfd_write(stop_.get(), 1);
    thread_.join();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void run() {
    std::array<pollfd, 3> ready{{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = sockets_.links.fd(), .events = POLLIN, .revents = 0},
                                 {.fd = sockets_.tables.fd(), .events = POLLIN, .revents = 0}}};
    for (auto asked = Clock::now();;) {
      const auto rest = std::chrono::ceil<std::chrono::milliseconds>(
          std::max(asked + kQuietPeriod - Clock::now(), Clock::duration::zero()));
      if (::poll(ready.data(), ready.size(), static_cast<int>(rest.count())) < 0 && errno != EINTR)
        return;
      if (ready[0].revents != 0) return;
      if (ready[1].revents != 0)
        read(sockets_.links, [this](const MessageView& m) { return link_events_.take(m); });
      if (ready[2].revents != 0)
        read(sockets_.tables, [this](const MessageView& m) { return table_events_.take(m); });
      if (Clock::now() < asked + kQuietPeriod) continue;
      ask();
      asked = Clock::now();
    }
  }

  template <class Parse>
  void read(NetlinkSocket& socket, const Parse& parse) {
    auto bytes = socket.receive("listen to the kernel", false);
    if (!bytes) {
      on_event_({.kind = KernelEvent::Kind::kOverrun});
      (void)learn(sockets_.questions, link_events_);
      return;
    }
    while (const auto message = take_message(*bytes))
      if (const auto event = parse(*message)) on_event_(*event);
  }

  // A link that is gone meanwhile has its own event.
  void ask() {
    for (const int index : link_events_.quiet())
      (void)sockets_.questions.request(get_link(index), "look at a link",
                                       [this](const MessageView& message) {
                                         if (const auto event = link_events_.take(message))
                                           on_event_(*event);
                                       });
  }

  Sockets sockets_;
  LinkEvents link_events_;
  UniqueFd stop_;
  TableEvents table_events_;
  std::function<void(const KernelEvent&)> on_event_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Monitor>> start_monitor(std::string table,
                                               std::function<void(const KernelEvent&)> on_event) {
  TRY(NetlinkSocket links,
      listen_to(NETLINK_ROUTE,
                {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_NETCONF,
                 RTNLGRP_IPV6_NETCONF, RTNLGRP_TC, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                 RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}));
  TRY(NetlinkSocket tables, listen_to(NETLINK_NETFILTER, {NFNLGRP_NFTABLES}));
  TRY(NetlinkSocket questions, NetlinkSocket::open(NETLINK_ROUTE));
  LinkEvents link_events;
  TRY_STATUS(learn(questions, link_events));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail_errno(errno, "start the kernel monitor");
  return std::make_unique<NetlinkMonitor>(
      Sockets{std::move(links), std::move(tables), std::move(questions)}, std::move(link_events),
      std::move(stop), std::move(table), std::move(on_event));
}

}  // namespace fairlead::kernel
