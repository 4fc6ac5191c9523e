#include "network/kernel/links/route_lookups.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "network/kernel/host/netns.h"
#include "network/kernel/links/route_socket.h"

namespace fairlead::kernel {

namespace {

std::uint8_t bits_of(const IpAddress& address) {
  return static_cast<std::uint8_t>(address.bytes().size() * 8);
}

NetlinkMessage question_of(const RouteQuery& query, int in) {
  NetlinkMessage message(RTM_GETROUTE, 0);
  rtmsg header{};
  header.rtm_family = query.to.is_v4() ? AF_INET : AF_INET6;
  header.rtm_dst_len = bits_of(query.to);
  if (query.from) header.rtm_src_len = bits_of(*query.from);
  message.put_struct(header).put(RTA_DST, query.to.bytes());
  if (query.from) message.put(RTA_SRC, query.from->bytes());
  if (in != 0) message.put_u32(RTA_IIF, static_cast<std::uint32_t>(in));
  if (query.mark != 0) message.put_u32(RTA_MARK, query.mark);
  return message;
}

std::optional<IpAddress> address_in(const Attributes& attributes, int type, Family family) {
  const auto found = attributes.find(static_cast<std::uint16_t>(type));
  const std::size_t size = family == Family::kV4 ? 4 : 16;
  if (!found || found->data.size() != size) return std::nullopt;
  return IpAddress::from_bytes(family, found->data);
}

class Lookups : public RouteLookups {
 public:
  explicit Lookups(NetlinkSocket socket) : socket_(std::move(socket)) {}

  Status read() {
    TRY(const auto links, socket_.list());
    for (const LinkDetails& each : links) {
      names_.emplace(each.link.index, each.link.name);
      links_.emplace(each.link.name,
                     LinkFact{.kind = each.link.kind,
                              .isolated = each.port_flags && each.port_flags->isolated});
    }
    for (const Family family : {Family::kV4, Family::kV6}) {
      TRY(const auto found, socket_.addresses(family));
      for (const AddressDetails& each : found)
        addresses_.push_back({name_of(each.ifindex), each.address});
    }
    return {};
  }

  Result<RouteFound> look_up(const RouteQuery& query) override {
    int in = 0;
    for (const auto& [index, name] : names_)
      if (!query.in.empty() && name == query.in) in = index;
    if (in == 0 && !query.in.empty())
      return fail(Code::kNotFound, "there is no interface {}", query.in);
    std::optional<RouteFound> found;
    const Status asked =
        socket_.request(question_of(query, in), "look up a route",
                        [&](const MessageView& message) { read_answer(message, query, found); });
    if (!asked) return refused(asked.error());
    if (!found) return fail_errno(EHOSTUNREACH, "no route");
    return *found;
  }

  const std::map<std::string, LinkFact, std::less<>>& links() const override { return links_; }
  const std::vector<HostAddress>& addresses() const override { return addresses_; }

 private:
  std::string name_of(int index) const {
    const auto found = names_.find(index);
    return found == names_.end() ? std::string() : found->second;
  }

  void read_answer(const MessageView& message, const RouteQuery& query,
                   std::optional<RouteFound>& found) const {
    const auto header = read_struct<rtmsg>(message.payload);
    if (message.type != RTM_NEWROUTE || !header) return;
    const bool local = header->rtm_type == RTN_LOCAL || header->rtm_type == RTN_ANYCAST;
    if (!local && header->rtm_type != RTN_UNICAST) return;
    const Attributes attributes(behind(message.payload, sizeof(rtmsg)));
    RouteFound route{.local = local};
    if (const auto out = attributes.find(RTA_OIF)) route.out = name_of(out->i32());
    route.via = address_in(attributes, RTA_GATEWAY, query.to.family());
    route.source = address_in(attributes, RTA_PREFSRC, query.to.family());
    found = std::move(route);
  }

  static tl::unexpected<Error> refused(const Error& error) {
    if (error.sys_errno == EXDEV)
      return fail(
          Error{Code::kIo, EXDEV, "its source is not routed back to that interface (rp_filter)"});
    if (error.sys_errno == 0) return fail(error);
    return fail(Error{Code::kIo, error.sys_errno, std::strerror(error.sys_errno)});
  }

  RouteSocket socket_;
  std::map<int, std::string> names_;
  std::map<std::string, LinkFact, std::less<>> links_;
  std::vector<HostAddress> addresses_;
};

Result<NetlinkSocket> socket_in(int netns_fd) {
  if (netns_fd < 0) return NetlinkSocket::open(NETLINK_ROUTE);
  return open_socket_in(netns_fd);
}

}  // namespace

Result<std::unique_ptr<RouteLookups>> open_route_lookups(int netns_fd) {
  TRY(auto socket, socket_in(netns_fd));
  auto lookups = std::make_unique<Lookups>(std::move(socket));
  TRY_STATUS(lookups->read());
  return lookups;
}

}  // namespace fairlead::kernel
