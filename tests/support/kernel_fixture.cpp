#include "tests/support/kernel_fixture.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "network/kernel/host/netns.h"
#include "network/kernel/host/sysctl.h"

namespace fairlead::testing {

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// ---- socket addresses

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const IpAddress& address, std::uint16_t port) {
  SocketAddress result;
  if (address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(result.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes().data(), 4);
    result.length = sizeof(sockaddr_in);
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(result.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes().data(), 16);
    result.length = sizeof(sockaddr_in6);
  }
  return result;
}

IpAddress address_of(const SocketAddress& from) {
  if (from.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from.storage);
    return IpAddress::from_bytes(Family::kV4,
                                 {reinterpret_cast<const std::uint8_t*>(&v4.sin_addr), 4});
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from.storage);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&v6.sin6_addr);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
    return IpAddress::from_bytes(Family::kV4, {bytes + 12, 4});
  return IpAddress::from_bytes(Family::kV6, {bytes, 16});
}

UniqueFd open_socket(const IpAddress& address, int type, int protocol = 0) {
  UniqueFd fd(::socket(address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, protocol));
  if (!fd) throw std::runtime_error(fmt::format("socket: {}", std::strerror(errno)));
  return fd;
}

bool wait_for(int fd, short events, Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()).count();
  pollfd ready{.fd = fd, .events = events, .revents = 0};
  return ::poll(&ready, 1, static_cast<int>(std::max<long long>(left, 0))) > 0;
}

// ---- services

// The answer on the wire: "<server> <client address>\n".
Result<Answer> parse_answer(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos || !text.ends_with('\n'))
    return fail(Code::kIo, "no answer but \"{}\"", text);
  TRY(const IpAddress client, IpAddress::parse(text.substr(space + 1, text.size() - space - 2)));
  return Answer{.server = std::string(text.substr(0, space)), .client = client};
}

class SocketService : public Service {
 public:
  SocketService(std::string name, UniqueFd socket)
      : name_(std::move(name)), socket_(std::move(socket)) {
    stop_.reset(::eventfd(0, EFD_CLOEXEC));
  }

 protected:
  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    (void)::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  virtual void serve() = 0;  // serves one client, which is connected or has sent
  std::string answer(const SocketAddress& client) const {
    return name_ + " " + address_of(client).to_string() + "\n";
  }
  int fd() const { return socket_.get(); }

 private:
  void run() {
    std::array<pollfd, 2> ready{{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = socket_.get(), .events = POLLIN, .revents = 0}}};
    for (;;) {
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
      if (ready[0].revents != 0) return;
      if (ready[1].revents != 0) serve();
    }
  }

  std::string name_;
  UniqueFd socket_, stop_;
  std::thread thread_;
};

class TcpService final : public SocketService {
 public:
  TcpService(std::string name, UniqueFd socket)
      : SocketService(std::move(name), std::move(socket)) {
    start();
  }
  ~TcpService() override { stop(); }

 private:
  void serve() override {
    SocketAddress client;
    const UniqueFd connection(::accept4(fd(), client.get(), &client.length, SOCK_CLOEXEC));
    if (!connection) return;
    const std::string text = answer(client);
    (void)::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
};

class UdpService final : public SocketService {
 public:
  UdpService(std::string name, UniqueFd socket)
      : SocketService(std::move(name), std::move(socket)) {
    start();
  }
  ~UdpService() override { stop(); }

 private:
  void serve() override {
    SocketAddress client;
    std::array<char, 16> question{};
    if (::recvfrom(fd(), question.data(), question.size(), 0, client.get(), &client.length) < 0)
      return;
    const std::string text = answer(client);
    (void)::sendto(fd(), text.data(), text.size(), 0, client.get(), client.length);
  }
};

// ---- ping

constexpr std::uint16_t kPingSequence = 7;

std::vector<std::uint8_t> echo_request(Family family, std::uint16_t id) {
  std::vector<std::uint8_t> packet(16, 0x5a);
  const auto put16 = [&](std::size_t at, unsigned value) {
    packet[at] = static_cast<std::uint8_t>(value >> 8);
    packet[at + 1] = static_cast<std::uint8_t>(value);
  };
  packet[0] = family == Family::kV4 ? std::uint8_t{ICMP_ECHO} : std::uint8_t{ICMP6_ECHO_REQUEST};
  packet[1] = 0;
  put16(2, 0);  // ICMPv6: filled in by the kernel
  put16(4, id);
  put16(6, kPingSequence);
  if (family == Family::kV4) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < packet.size(); i += 2) sum += packet[i] * 256U + packet[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    put16(2, ~sum & 0xffff);
  }
  return packet;
}

bool is_reply(std::span<const std::uint8_t> packet, Family family, std::uint16_t id) {
  if (family == Family::kV4) {  // raw IPv4 sockets deliver the IP header too
    if (packet.empty()) return false;
    packet = packet.subspan(std::min<std::size_t>(packet.size(), (packet[0] & 0xf) * 4U));
  }
  const int reply = family == Family::kV4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
  return packet.size() >= 8 && packet[0] == reply && packet[4] == id >> 8 &&
         packet[5] == (id & 0xff);
}

std::optional<std::chrono::microseconds> ping_from_here(const IpAddress& to, Milliseconds timeout) {
  static std::uint16_t last_id = static_cast<std::uint16_t>(::getpid());
  const std::uint16_t id = ++last_id;
  const UniqueFd socket =
      open_socket(to, SOCK_RAW, to.is_v4() ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
  SocketAddress target = socket_address(to, 0);
  const auto packet = echo_request(to.family(), id);
  const auto start = Clock::now();
  if (::sendto(socket.get(), packet.data(), packet.size(), 0, target.get(), target.length) < 0)
    return std::nullopt;
  while (wait_for(socket.get(), POLLIN, start + timeout)) {
    std::array<std::uint8_t, 256> answer{};
    const ssize_t length = ::recv(socket.get(), answer.data(), answer.size(), 0);
    if (length < 0) return std::nullopt;
    if (is_reply({answer.data(), static_cast<std::size_t>(length)}, to.family(), id))
      return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  }
  return std::nullopt;
}

// ---- clients

Result<Answer> ask_from_here(const IpAddress& to, std::uint16_t port, Milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const UniqueFd socket = open_socket(to, SOCK_STREAM | SOCK_NONBLOCK);
  SocketAddress target = socket_address(to, port);
  if (::connect(socket.get(), target.get(), target.length) != 0 && errno != EINPROGRESS)
    return fail_errno(errno, "connect");
  if (!wait_for(socket.get(), POLLOUT, deadline)) return fail_errno(ETIMEDOUT, "connect");
  int error = 0;
  socklen_t length = sizeof(error);
  (void)::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return fail_errno(error, "connect");
  std::string text;
  while (wait_for(socket.get(), POLLIN, deadline)) {
    std::array<char, 256> part{};
    const ssize_t read = ::recv(socket.get(), part.data(), part.size(), 0);
    if (read < 0) return fail_errno(errno, "receive");
    if (read == 0) return parse_answer(text);
    text.append(part.data(), static_cast<std::size_t>(read));
  }
  return fail_errno(ETIMEDOUT, "receive");
}

}  // namespace

IpAddress ip(const std::string& text) { return must(IpAddress::parse(text)); }
Cidr cidr(const std::string& text) { return must(Cidr::parse(text)); }
IfName ifname(const std::string& text) { return must(IfName::parse(text)); }

void UdpClient::send(std::string_view datagram) {
  (void)::send(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT);
}

Result<Answer> UdpClient::ask(Milliseconds timeout) {
  if (::send(fd_.get(), "?", 1, 0) < 0) return fail_errno(errno, "send");
  if (!wait_for(fd_.get(), POLLIN, Clock::now() + timeout)) return fail_errno(ETIMEDOUT, "receive");
  std::array<char, 256> text{};
  const ssize_t length = ::recv(fd_.get(), text.data(), text.size(), 0);
  if (length < 0) return fail_errno(errno, "receive");
  return parse_answer({text.data(), static_cast<std::size_t>(length)});
}

// ---- the namespaces

void KernelFixture::SetUp() {
  home_ = must(kernel::current_netns());
  auto host = kernel::new_netns();
  if (!host) GTEST_SKIP() << host.error().text << " (root is needed)";
  if (::setns(host->get(), CLONE_NEWNET) != 0) GTEST_SKIP() << "cannot enter a network namespace";
  namespaces_["host"] = std::move(*host);
  for (const char* family : {"ip", "ip6", "arp"})
    (void)kernel::write_sysctl(fmt::format("net/bridge/bridge-nf-call-{}tables", family), "0");
  must(kernel::write_sysctl("net/ipv4/ip_forward", "0"));
  must(kernel::write_sysctl("net/ipv6/conf/all/forwarding", "0"));
  links_ = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
  make_uplink();
}

void KernelFixture::TearDown() {
  if (links_) links_->finish_removals();
  links_.reset();
  if (home_)
    must(Status(::setns(home_.get(), CLONE_NEWNET) == 0 ? Status() : fail_errno(errno, "go home")));
  namespaces_.clear();
}

void KernelFixture::make_uplink() {
  const kernel::Veth uplink =
      must(links_->create_veth({.host_name = ifname("uplink0"),
                                .peer_name = ifname("eth0"),
                                .peer_netns_fd = netns("outside"),
                                .peer_mac = must(MacAddress::parse("02:00:cb:00:71:01")),
                                .host_up = true,
                                .host_ipv6 = true}));
  must(
      links_->configure_container({.netns_fd = netns("outside"),
                                   .ifindex = uplink.peer_index,
                                   .name = ifname("eth0"),
                                   .addresses = {cidr("203.0.113.1/24"), cidr("2001:db8::1/64")}}));
  // The host's end is configured like a container's interface, because it has addresses and routes
  // too.
  must(links_->configure_container(
      {.netns_fd = netns("host"),
       .ifindex = uplink.host_index,
       .name = ifname("uplink0"),
       .addresses = {cidr("203.0.113.2/24"), cidr("2001:db8::2/64")},
       .routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("203.0.113.1")},
                  {.destination = cidr("::/0"), .via = ip("2001:db8::1")}}}));
}

int KernelFixture::netns(const std::string& name) {
  UniqueFd& fd = namespaces_[name];
  if (!fd) {
    fd = must(kernel::new_netns());
    in(name, [] {
      for (const char* family : {"ip", "ip6", "arp"})
        (void)kernel::write_sysctl(fmt::format("net/bridge/bridge-nf-call-{}tables", family), "0");
    });
  }
  return fd.get();
}

void KernelFixture::in(const std::string& name, const std::function<void()>& work) {
  must(kernel::in_netns(netns(name), [&]() -> Status {
    work();
    return {};
  }));
}

kernel::Link KernelFixture::add_bridge(const std::string& name,
                                       const std::vector<std::string>& cidrs) {
  kernel::BridgeSpec spec{.name = ifname(name), .mac = MacAddress::from_hash(name)};
  for (const std::string& text : cidrs) {
    spec.addresses.push_back(cidr(text));
    spec.ipv6 = spec.ipv6 || !spec.addresses.back().is_v4();
  }
  bridges_[name] = spec.addresses;
  return must(links_->ensure_bridge(spec, false));
}

KernelFixture::Port KernelFixture::attach(const std::string& container, const std::string& bridge,
                                          const std::vector<std::string>& cidrs,
                                          const std::string& name, std::optional<MacAddress> mac) {
  kernel::ContainerSpec spec{.netns_fd = netns(container), .name = ifname(name)};
  for (const std::string& text : cidrs) spec.addresses.push_back(cidr(text));
  for (const Cidr& gateway : bridges_.at(bridge)) {
    const bool wanted = std::ranges::any_of(
        spec.addresses, [&](const Cidr& a) { return a.family() == gateway.family(); });
    if (wanted)
      spec.routes.push_back(
          {.destination = Cidr::of(IpAddress::any(gateway.family()), 0), .via = gateway.address()});
  }
  Port port{.host_name = ifname(fmt::format("veth{}", next_port_++)),
            .mac = mac.value_or(MacAddress::for_ip(spec.addresses.at(0).address()))};
  const kernel::Link master = must(links_->find(ifname(bridge)));
  const kernel::Veth veth = must(links_->create_veth({.host_name = port.host_name,
                                                      .peer_name = spec.name,
                                                      .peer_netns_fd = spec.netns_fd,
                                                      .peer_mac = port.mac,
                                                      .master = master.index}));
  spec.ifindex = port.container_index = veth.peer_index;
  port.host_index = veth.host_index;
  must(links_->configure_container(spec));
  must(links_->settle(port.host_index));
  return port;
}

void KernelFixture::add_route(const std::string& name, const std::string& interface,
                              const std::string& destination, const std::string& via) {
  const auto view = must(links_->inspect(netns(name), ifname(interface)));
  must(links_->configure_container(
      {.netns_fd = netns(name),
       .ifindex = view.link.index,
       .name = ifname(interface),
       .routes = {{.destination = cidr(destination), .via = ip(via)}}}));
}

void KernelFixture::set_sysctl(const std::string& name, const std::string& path,
                               const std::string& value) {
  in(name, [&] { must(kernel::write_sysctl(path, value)); });
}

std::string KernelFixture::sysctl(const std::string& name, const std::string& path) {
  std::string value;
  in(name, [&] { value = must(kernel::read_sysctl(path)); });
  return value;
}

// ---- traffic

std::optional<std::chrono::microseconds> KernelFixture::ping(const std::string& from,
                                                             const std::string& to,
                                                             Milliseconds timeout) {
  std::optional<std::chrono::microseconds> round_trip;
  in(from, [&] { round_trip = ping_from_here(ip(to), timeout); });
  return round_trip;
}

bool KernelFixture::ping_soon(const std::string& from, const std::string& to) {
  for (int attempt = 0; attempt < 5; ++attempt)
    if (ping(from, to)) return true;
  return false;
}

namespace {

UniqueFd listening_socket(int type, const IpAddress& address, std::uint16_t port) {
  UniqueFd socket = open_socket(address, type);
  const int on = 1, off = 0;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (!address.is_v4())
    (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  SocketAddress own = socket_address(address, port);
  if (::bind(socket.get(), own.get(), own.length) != 0)
    throw std::runtime_error(fmt::format("bind to port {}: {}", port, std::strerror(errno)));
  if (type == SOCK_STREAM && ::listen(socket.get(), 64) != 0) throw std::runtime_error("listen");
  return socket;
}

}  // namespace

std::unique_ptr<Service> KernelFixture::serve_tcp(const std::string& where, std::uint16_t port,
                                                  const std::string& address) {
  UniqueFd socket;
  in(where, [&] {
    socket = listening_socket(SOCK_STREAM,
                              address.empty() ? IpAddress::any(Family::kV6) : ip(address), port);
  });
  return std::make_unique<TcpService>(where, std::move(socket));
}

std::unique_ptr<Service> KernelFixture::serve_udp(const std::string& where, std::uint16_t port,
                                                  const std::string& address) {
  UniqueFd socket;
  in(where, [&] {
    socket = listening_socket(SOCK_DGRAM,
                              address.empty() ? IpAddress::any(Family::kV6) : ip(address), port);
  });
  return std::make_unique<UdpService>(where, std::move(socket));
}

Result<Answer> KernelFixture::ask_tcp(const std::string& from, const std::string& to,
                                      std::uint16_t port, Milliseconds timeout) {
  Result<Answer> answer = fail(Code::kInternal, "not asked");
  in(from, [&] { answer = ask_from_here(ip(to), port, timeout); });
  return answer;
}

Result<Answer> KernelFixture::ask_udp(const std::string& from, const std::string& to,
                                      std::uint16_t port, Milliseconds timeout) {
  return udp_client(from, to, port).ask(timeout);
}

UdpClient KernelFixture::udp_client(const std::string& from, const std::string& to,
                                    std::uint16_t port) {
  UniqueFd socket;
  in(from, [&] {
    socket = open_socket(ip(to), SOCK_DGRAM);
    SocketAddress target = socket_address(ip(to), port);
    if (::connect(socket.get(), target.get(), target.length) != 0)
      throw std::runtime_error(fmt::format("connect to {}: {}", to, std::strerror(errno)));
  });
  return UdpClient(std::move(socket));
}

}  // namespace fairlead::testing
