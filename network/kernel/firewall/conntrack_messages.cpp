#include "network/kernel/firewall/conntrack_messages.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <algorithm>
#include <array>

#include "network/kernel/firewall/attributes.h"

namespace fairlead::kernel {

namespace {

// The flags of CTA_FILTER for the fields to compare. The kernel defines them in
// net/netfilter/nf_internals.h, and in no uapi header.
constexpr std::uint32_t kFilterIpSource = 1 << 0;
constexpr std::uint32_t kFilterIpDestination = 1 << 1;
constexpr std::uint32_t kFilterProto = 1 << 3;
constexpr std::uint32_t kFilterDestinationPort = 1 << 5;

std::uint8_t number_of(Family family) { return family == Family::kV4 ? AF_INET : AF_INET6; }

class Request {
 public:
  Request(std::uint16_t message, std::uint16_t flags, Family family, std::uint32_t seq) {
    header_ = mnl_nlmsg_put_header(bytes_.data());
    header_->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | message);
    header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header_->nlmsg_seq = seq;
    auto* body = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header_, sizeof(nfgenmsg)));
    body->nfgen_family = number_of(family);
    body->version = NFNETLINK_V0;
  }

  nlmsghdr* get() { return header_; }
  void put_address(std::uint16_t v4, std::uint16_t v6, const IpAddress& address) {
    mnl_attr_put(header_, address.is_v4() ? v4 : v6, address.bytes().size(),
                 address.bytes().data());
  }
  void put_port(std::uint16_t attribute, std::uint16_t port) {
    mnl_attr_put_u16(header_, attribute, htons(port));
  }
  template <class Fill>
  void nest(std::uint16_t attribute, Fill fill) {
    nlattr* start = mnl_attr_nest_start(header_, attribute);
    fill();
    mnl_attr_nest_end(header_, start);
  }
  std::vector<std::uint8_t> take() { return {bytes_.begin(), bytes_.begin() + header_->nlmsg_len}; }

 private:
  // No request in this file is half as long.
  alignas(nlmsghdr) std::array<std::uint8_t, 512> bytes_{};
  nlmsghdr* header_ = nullptr;
};

void put_tuple(Request& request, std::uint16_t attribute, const FlowTuple& tuple) {
  request.nest(attribute, [&] {
    request.nest(CTA_TUPLE_IP, [&] {
      request.put_address(CTA_IP_V4_SRC, CTA_IP_V6_SRC, tuple.source);
      request.put_address(CTA_IP_V4_DST, CTA_IP_V6_DST, tuple.destination);
    });
    request.nest(CTA_TUPLE_PROTO, [&] {
      mnl_attr_put_u8(request.get(), CTA_PROTO_NUM, tuple.proto);
      request.put_port(CTA_PROTO_SRC_PORT, tuple.source_port);
      request.put_port(CTA_PROTO_DST_PORT, tuple.destination_port);
    });
  });
}

std::optional<IpAddress> address(const nlattr* v4, const nlattr* v6) {
  const Family family = v4 != nullptr ? Family::kV4 : Family::kV6;
  const auto bytes = payload(v4 != nullptr ? v4 : v6);
  if (bytes.size() != (family == Family::kV4 ? 4U : 16U)) return std::nullopt;
  return IpAddress::from_bytes(family, bytes);
}

std::optional<FlowTuple> tuple_of(const nlattr* nest) {
  const NftAttributes tuple = nested(nest);
  const NftAttributes ip = nested(tuple[CTA_TUPLE_IP]), proto = nested(tuple[CTA_TUPLE_PROTO]);
  const auto source = address(ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC]);
  const auto destination = address(ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST]);
  const auto proto_number = number<std::uint8_t>(proto[CTA_PROTO_NUM]);
  if (!source || !destination || !proto_number) return std::nullopt;
  return FlowTuple{
      .source = *source,
      .destination = *destination,
      .proto = *proto_number,
      .source_port = ntohs(number<std::uint16_t>(proto[CTA_PROTO_SRC_PORT]).value_or(0)),
      .destination_port = ntohs(number<std::uint16_t>(proto[CTA_PROTO_DST_PORT]).value_or(0))};
}

}  // namespace

bool matches(const Flow& flow, const FlowFilter& filter) {
  return flow.original.proto == filter.proto &&
         (!filter.source || filter.source->contains(flow.original.source)) &&
         (!filter.destination || flow.original.destination == *filter.destination) &&
         (filter.destination_port == 0 ||
          (flow.original.destination_port >= filter.destination_port &&
           flow.original.destination_port <=
               std::max(filter.destination_port, filter.destination_port_last))) &&
         (!filter.led_nowhere || flow.reply.source == flow.original.destination) &&
         (!filter.reply_source || flow.reply.source == *filter.reply_source);
}

std::vector<std::uint8_t> build_dump_flows(Family family, const std::optional<FlowFilter>& filter,
                                           std::uint32_t seq) {
  // IPv6 addresses are not compared by the kernel but by the caller: the kernel's comparison of
  // them is inverted, and sends every entry except the wanted ones (ctnetlink_filter_match_tuple,
  // seen on Linux 6.18).
  Request request(IPCTNL_MSG_CT_GET, NLM_F_DUMP, family, seq);
  if (!filter) return request.take();
  std::uint32_t original = kFilterProto, reply = 0;
  request.nest(CTA_TUPLE_ORIG, [&] {
    if (filter->destination && family == Family::kV4) {
      original |= kFilterIpDestination;
      request.nest(CTA_TUPLE_IP, [&] {
        request.put_address(CTA_IP_V4_DST, CTA_IP_V6_DST, *filter->destination);
      });
    }
    request.nest(CTA_TUPLE_PROTO, [&] {
      mnl_attr_put_u8(request.get(), CTA_PROTO_NUM, filter->proto);
      // A range is compared by the caller.
      if (filter->destination_port == 0 || filter->destination_port_last > filter->destination_port)
        return;
      original |= kFilterDestinationPort;
      request.put_port(CTA_PROTO_DST_PORT, filter->destination_port);
    });
  });
  if (filter->reply_source && family == Family::kV4) {
    reply = kFilterIpSource;
    request.nest(CTA_TUPLE_REPLY, [&] {
      request.nest(CTA_TUPLE_IP, [&] {
        request.put_address(CTA_IP_V4_SRC, CTA_IP_V6_SRC, *filter->reply_source);
      });
    });
  }
  request.nest(CTA_FILTER, [&] {
    mnl_attr_put_u32(request.get(), CTA_FILTER_ORIG_FLAGS, original);
    mnl_attr_put_u32(request.get(), CTA_FILTER_REPLY_FLAGS, reply);
  });
  return request.take();
}

std::vector<std::uint8_t> build_delete_flow(const Flow& flow, std::uint32_t seq) {
  Request request(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow.original.source.family(), seq);
  put_tuple(request, CTA_TUPLE_ORIG, flow.original);
  if (flow.zone != 0) mnl_attr_put_u16(request.get(), CTA_ZONE, htons(flow.zone));
  if (flow.id) mnl_attr_put_u32(request.get(), CTA_ID, htonl(*flow.id));
  return request.take();
}

Result<Flow> parse_flow(std::span<const std::uint8_t> message) {
  const auto aligned = AlignedMessage::of(message);
  if (!aligned) return fail(Code::kIo, "read an entry of conntrack: it is cut short");
  const NftAttributes attributes = aligned->attributes();
  const auto original = tuple_of(attributes[CTA_TUPLE_ORIG]),
             reply = tuple_of(attributes[CTA_TUPLE_REPLY]);
  if (!original || !reply)
    return fail(Code::kIo, "read an entry of conntrack: it has no addresses");
  Flow flow{.original = *original, .reply = *reply};
  if (const auto id = number<std::uint32_t>(attributes[CTA_ID])) flow.id = ntohl(*id);
  flow.zone = ntohs(number<std::uint16_t>(attributes[CTA_ZONE]).value_or(0));
  return flow;
}

}  // namespace fairlead::kernel
