#include "network/kernel/firewall/conntrack.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <vector>

#include "network/kernel/firewall/conntrack_messages.h"
#include "network/kernel/firewall/socket.h"
#include "network/kernel/host/netns.h"

namespace fairlead::kernel {

namespace {

// Up to this number of filters there is one dump for each, in which the kernel compares. With more
// of them one dump, of what all filters have in common, is compared with all of them here.
constexpr std::size_t kMostDumps = 8;
constexpr int kMostAttempts = 3;
constexpr std::size_t kDeletionsAtOnce = 64;

bool is_of(const FlowFilter& filter, Family family) {
  return (!filter.source || filter.source->family() == family) &&
         (!filter.destination || filter.destination->family() == family) &&
         (!filter.reply_source || filter.reply_source->family() == family);
}

// What the kernel can compare for all of them; std::nullopt: nothing.
std::optional<FlowFilter> common_to(std::span<const FlowFilter> filters) {
  FlowFilter common{.proto = filters.front().proto,
                    .destination_port = filters.front().destination_port};
  for (const FlowFilter& filter : filters) {
    if (filter.proto != common.proto) return std::nullopt;
    if (filter.destination_port != common.destination_port ||
        filter.destination_port_last > filter.destination_port)
      common.destination_port = 0;
  }
  return common;
}

// The addresses of this host. None when the kernel cannot be asked.
std::vector<IpAddress> own_addresses_here() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owned(list, ::freeifaddrs);
  std::vector<IpAddress> addresses;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    if (each->ifa_addr->sa_family == AF_INET) {
      const auto& v4 = reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr;
      addresses.push_back(
          IpAddress::from_bytes(Family::kV4, {reinterpret_cast<const std::uint8_t*>(&v4), 4}));
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      const auto& v6 = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr;
      addresses.push_back(
          IpAddress::from_bytes(Family::kV6, {reinterpret_cast<const std::uint8_t*>(&v6), 16}));
    }
  }
  return addresses;
}

class NetlinkConntrack : public Conntrack {
 public:
  NetlinkConntrack(std::shared_ptr<SharedNetfilterSocket> shared, UniqueFd netns)
      : shared_(std::move(shared)),
        mutex_(shared_->mutex),
        socket_(shared_->socket),
        netns_(std::move(netns)) {}

  Result<std::size_t> forget(std::span<const FlowFilter> filters) override {
    const std::lock_guard lock(mutex_);
    std::size_t forgotten = 0;
    for (const Family family : {Family::kV4, Family::kV6}) {
      std::vector<FlowFilter> wanted;
      std::ranges::copy_if(filters, std::back_inserter(wanted),
                           [&](const FlowFilter& filter) { return is_of(filter, family); });
      TRY(const std::size_t of_family, forget(family, wanted));
      forgotten += of_family;
    }
    return forgotten;
  }

 private:
  Result<std::size_t> forget(Family family, std::span<const FlowFilter> filters) {
    if (filters.empty()) return std::size_t{0};
    if (filters.size() > kMostDumps) return forget(family, common_to(filters), filters);
    std::size_t forgotten = 0;
    for (const FlowFilter& filter : filters) {
      TRY(const std::size_t by_filter, forget(family, filter, {&filter, 1}));
      forgotten += by_filter;
    }
    return forgotten;
  }

  Result<std::size_t> forget(Family family, const std::optional<FlowFilter>& asked,
                             std::span<const FlowFilter> filters) {
    TRY(const auto flows, find(family, asked, filters));
    std::size_t forgotten = 0;
    for (std::size_t first = 0; first < flows.size(); first += kDeletionsAtOnce) {
      const auto some =
          std::span(flows).subspan(first, std::min(kDeletionsAtOnce, flows.size() - first));
      TRY(const std::size_t deleted, remove(some));
      forgotten += deleted;
    }
    return forgotten;
  }

  Result<std::vector<Flow>> find(Family family, const std::optional<FlowFilter>& asked,
                                 std::span<const FlowFilter> filters) {
    std::vector<Flow> flows;
    std::optional<std::vector<IpAddress>> own;  // asked for with the first entry that needs it
    const auto is_wanted = [&](const Flow& flow, const FlowFilter& filter) {
      if (!matches(flow, filter)) return false;
      if (!filter.to_host || filter.destination) return true;
      if (!own) own = own_addresses();
      return std::ranges::find(*own, flow.original.destination) != own->end();
    };
    const auto on_message = [&](std::span<const std::uint8_t> message) -> Status {
      TRY(const Flow flow, parse_flow(message));
      if (std::ranges::any_of(filters,
                              [&](const FlowFilter& filter) { return is_wanted(flow, filter); }))
        flows.push_back(flow);
      return {};
    };
    // Entries may come and go while they are listed. The dump is repeated only when the kernel
    // reports that it may have missed some.
    for (int attempt = 0;; ++attempt) {
      const std::uint32_t seq = socket_.next_seq();
      const Status dumped = socket_.dump(build_dump_flows(family, asked, seq), seq, on_message);
      if (dumped || (dumped.error().code == Code::kUnavailable && attempt == kMostAttempts))
        return flows;
      if (dumped.error().code != Code::kUnavailable)
        return fail(with_context(dumped.error(), "list conntrack entries"));
    }
  }

  // Deletes the entries. ENOENT means that an entry is already gone, and is not counted.
  Result<std::size_t> remove(std::span<const Flow> flows) {
    std::vector<std::uint8_t> requests;
    for (const Flow& flow : flows) {
      const auto request = build_delete_flow(flow, socket_.next_seq());
      requests.insert(requests.end(), request.begin(), request.end());
    }
    TRY_STATUS(socket_.send(requests));
    TRY(const Answers answers, socket_.receive());
    std::size_t deleted = 0;
    for (const Reply& reply : answers.replies) {
      if (reply.error == 0) ++deleted;
      if (reply.error != 0 && reply.error != ENOENT)
        return fail_errno(reply.error, "delete a conntrack entry");
    }
    return deleted;
  }

  std::vector<IpAddress> own_addresses() const {
    std::vector<IpAddress> addresses;
    (void)in_netns(netns_.get(), [&]() -> Status {
      addresses = own_addresses_here();
      return {};
    });
    return addresses;
  }

  const std::shared_ptr<SharedNetfilterSocket> shared_;
  std::mutex& mutex_;
  NetfilterSocket& socket_;
  UniqueFd netns_;
};

}  // namespace

Result<std::unique_ptr<Conntrack>> open_conntrack() {
  TRY(auto socket, open_shared_netfilter_socket());
  return make_conntrack(std::move(socket));
}

Result<std::unique_ptr<Conntrack>> make_conntrack(std::shared_ptr<SharedNetfilterSocket> socket) {
  TRY(UniqueFd netns, netns_of_socket(socket->socket.fd()));
  return std::make_unique<NetlinkConntrack>(std::move(socket), std::move(netns));
}

}  // namespace fairlead::kernel
