// Bandwidth limits: a token bucket on the host's side for packets to the container, and one on an
// ifb device to which packets from the container are redirected. Traffic is shaped and not policed,
// because TCP suffers less, and because every kernel that has the police action also has ifb.
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/hash.h"
#include "network/kernel/links/device.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

namespace {

constexpr std::uint64_t kBitsPerByte = 8;
// Bytes: the size of one packet with segmentation offload.
constexpr std::uint64_t kLeastBurst = 64 * 1024;
constexpr std::uint64_t kBurstsPerSecond = 100;  // a burst holds 10 ms at full rate
constexpr std::uint64_t kQueueTenthsOfSecond =
    1;  // besides the burst, the queue holds at most 100 ms at full rate

struct Bucket {
  std::uint64_t rate;   // bytes per second
  std::uint32_t burst;  // bytes
  std::uint32_t queue;  // bytes
};

Bucket bucket(std::uint64_t bits, std::uint64_t burst_bits) {
  const std::uint64_t rate = std::max<std::uint64_t>(bits / kBitsPerByte, 1);
  std::uint64_t burst = burst_bits / kBitsPerByte;
  if (burst == 0) burst = std::max(rate / kBurstsPerSecond, kLeastBurst);
  burst = std::min<std::uint64_t>(burst, INT32_MAX);
  const std::uint64_t queue =
      std::min<std::uint64_t>(burst + rate * kQueueTenthsOfSecond / 10, UINT32_MAX);
  return {.rate = rate,
          .burst = static_cast<std::uint32_t>(burst),
          .queue = static_cast<std::uint32_t>(queue)};
}

// With TCA_TBF_BURST and a link layer set, no rate table is needed (net/sched/sch_tbf.c).
NetlinkMessage token_bucket(int index, const Bucket& limit) {
  NetlinkMessage message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
  message.put_struct(traffic_header(index, TC_H_ROOT, TC_H_MAKE(1U << 16, 0)))
      .put_text(TCA_KIND, "tbf");
  const auto options = message.nest(TCA_OPTIONS);
  tc_tbf_qopt parameters{};
  parameters.rate.linklayer = TC_LINKLAYER_ETHERNET;
  parameters.rate.rate =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(limit.rate, UINT32_MAX));
  parameters.limit = limit.queue;
  message.put(TCA_TBF_PARMS,
              {reinterpret_cast<const std::uint8_t*>(&parameters), sizeof(parameters)});
  message.put_u32(TCA_TBF_BURST, limit.burst);
  if (limit.rate > UINT32_MAX) message.put_u64(TCA_TBF_RATE64, limit.rate);
  return message;
}

NetlinkMessage delete_root_qdisc(int index) {
  NetlinkMessage message(RTM_DELQDISC, 0);
  message.put_struct(traffic_header(index, TC_H_ROOT, 0));
  return message;
}

NetlinkMessage ingress_qdisc(int index, std::uint16_t verb, int flags) {
  NetlinkMessage message(verb, flags);
  message.put_struct(traffic_header(index, TC_H_INGRESS, TC_H_MAKE(TC_H_INGRESS, 0)))
      .put_text(TCA_KIND, "ingress");
  return message;
}

// A u32 filter without conditions whose action sends every packet out of `target`.
NetlinkMessage redirect_all(int index, int target) {
  constexpr std::uint32_t kPriority = 1;
  NetlinkMessage message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
  tcmsg header = traffic_header(index, TC_H_MAKE(TC_H_INGRESS, 0), 0);
  header.tcm_info = TC_H_MAKE(kPriority << 16, htons(ETH_P_ALL));
  message.put_struct(header).put_text(TCA_KIND, "u32");
  const auto options = message.nest(TCA_OPTIONS);
  tc_u32_sel selector;  // ends in an array without a size, which ISO C++ cannot initialise
  std::memset(&selector, 0, sizeof(selector));
  selector.flags = TC_U32_TERMINAL;
  selector.nkeys = 1;  // one key with an empty mask matches every packet
  std::array<std::uint8_t, sizeof(tc_u32_sel) + sizeof(tc_u32_key)> match{};
  std::memcpy(match.data(), &selector, sizeof(selector));
  message.put(TCA_U32_SEL, match);
  const auto actions = message.nest(TCA_U32_ACT);
  const auto first = message.nest(1);
  message.put_text(TCA_ACT_KIND, "mirred");
  const auto action = message.nest(TCA_ACT_OPTIONS);
  tc_mirred redirect{};
  redirect.action = TC_ACT_STOLEN;
  redirect.eaction = TCA_EGRESS_REDIR;
  redirect.ifindex = static_cast<std::uint32_t>(target);
  message.put(TCA_MIRRED_PARMS,
              {reinterpret_cast<const std::uint8_t*>(&redirect), sizeof(redirect)});
  return message;
}

Error unsupported(Error error) {
  if (error.sys_errno == ENOENT || error.sys_errno == EOPNOTSUPP) {
    error.code = Code::kUnsupported;
    error.text +=
        "; rate limits need the kernel's modules sch_tbf, and for rate_out ifb, sch_ingress, "
        "cls_u32, act_mirred";
  }
  return error;
}

}  // namespace

IfName ifb_name(std::string_view host_name) {
  return *IfName::parse("flq" + hash_hex(std::string(host_name), 12));
}

Status NetlinkLinks::set_rates(int host_index, std::uint64_t in_bits, std::uint64_t in_burst_bits,
                               std::uint64_t out_bits, std::uint64_t out_burst_bits) {
  TRY(const Link link, find(host_index));
  const std::string what = fmt::format("limit the rate of {}", link.name);
  const Status in =
      in_bits != 0 ? socket_.request(token_bucket(host_index, bucket(in_bits, in_burst_bits)), what)
                   : socket_.request(delete_root_qdisc(host_index), what);
  // A failed deletion is ignored: ENOENT or EINVAL mean that there was no queueing discipline.
  if (!in && in_bits != 0) return fail(unsupported(in.error()));
  if (out_bits != 0) {
    if (Status out = limit_outgoing(link, out_bits, out_burst_bits); !out)
      return fail(unsupported(out.error()));
    return {};
  }
  (void)socket_.request(ingress_qdisc(host_index, RTM_DELQDISC, 0),
                        what);  // fails when there is none
  const auto ifb = find(ifb_name(link.name));
  return ifb ? remove_links({*ifb}) : Status();
}

Status NetlinkLinks::limit_outgoing(const Link& link, std::uint64_t bits,
                                    std::uint64_t burst_bits) {
  const IfName name = ifb_name(link.name);
  const std::string what = fmt::format("limit the outgoing rate of {}", link.name);
  if (const Status made = socket_.request(create_ifb(name), what);
      !made && made.error().sys_errno != EEXIST)
    return made;
  TRY(const Link ifb, find(name));
  std::vector<NetlinkStep> steps;
  steps.push_back(no_link_local(ifb.index, what));
  steps.push_back({change_link(ifb.index, LinkState::kUp), what});
  steps.push_back({token_bucket(ifb.index, bucket(bits, burst_bits)), what});
  // The filter is made again each time, because a present filter may point to an ifb that no longer
  // exists.
  steps.push_back({ingress_qdisc(link.index, RTM_DELQDISC, 0), what, ENOENT});
  steps.push_back({ingress_qdisc(link.index, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL), what});
  steps.push_back({redirect_all(link.index, ifb.index), what});
  return socket_.batch(std::move(steps));
}

}  // namespace fairlead::kernel
