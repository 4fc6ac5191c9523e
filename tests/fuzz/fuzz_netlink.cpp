// Messages of rtnetlink and of WireGuard's family: the same bytes as a stream of messages, each
// read as everything it could be.
#include <cstdint>
#include <span>

#include "network/kernel/events/link_events.h"
#include "network/kernel/events/table_events.h"
#include "network/kernel/links/answer_routes.h"
#include "network/kernel/links/parse.h"
#include "network/kernel/tunnels/wireguard_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::kernel;
  std::span<const std::uint8_t> bytes(data, size);
  DeviceDump dump;  // put together from all of them
  LinkEvents links;
  TableEvents tables("fairlead");
  while (const auto message = take_message(bytes)) {
    (void)parse_ack(*message).has_value();
    (void)parse_link(message->payload).has_value();
    (void)parse_address(message->payload).has_value();
    (void)parse_route(message->payload).has_value();
    (void)parse_rule(message->payload).has_value();
    (void)parse_neighbour(message->payload).has_value();
    (void)parse_family(message->payload, "wireguard").has_value();
    (void)add_device_part(message->payload, dump);
    (void)links.take(*message).has_value();
    (void)tables.take(*message).has_value();
  }
  return 0;
}
