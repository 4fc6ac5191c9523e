#include "network/dns/message.h"

#include <algorithm>

#include "network/dns/scan.h"

namespace fairlead::dns {

namespace {

constexpr std::uint16_t kLeastUdp = 512;  // RFC 1035 section 4.2.1

}  // namespace

Message failure(std::span<const std::uint8_t> query, Failure why) {
  const auto asked = scan(query);
  if (!asked || !asked->is_query()) return {};
  return bare_answer(*asked, static_cast<Rcode>(why));
}

std::size_t udp_limit(std::span<const std::uint8_t> query) {
  const auto asked = scan(query);
  if (!asked || !asked->edns) return kLeastUdp;
  return std::clamp(asked->edns->udp_size, kLeastUdp, kOwnUdpSize);
}

Message shortened(Message answer, std::size_t limit) {
  if (answer.size() <= limit) return answer;
  const auto said = scan(answer);
  if (!said) return {};
  const auto rcode =
      static_cast<Rcode>((said->edns ? said->edns->extended_rcode << 4 : 0) | (said->flags & 0xf));
  return bare_answer(*said, rcode, static_cast<std::uint16_t>(kFlagTc | (said->flags & kFlagAa)));
}

}  // namespace fairlead::dns
