#include "network/kernel/host/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <set>
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

struct Process {
  std::string pid, name;
  std::string text() const { return fmt::format("{} (pid {})", name, pid); }  // nginx (pid 812)
};

// The process, when it has a descriptor of the socket with that link text.
std::optional<Process> owner_in(const std::string& pid, const std::string& link_text) {
  const std::string folder = "/proc/" + pid + "/fd";
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  if (!open) return std::nullopt;
  while (const dirent* entry = ::readdir(open.get())) {
    std::array<char, 64> target{};
    const ssize_t length =
        ::readlinkat(::dirfd(open.get()), entry->d_name, target.data(), target.size());
    if (length < 0 ||
        std::string_view(target.data(), static_cast<std::size_t>(length)) != link_text)
      continue;
    Process owner{.pid = pid, .name = {}};
    std::getline(std::ifstream("/proc/" + pid + "/comm"), owner.name);
    return owner;
  }
  return std::nullopt;
}

// The process that has the open socket with this inode. None when no process shows it (kernel
// sockets, other pid namespaces).
std::optional<Process> owner_of(std::uint32_t inode) {
  const std::string link_text = fmt::format("socket:[{}]", inode);
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return std::nullopt;
  while (const dirent* entry = ::readdir(proc.get())) {
    const std::string_view name = entry->d_name;
    if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) continue;
    if (auto owner = owner_in(std::string(name), link_text)) return owner;
  }
  return std::nullopt;
}

// Whether root runs the process, or this user.
bool is_ours(const Process& process) {
  struct stat status {};
  if (::stat(("/proc/" + process.pid).c_str(), &status) != 0) return false;
  return status.st_uid == 0 || status.st_uid == ::geteuid();
}

// Whether the process is the monitor of this container: conmon, with the container's id as one of its
// arguments ("-c ID").
bool is_monitor_of(const Process& process, std::string_view container) {
  if (container.empty() || process.name != "conmon" || !is_ours(process)) return false;
  std::ifstream arguments("/proc/" + process.pid + "/cmdline");
  for (std::string argument; std::getline(arguments, argument, '\0');)
    if (argument == container) return true;
  return false;
}

bool is_podman_of(const Process& process, const PortUser& user) {
  return is_monitor_of(process, user.container) ||
         (user.by_podman && process.name == "podman" && is_ours(process));
}

struct PortRange {
  std::uint16_t first = 0, last = 0;
};

// Dumps the sockets bound to these ports: with TCP the listening ones, with UDP all
// (net/ipv4/inet_diag.c). The kernel filters the dump with byte code, which passes a socket whose
// source port is >= the first and <= the last.
NetlinkMessage dump_sockets(std::uint8_t proto, std::uint8_t af, PortRange ports) {
  constexpr std::uint32_t kListen = 1U << 10, kClose = 1U << 7,
                          kEstablished = 1U << 1;  // include/net/tcp_states.h
  inet_diag_req_v2 request{};
  request.sdiag_family = af;
  request.sdiag_protocol = proto;
  request.idiag_states = proto == IPPROTO_TCP ? kListen : kClose | kEstablished | kListen;
  constexpr auto kStep = static_cast<std::uint8_t>(2 * sizeof(inet_diag_bc_op));
  constexpr auto kReject = static_cast<std::uint16_t>(4 * sizeof(inet_diag_bc_op) + 4);
  const std::array<inet_diag_bc_op, 4> code{
      {{INET_DIAG_BC_S_GE, kStep, kReject},
       {0, 0, ports.first},
       {INET_DIAG_BC_S_LE, kStep, static_cast<std::uint16_t>(kReject - kStep)},
       {0, 0, ports.last}}};
  NetlinkMessage message(SOCK_DIAG_BY_FAMILY, 0);
  message.put_struct(request).put(
      INET_DIAG_REQ_BYTECODE, {reinterpret_cast<const std::uint8_t*>(code.data()), sizeof(code)});
  return message;
}

struct Holder {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t inode = 0;
};

std::optional<Holder> parse_holder(const MessageView& message, PortRange ports) {
  inet_diag_msg body;
  if (message.type != SOCK_DIAG_BY_FAMILY || message.payload.size() < sizeof(body))
    return std::nullopt;
  std::memcpy(&body, message.payload.data(), sizeof(body));
  const std::uint16_t port = ntohs(body.id.idiag_sport);
  if (port < ports.first || port > ports.last) return std::nullopt;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.id.idiag_src);
  const Family family = body.idiag_family == AF_INET ? Family::kV4 : Family::kV6;
  return Holder{.address = IpAddress::from_bytes(family, {bytes, 16}),
                .port = port,
                .inode = body.idiag_inode};
}

// The sockets of both families that are bound to these ports.
Result<std::vector<Holder>> find_holders(std::uint8_t proto, PortRange ports) {
  TRY(auto socket, NetlinkSocket::open(NETLINK_SOCK_DIAG));
  std::vector<Holder> holders;
  for (const std::uint8_t af : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    std::vector<Holder> of_family;
    TRY_STATUS(socket.dump(
        dump_sockets(proto, af, ports), "list sockets", [&] { of_family.clear(); },
        [&](const MessageView& message) {
          if (auto holder = parse_holder(message, ports)) of_family.push_back(*holder);
        }));
    holders.insert(holders.end(), of_family.begin(), of_family.end());
  }
  return holders;
}

struct Users {
  std::string named;         // the first process whose socket is in the way; empty: none was found
  bool all_podmans = false;  // of the container that asks
};

// Whose sockets keep `wanted` from being bound.
Users users_of(const SocketAddress& wanted, const PortUser& user) {
  Users users{.named = {}, .all_podmans = false};
  const auto holders = find_holders(wanted.proto, {wanted.port, wanted.port});
  if (!holders) return users;
  bool any = false, all_podmans = true;
  for (const Holder& holder : *holders) {
    if (!wanted.address.is_any() && !holder.address.is_any() && holder.address != wanted.address)
      continue;
    const auto owner = owner_of(holder.inode);
    if (owner && users.named.empty()) users.named = owner->text();
    any = true;
    all_podmans = all_podmans && owner && is_podman_of(*owner, user);
    if (!users.named.empty() && !all_podmans) break;
  }
  users.all_podmans = any && all_podmans;
  return users;
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

Status check_endpoint(const SocketAddress& wanted, const PortUser& user) {
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
      if (user.allow_missing_address) return {};
      return fail(
          Error{Code::kInvalid, error,
                fmt::format("{}: address {} is not one of this host's; the network's option "
                            "host_ip_missing=allow publishes on addresses that come later, as "
                            "net.ipv{}.ip_nonlocal_bind=1 does",
                            port, wanted.address.to_string(), wanted.address.is_v4() ? 4 : 6)});
    case EADDRINUSE: {
      const Users users = users_of(wanted, user);
      if (users.all_podmans) return {};
      return fail(
          Error{Code::kInUse, error,
                fmt::format("{} is in use by {}", port,
                            users.named.empty() ? "another socket of this host" : users.named)});
    }
    default:
      return fail_errno(error, fmt::format("check {} of {}", port, wanted.address.to_string()));
  }
}

Status check_port(const HostPort& port, const PortUser& user) {
  if (port.host_ip) return check_endpoint({port.proto, *port.host_ip, port.number}, user);
  TRY_STATUS(check_endpoint({port.proto, IpAddress::any(Family::kV4), port.number}, user));
  return check_endpoint({port.proto, IpAddress::any(Family::kV6), port.number}, user);
}

// ---- many ports

// From so many ports on the sockets of the host are listed. (The list lacks TCP sockets that are
// bound and do not listen, which a bind finds.)
constexpr std::size_t kManyPorts = 16;

// The ports of one protocol that have a socket on some address.
Result<std::set<std::uint16_t>> occupied_among(std::uint8_t proto,
                                               std::span<const HostPort> ports) {
  PortRange all{.first = 65535, .last = 0};
  for (const HostPort& port : ports) {
    if (port.proto != proto) continue;
    all.first = std::min(all.first, port.number);
    all.last = std::max({all.last, port.number, port.last});
  }
  std::set<std::uint16_t> occupied;
  if (all.first > all.last) return occupied;
  TRY(const auto holders, find_holders(proto, all));
  for (const Holder& holder : holders) occupied.insert(holder.port);
  return occupied;
}

// What the list shows, and the first port of each address, which tells whether the host has it, are
// looked at as single ports are.
Status check_many(std::span<const HostPort> ports, const PortUser& user) {
  std::map<std::uint8_t, std::set<std::uint16_t>> occupied;
  std::set<std::optional<IpAddress>> addresses;
  for (const HostPort& port : ports) {
    const auto [known, fresh] = occupied.try_emplace(port.proto);
    if (fresh) {
      TRY(known->second, occupied_among(port.proto, ports));
    }
    HostPort single{.proto = port.proto, .host_ip = port.host_ip, .number = port.number};
    if (addresses.insert(port.host_ip).second) TRY_STATUS(check_port(single, user));
    const auto last = std::max(port.number, port.last);
    for (auto at = known->second.lower_bound(port.number); at != known->second.end() && *at <= last;
         ++at) {
      single.number = *at;
      TRY_STATUS(check_port(single, user));
    }
  }
  return {};
}

Status check_each(std::span<const HostPort> ports, const PortUser& user) {
  for (const HostPort& port : ports) {
    const unsigned last = std::max(port.number, port.last);
    for (unsigned number = port.number; number <= last; ++number)
      TRY_STATUS(check_port({port.proto, port.host_ip, static_cast<std::uint16_t>(number)}, user));
  }
  return {};
}

// Single ones, and few of them.
bool are_few(std::span<const HostPort> ports) {
  return ports.size() < kManyPorts &&
         std::ranges::all_of(ports, [](const HostPort& port) { return port.last <= port.number; });
}

class BoundHostPorts final : public HostPorts {
 public:
  explicit BoundHostPorts(UniqueFd netns) : netns_(std::move(netns)) {}

  // Where the kernel cannot list its sockets (CONFIG_INET_DIAG), each port is bound.
  Status check_free(std::span<const HostPort> ports, const PortUser& user) override {
    return in_netns(netns_.get(), [&]() -> Status {
      if (are_few(ports)) return check_each(ports, user);
      const Status many = check_many(ports, user);
      const bool answered =
          many || many.error().code == Code::kInUse || many.error().code == Code::kInvalid;
      return answered ? many : check_each(ports, user);
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

std::string port_holder(std::uint8_t proto, const IpAddress& address, std::uint16_t port) {
  const auto holders = find_holders(proto, {port, port});
  if (!holders) return {};
  const std::string self = std::to_string(::getpid());
  for (const Holder& holder : *holders) {
    if (!holder.address.is_any() && holder.address != address) continue;
    const auto owner = owner_of(holder.inode);
    if (owner && owner->pid != self) return owner->text();
  }
  return {};
}

Result<std::unique_ptr<HostPorts>> open_host_ports() {
  TRY(UniqueFd netns, current_netns());
  return std::make_unique<BoundHostPorts>(std::move(netns));
}

}  // namespace fairlead::kernel
