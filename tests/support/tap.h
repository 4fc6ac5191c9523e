// Captures frames on an interface, for tests.
#pragma once

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdexcept>
#include <vector>

#include "base/unique_fd.h"

namespace fairlead::testing {

using Frame = std::vector<std::uint8_t>;

inline bool is_udp(const Frame& frame) {
  if (frame.size() < ETH_HLEN + 48) return false;
  const std::uint8_t* packet = frame.data() + ETH_HLEN;
  return packet[packet[0] >> 4 == 6 ? 6 : 9] == IPPROTO_UDP;
}

// For IP packets without options.
inline bool is_udp_to(const Frame& frame, unsigned port) {
  if (!is_udp(frame)) return false;
  const std::uint8_t* packet = frame.data() + ETH_HLEN;
  const std::uint8_t* udp = packet + (packet[0] >> 4 == 6 ? 40 : 20);
  return static_cast<unsigned>(udp[2] << 8 | udp[3]) == port;
}

// Collects every frame that an interface sees from now on.
class Tap {
 public:
  explicit Tap(const char* interface) {
    socket_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
    const int size = 1 << 22;
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (!socket_ || ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)))
      throw std::runtime_error("open a packet socket");
  }
  std::vector<Frame> frames() {
    std::vector<Frame> all;
    Frame frame(65536);
    for (;;) {
      const ssize_t length = ::recv(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT);
      if (length < 0) return all;
      all.emplace_back(frame.begin(), frame.begin() + length);
    }
  }
  // The sizes of the IP packets to UDP port 4789 among the frames collected so far.
  std::vector<std::size_t> tunnelled() {
    std::vector<std::size_t> sizes;
    for (const Frame& frame : frames())
      if (is_udp_to(frame, 4789)) sizes.push_back(frame.size() - ETH_HLEN);
    return sizes;
  }

 private:
  UniqueFd socket_;
};

}  // namespace fairlead::testing
