// Gratuitous ARP and unsolicited neighbour advertisements.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::kernel {

// The Ethernet frame that tells all hosts on a link that `address` is at `mac`: an ARP announcement
// (RFC 5227, section 2.3) or an unsolicited neighbour advertisement with the override flag (RFC
// 4861, section 7.2.6). Pure.
std::vector<std::uint8_t> announcement_frame(const IpAddress& address, const MacAddress& mac);

// Sends frames through one packet socket, which is opened at the first use and kept, because
// closing one waits for an RCU grace period. Thread-safe.
class Announcer {
 public:
  explicit Announcer(int netns_fd) : netns_fd_(netns_fd) {}
  Status send(int link_index, const std::vector<std::uint8_t>& frame);

 private:
  int netns_fd_;  // borrowed
  std::mutex mutex_;
  UniqueFd socket_;
};

}  // namespace fairlead::kernel
