// The guard of a bridge with route_localnet: a classic BPF program at the ingress of the device
// itself (cls_bpf in direct-action mode, net/sched/cls_bpf.c), which no change of nftables reaches.
// It drops the packets of the wire only: the answers that are translated back to 127.0.0.1 have
// passed the ingress before, or have the mark of the firewall, where br_netfilter lets it translate
// them in the port of the bridge.
#include "network/kernel/links/loopback_guard.h"

#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

namespace {

// Filters of a device run in the order of their preference, and one that lets a packet pass ends
// the search. Several filters of one kind can share a preference; the handle tells them apart.
constexpr std::uint32_t kPreference = 1;
constexpr std::uint32_t kHandle = 0x7f000008;
constexpr std::uint32_t kNextFilter = 0xffffffff;  // TC_ACT_UNSPEC
// The device has stripped the first VLAN tag. One with VID 0 is ignored by the host, and so are
// further ones behind it, whatever their number (net/core/dev.c, check_vlan_id). Frames with more
// tags than this belong to nobody.
constexpr unsigned kMostTags = 4;
constexpr std::uint32_t kLoopbackNet = 127;

sock_filter step(int code, std::uint32_t value, std::size_t if_true = 0, std::size_t if_false = 0) {
  return {static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(if_true),
          static_cast<std::uint8_t>(if_false), value};
}

// Reads with offsets from the frame's start, which also work when the bytes are not in the linear
// part of the packet, as offsets from the network header (SKF_NET_OFF) do not. X: the length of the
// VLAN tags so far.
std::vector<sock_filter> loopback_program() {
  constexpr std::uint32_t kSource = ETH_HLEN + 12, kDestination = ETH_HLEN + 16;
  const std::vector<sock_filter> look_at_address = {
      step(BPF_LD | BPF_B | BPF_IND, kSource),
      step(BPF_JMP | BPF_JEQ | BPF_K, kLoopbackNet, 2),
      step(BPF_LD | BPF_B | BPF_IND, kDestination),
      step(BPF_JMP | BPF_JEQ | BPF_K, kLoopbackNet, 0, 1),
      step(BPF_RET | BPF_K, TC_ACT_SHOT),
      step(BPF_RET | BPF_K, kNextFilter),
  };
  constexpr std::size_t kStepsOfTag = 8;
  std::vector<sock_filter> program = {
      step(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_MARK)),
      step(BPF_JMP | BPF_JEQ | BPF_K, kTranslatedMark, 0, 1),
      step(BPF_RET | BPF_K, kNextFilter),
      step(BPF_LDX | BPF_W | BPF_IMM, 0),
  };
  for (unsigned tag = 0; tag < kMostTags; ++tag) {
    const std::size_t behind = (kMostTags - 1 - tag) * kStepsOfTag;  // to `look_at_address`
    program.push_back(step(BPF_LD | BPF_H | BPF_IND, 2 * ETH_ALEN));
    program.push_back(step(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, kStepsOfTag - 2 + behind + 1));
    program.push_back(step(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_8021Q, 2));
    program.push_back(step(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_8021AD, 1));
    program.push_back(step(BPF_RET | BPF_K, kNextFilter));
    program.push_back(step(BPF_MISC | BPF_TXA, 0));
    program.push_back(step(BPF_ALU | BPF_ADD | BPF_K, 4));
    program.push_back(step(BPF_MISC | BPF_TAX, 0));
  }
  program.push_back(step(BPF_RET | BPF_K, TC_ACT_SHOT));  // too many tags
  program.insert(program.end(), look_at_address.begin(), look_at_address.end());
  return program;
}

Bytes bytes_of(const std::vector<sock_filter>& program) {
  return {reinterpret_cast<const std::uint8_t*>(program.data()),
          program.size() * sizeof(sock_filter)};
}

// The parent is right for the older qdisc "ingress" too, whose handle is the same.
NetlinkMessage filter_message(std::uint16_t type, int flags, int index) {
  NetlinkMessage message(type, flags);
  tcmsg header = traffic_header(index, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), kHandle);
  header.tcm_info = TC_H_MAKE(kPreference << 16, htons(ETH_P_ALL));
  message.put_struct(header).put_text(TCA_KIND, "bpf");
  return message;
}

NetlinkMessage add_qdisc(int index) {
  NetlinkMessage message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  message.put_struct(traffic_header(index, TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0)))
      .put_text(TCA_KIND, "clsact");
  return message;
}

// Replaces, in one step, a filter that somebody has altered.
NetlinkMessage add_filter(int index) {
  NetlinkMessage message = filter_message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, index);
  const std::vector<sock_filter> program = loopback_program();
  const auto options = message.nest(TCA_OPTIONS);
  const auto length = static_cast<std::uint16_t>(program.size());
  message.put(TCA_BPF_OPS_LEN, {reinterpret_cast<const std::uint8_t*>(&length), sizeof(length)})
      .put(TCA_BPF_OPS, bytes_of(program))
      .put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  return message;
}

// Whether the message is the kernel's description of the filter as it was written.
bool is_guard(const MessageView& message) {
  if (message.type != RTM_NEWTFILTER) return false;
  const auto options = Attributes(behind(message.payload, sizeof(tcmsg))).find(TCA_OPTIONS);
  if (!options) return false;
  const Attributes inside(options->data);
  const auto steps = inside.find(TCA_BPF_OPS), flags = inside.find(TCA_BPF_FLAGS);
  return steps && flags && (flags->u32() & TCA_BPF_FLAG_ACT_DIRECT) != 0 &&
         std::ranges::equal(steps->data, bytes_of(loopback_program()));
}

Error unsupported(Error error) {
  if (error.sys_errno == ENOENT || error.sys_errno == EOPNOTSUPP) {
    error.code = Code::kUnsupported;
    error.text += "; it needs the kernel's modules sch_ingress and cls_bpf";
  }
  return error;
}

}  // namespace

Result<bool> NetlinkLinks::has_loopback_guard(int index) {
  bool there = false;
  const Status asked =
      socket_.request(filter_message(RTM_GETTFILTER, 0, index), "look for the loopback guard",
                      [&](const MessageView& message) { there = there || is_guard(message); });
  if (asked) return there;
  // EINVAL: there is no qdisc, or the preference is taken by a filter of another kind.
  const int why = asked.error().sys_errno;
  if (why == ENOENT || why == EINVAL || why == EOPNOTSUPP) return false;
  return fail(asked.error());
}

Result<bool> NetlinkLinks::guard_loopback(int index) {
  TRY(const bool there, has_loopback_guard(index));
  if (there) return false;
  const std::string what =
      fmt::format("keep packets of 127.0.0.0/8 on the wire out of interface {}", index);
  std::vector<NetlinkStep> steps;
  steps.push_back({add_qdisc(index), what, EEXIST});
  steps.push_back({add_filter(index), what});
  const Status done = socket_.batch(std::move(steps));
  if (!done) return fail(unsupported(done.error()));
  return true;
}

Status NetlinkLinks::unguard_loopback(int index) {
  const Status gone = socket_.request(filter_message(RTM_DELTFILTER, 0, index),
                                      fmt::format("let interface {} go unguarded", index));
  if (gone) return {};
  const int why = gone.error().sys_errno;
  if (why == ENOENT || why == EINVAL || why == EOPNOTSUPP || why == ENODEV) return {};
  return gone;
}

}  // namespace fairlead::kernel
