#include "network/kernel/host/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "base/unique_fd.h"
#include "network/kernel/host/netns.h"
#include "network/kernel/host/sysctl.h"
#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

namespace {

constexpr std::pair<std::uint16_t, std::uint16_t> kDefaultRange{32768,
                                                                60999};  // net/ipv4/af_inet.c

struct SocketAddress {
  std::uint8_t proto;
  IpAddress address;
  std::uint16_t port;
};

std::string proto_name(std::uint8_t proto) {
  if (proto == IPPROTO_TCP) return "tcp";
  if (proto == IPPROTO_UDP) return "udp";
  if (proto == IPPROTO_SCTP) return "sctp";
  return fmt::format("protocol {}", proto);
}

// ---- who holds a port

// "nginx (pid 812)" when the process has a descriptor of the socket with that link text; otherwise
// empty.
std::string owner_in(const std::string& pid, const std::string& link_text) {
  const std::string folder = "/proc/" + pid + "/fd";
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  if (!open) return {};
  while (const dirent* entry = ::readdir(open.get())) {
    std::array<char, 64> target{};
    const ssize_t length =
        ::readlinkat(::dirfd(open.get()), entry->d_name, target.data(), target.size());
    if (length < 0 ||
        std::string_view(target.data(), static_cast<std::size_t>(length)) != link_text)
      continue;
    std::string name;
    std::getline(std::ifstream("/proc/" + pid + "/comm"), name);
    return fmt::format("{} (pid {})", name, pid);
  }
  return {};
}

// The process that has the open socket with this inode. Empty when no process shows it (kernel
// sockets, other pid namespaces).
std::string owner_of(std::uint32_t inode) {
  const std::string link_text = fmt::format("socket:[{}]", inode);
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return {};
  while (const dirent* entry = ::readdir(proc.get())) {
    const std::string_view name = entry->d_name;
    if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) continue;
    if (std::string owner = owner_in(std::string(name), link_text); !owner.empty()) return owner;
  }
  return {};
}

// Dumps the sockets bound to the port: with TCP the listening ones, with UDP all
// (net/ipv4/inet_diag.c). The kernel filters the dump with byte code, which passes a socket whose
// source port is >= and <= the port.
NetlinkMessage dump_sockets(std::uint8_t proto, std::uint8_t af, std::uint16_t port) {
  constexpr std::uint32_t kListen = 1U << 10, kClose = 1U << 7,
                          kEstablished = 1U << 1;  // include/net/tcp_states.h
  inet_diag_req_v2 request{};
  request.sdiag_family = af;
  request.sdiag_protocol = proto;
  request.idiag_states = proto == IPPROTO_TCP ? kListen : kClose | kEstablished;
  constexpr auto kStep = static_cast<std::uint8_t>(2 * sizeof(inet_diag_bc_op));
  constexpr auto kReject = static_cast<std::uint16_t>(4 * sizeof(inet_diag_bc_op) + 4);
  const std::array<inet_diag_bc_op, 4> code{
      {{INET_DIAG_BC_S_GE, kStep, kReject},
       {0, 0, port},
       {INET_DIAG_BC_S_LE, kStep, static_cast<std::uint16_t>(kReject - kStep)},
       {0, 0, port}}};
  NetlinkMessage message(SOCK_DIAG_BY_FAMILY, 0);
  message.put_struct(request).put(
      INET_DIAG_REQ_BYTECODE, {reinterpret_cast<const std::uint8_t*>(code.data()), sizeof(code)});
  return message;
}

struct Holder {
  IpAddress address;
  std::uint32_t inode = 0;
};

std::optional<Holder> parse_holder(const MessageView& message, std::uint16_t port) {
  inet_diag_msg body;
  if (message.type != SOCK_DIAG_BY_FAMILY || message.payload.size() < sizeof(body))
    return std::nullopt;
  std::memcpy(&body, message.payload.data(), sizeof(body));
  if (ntohs(body.id.idiag_sport) != port) return std::nullopt;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.id.idiag_src);
  const Family family = body.idiag_family == AF_INET ? Family::kV4 : Family::kV6;
  return Holder{.address = IpAddress::from_bytes(family, {bytes, 16}), .inode = body.idiag_inode};
}

// The process whose socket keeps `wanted` from being bound; empty when it cannot be found.
std::string find_owner(const SocketAddress& wanted) {
  auto socket = NetlinkSocket::open(NETLINK_SOCK_DIAG);
  if (!socket) return {};
  std::string owner;
  for (const std::uint8_t af : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    std::vector<Holder> holders;
    (void)socket->dump(
        dump_sockets(wanted.proto, af, wanted.port), "list sockets", [&] { holders.clear(); },
        [&](const MessageView& message) {
          if (auto holder = parse_holder(message, wanted.port)) holders.push_back(*holder);
        });
    for (const Holder& holder : holders) {
      const bool in_the_way =
          wanted.address.is_any() || holder.address.is_any() || holder.address == wanted.address;
      if (in_the_way && owner.empty()) owner = owner_of(holder.inode);
    }
  }
  return owner;
}

// ---- binding

// 0, or the errno of a bind(2) to the address and port. With SO_REUSEADDR connections in TIME_WAIT
// do not count for TCP; UDP must not have it, because it would let two sockets share the port.
Result<int> try_bind(const SocketAddress& wanted) {
  const int type = wanted.proto == IPPROTO_TCP   ? SOCK_STREAM
                   : wanted.proto == IPPROTO_UDP ? SOCK_DGRAM
                                                 : SOCK_SEQPACKET;
  const UniqueFd socket(
      ::socket(wanted.address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, wanted.proto));
  if (!socket) return errno;
  const int on = 1;
  if (type == SOCK_STREAM)
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (wanted.address.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(wanted.port);
    std::memcpy(&address.sin_addr, wanted.address.bytes().data(), 4);
    return ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0
               ? 0
               : errno;
  }
  (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(wanted.port);
  std::memcpy(&address.sin6_addr, wanted.address.bytes().data(), 16);
  return ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? 0
                                                                                           : errno;
}

Status check_endpoint(const SocketAddress& wanted) {
  TRY(const int error, try_bind(wanted));
  const std::string port = fmt::format("port {}/{}", wanted.port, proto_name(wanted.proto));
  switch (error) {
    case 0:
      return {};
    // This kernel lacks the family or protocol, so nothing can listen there.
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
      return {};
    case EADDRNOTAVAIL:
      if (wanted.address.is_any()) return {};  // IPv6 is switched off
      return fail(Error{Code::kInvalid, error,
                        fmt::format("{}: address {} is not one of this host's", port,
                                    wanted.address.to_string())});
    case EADDRINUSE: {
      const std::string owner = find_owner(wanted);
      return fail(Error{Code::kInUse, error,
                        fmt::format("{} is in use by {}", port,
                                    owner.empty() ? "another socket of this host" : owner)});
    }
    default:
      return fail_errno(error, fmt::format("check {} of {}", port, wanted.address.to_string()));
  }
}

class BoundHostPorts final : public HostPorts {
 public:
  explicit BoundHostPorts(UniqueFd netns) : netns_(std::move(netns)) {}

  Status check_free(std::uint8_t proto, std::optional<IpAddress> host_ip,
                    std::uint16_t port) override {
    return in_netns(netns_.get(), [&]() -> Status {
      if (host_ip) return check_endpoint({proto, *host_ip, port});
      TRY_STATUS(check_endpoint({proto, IpAddress::any(Family::kV4), port}));
      return check_endpoint({proto, IpAddress::any(Family::kV6), port});
    });
  }

  std::pair<std::uint16_t, std::uint16_t> ephemeral_range() override {
    std::pair<std::uint16_t, std::uint16_t> range = kDefaultRange;
    (void)in_netns(netns_.get(), [&]() -> Status {
      TRY(const std::string text, read_sysctl("net/ipv4/ip_local_port_range"));
      std::pair<std::uint16_t, std::uint16_t> read;
      if (std::istringstream(text) >> read.first >> read.second) range = read;
      return {};
    });
    return range;
  }

 private:
  UniqueFd netns_;
};

}  // namespace

Result<std::unique_ptr<HostPorts>> open_host_ports() {
  TRY(UniqueFd netns, current_netns());
  return std::make_unique<BoundHostPorts>(std::move(netns));
}

}  // namespace fairlead::kernel
