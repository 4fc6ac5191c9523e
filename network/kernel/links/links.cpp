#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/fault.h"
#include "network/kernel/host/netns.h"
#include "network/kernel/links/device.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kRemovalDeadline{20};
constexpr std::chrono::milliseconds kRemovalLook{
    250};  // how often a link is looked up whose removal has not been announced yet

std::string describe(const VethSpec& spec) {
  return fmt::format("create interface {} with its peer {}{}", spec.host_name.str(),
                     spec.peer_name.str(), spec.peer_netns_fd >= 0 ? " in the container" : "");
}

// Adds to the errors of a creation what the user can do about them.
Error creation_error(Error error, const VethSpec& spec) {
  if (error.sys_errno == EEXIST)
    error.text +=
        fmt::format(": the host has an interface {} already, or the container an interface {}",
                    spec.host_name.str(), spec.peer_name.str());
  if (error.sys_errno == EXFULL)
    error.text += ": a bridge takes at most 1023 ports; use a second network or mode=routed";
  return error;
}

}  // namespace

std::vector<Link> links_of(FoundLinks found) {
  std::vector<Link> links;
  links.reserve(found.size());
  for (LinkDetails& details : found) links.push_back(std::move(details.link));
  return links;
}

Result<std::unique_ptr<Links>> open_netlink_links(RemovalMode mode) {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
  TRY(UniqueFd netns, netns_of_socket(socket.fd()));
  return std::make_unique<NetlinkLinks>(std::move(netns), std::move(socket), mode);
}

Status NetlinkLinks::in_host(const std::function<Status()>& work) {
  return in_netns(host_netns_.get(), work);
}

Result<Link> NetlinkLinks::find(const IfName& name) {
  TRY(LinkDetails found, socket_.get(get_link(name), fmt::format("find interface {}", name.str())));
  return std::move(found.link);
}

Result<Link> NetlinkLinks::find(int index) {
  TRY(LinkDetails found, socket_.get(get_link(index), fmt::format("find interface {}", index)));
  return std::move(found.link);
}

Result<std::vector<Link>> NetlinkLinks::list() {
  TRY(FoundLinks found, socket_.list());
  return links_of(std::move(found));
}

Status NetlinkLinks::settle(int index) {
  TRY(const LinkDetails found,
      socket_.get(get_link(index), fmt::format("settle interface {}", index)));
  if (found.link.master == 0) return {};
  TRY(const LinkDetails master, socket_.get(get_link(found.link.master), "settle a bridge"));
  return {};
}

// ---- veth

Result<Veth> NetlinkLinks::create_veth(const VethSpec& spec) {
  // The kernel makes a link-local address when the link goes up, so the setting that prevents it
  // must be made before that; and a port without its flags would let packets pass that they stop.
  const bool up_at_once = spec.host_up && spec.host_ipv6 && spec.port == PortFlags();
  FoundLinks made;
  const auto created =
      socket_.request(create_veth_pair(spec, up_at_once ? LinkState::kUp : LinkState::kKeep),
                      describe(spec), [&](const MessageView& m) { collect_links(made, m); });
  if (!created) {
    // The kernel answers EINVAL when the master does not exist (net/core/rtnetlink.c,
    // do_set_master).
    if (spec.master != 0 && created.error().sys_errno == EINVAL)
      if (const auto bridge = find(spec.master); !bridge)
        return fail(with_context(bridge.error(), describe(spec)));
    return fail(creation_error(created.error(), spec));
  }
  fault_point("links.veth.created");
  // Kernels before Linux 6.2 do not echo new links (rtnl_newlink_create).
  if (made.empty()) {
    TRY(LinkDetails asked, socket_.get(get_link(spec.host_name), describe(spec)));
    made.push_back(std::move(asked));
  }
  const Link& host = made.front().link;
  const Veth veth{.host_index = host.index, .peer_index = host.peer_index, .host_mac = host.mac};
  if (const Status finished = finish_veth(spec, veth); !finished) {
    (void)remove_links({host});
    return fail(finished.error());
  }
  return veth;
}

Status NetlinkLinks::finish_veth(const VethSpec& spec, const Veth& veth) {
  const std::string& name = spec.host_name.str();
  std::vector<NetlinkStep> steps;
  if (!spec.host_ipv6)
    steps.push_back(no_link_local(veth.host_index, fmt::format("switch IPv6 off on {}", name)));
  const bool flags = spec.port != PortFlags();
  if (spec.master != 0 && spec.port.vlan) {
    TRY(auto vlan, vlan_steps(veth.host_index, spec.master, *spec.port.vlan));
    std::ranges::move(vlan, std::back_inserter(steps));
  }
  if (flags || (spec.host_up && !spec.host_ipv6)) {
    // The kernel sets the flags of the port first (net/core/rtnetlink.c, rtnl_changelink).
    NetlinkMessage up =
        change_link(veth.host_index, spec.host_up ? LinkState::kUp : LinkState::kKeep);
    if (flags) put_port_flags(up, spec.port);
    steps.push_back({std::move(up), fmt::format("switch {} on", name)});
  }
  if (!spec.alias.empty()) {
    NetlinkMessage alias = change_link(veth.host_index);
    alias.put_text(IFLA_IFALIAS, spec.alias);
    steps.push_back({std::move(alias), fmt::format("set the alias of {}", name)});
  }
  if (steps.empty()) return {};
  return socket_.batch(std::move(steps));
}

Status NetlinkLinks::set_port_flags(int index, PortFlags flags) {
  NetlinkMessage message = change_link(index);
  put_port_flags(message, flags);
  return socket_.request(std::move(message), fmt::format("set the flags of bridge port {}", index));
}

Status NetlinkLinks::set_master(int index, int master, PortFlags flags) {
  const std::string what = fmt::format("make interface {} a port of {}", index, master);
  const bool flagged = master != 0 && flags != PortFlags();
  std::vector<NetlinkStep> steps;
  if (flagged) steps.push_back({change_link(index, LinkState::kDown), what});
  NetlinkMessage joining = change_link(index, flagged ? LinkState::kKeep : LinkState::kUp);
  joining.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(master));
  steps.push_back({std::move(joining), what});
  if (flagged && flags.vlan) {
    TRY(auto vlan, vlan_steps(index, master, *flags.vlan));
    std::ranges::move(vlan, std::back_inserter(steps));
    TRY(const auto others, vlans_of(index));  // what somebody has added to a port that it was
    for (const VlanDetails& other : others)
      if (other.id != *flags.vlan) steps.push_back({delete_vlan(index, other.id), what, ENOENT});
  }
  if (flagged) {
    NetlinkMessage up = change_link(index, LinkState::kUp);
    put_port_flags(up, flags);
    steps.push_back({std::move(up), what});
  }
  return socket_.batch(std::move(steps));
}

Status NetlinkLinks::remove_address(int index, const Cidr& address) {
  Status outcome = socket_.request(
      delete_address(index, address),
      fmt::format("remove address {} from interface {}", address.to_string(), index));
  if (!outcome && outcome.error().sys_errno == EADDRNOTAVAIL) return {};
  return outcome;
}

// ---- removal

Status NetlinkLinks::prepare_removal() {
  const std::lock_guard lock(removal_mutex_);
  if (reaper_) return {};
  return in_host([this]() -> Status {
    TRY(watch_, DeletionWatch::open());
    if (mode_ == RemovalMode::kThread) {
      reaper_ = make_thread_reaper(host_netns_.get(), *watch_);
    } else {
      TRY(reaper_, make_process_reaper());
    }
    return {};
  });
}

Status NetlinkLinks::remove(const IfName& name) {
  const IfName ifb = ifb_name(name.str());
  std::vector<NetlinkStep> steps;
  steps.push_back({get_link(name), fmt::format("find interface {}", name.str()), ENODEV});
  steps.push_back({get_link(ifb), fmt::format("find interface {}", ifb.str()), ENODEV});
  TRY(FoundLinks found, socket_.ask(std::move(steps)));
  return remove_links(links_of(std::move(found)));
}

Status NetlinkLinks::remove_links(const std::vector<Link>& links) {
  if (links.empty()) return {};
  for (const Link& link : links)
    if (link.kind.empty())
      return fail(Code::kUnsupported,
                  "delete interface {}: it is a device of the machine, not a virtual one",
                  link.name);
  TRY_STATUS(prepare_removal());
  std::vector<int> indexes;
  for (const Link& link : links) {
    indexes.push_back(link.index);
    watch_->expect(link.index);
  }
  if (const Status submitted = reaper_->submit(indexes); !submitted) {
    for (const int index : indexes) watch_->forget(index);
    return submitted;
  }
  Status outcome;
  for (const Link& link : links)
    if (Status removed = await_removal(link); !removed && outcome) outcome = std::move(removed);
  return outcome;
}

Status NetlinkLinks::await_removal(const Link& link) {
  const auto deadline = Clock::now() + kRemovalDeadline;
  do {
    if (const auto fate = watch_->wait(link.index, Clock::now() + kRemovalLook)) {
      if (!*fate)
        return fail(with_context(fate->error(), fmt::format("delete interface {}", link.name)));
      return {};
    }
    if (const auto look = find(link.index); !look && look.error().code == Code::kNotFound)
      watch_->settle(link.index, {});
  } while (Clock::now() < deadline);
  watch_->forget(link.index);
  return fail(Code::kUnavailable, "delete interface {}: the kernel has not done so within {} s",
              link.name, kRemovalDeadline.count());
}

void NetlinkLinks::finish_removals() {
  LinkReaper* reaper = nullptr;
  {
    const std::lock_guard lock(removal_mutex_);
    reaper = reaper_.get();
  }
  if (reaper != nullptr) reaper->finish();
}

// ---- neighbours

Status NetlinkLinks::announce(int bridge_index, const IpAddress& address, const MacAddress& mac) {
  TRY_STATUS(announcer_.send(bridge_index, announcement_frame(address, mac)));
  return forget_neighbour(bridge_index, address);
}

Status NetlinkLinks::forget_neighbour(int link_index, const IpAddress& address) {
  Status outcome = socket_.request(
      delete_neighbour(link_index, address),
      fmt::format("forget neighbour {} on interface {}", address.to_string(), link_index));
  if (!outcome && outcome.error().sys_errno == ENOENT) return {};
  return outcome;
}

}  // namespace fairlead::kernel
