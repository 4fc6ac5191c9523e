// Messages of the DNS from anybody: what is said of them, and what a directory answers. Every answer can be read by ldns, is
// an answer to that query, and stays within its limits.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <variant>

#include "network/dns/directory.h"
#include "network/dns/ldns.h"
#include "network/dns/message.h"
#include "network/dns/scan.h"

namespace {

using namespace fairlead;
using namespace fairlead::dns;

using Bytes = std::span<const std::uint8_t>;
using Packet = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

void require(bool holds) {
  if (!holds) std::abort();
}

std::unique_ptr<Directory> make_names() {
  auto names = make_directory([](std::string_view service, std::string_view) {
    return service == "http" ? std::optional<std::uint16_t>(80) : std::nullopt;
  });
  Zone shop{.network = "shop", .names = {"shop", "a.b"}, .domain = "shop.internal"};
  shop.gateways = {ip("10.1.0.1"), ip("fd00:1::1")};
  shop.subnets = {*Cidr::parse("10.1.0.0/24"), *Cidr::parse("fd00:1::/64")};
  Zone lab{.network = "lab", .names = {"lab"}, .internal = true};
  lab.gateways = {ip("10.2.0.1")};
  lab.subnets = {*Cidr::parse("10.2.0.0/24")};
  names->put(shop);
  names->put(lab);
  for (int i = 2; i < 200; ++i) {
    Host host{.network = i % 2 == 0 ? "shop" : "lab", .endpoint = std::to_string(i), .owner = "o"};
    host.owner += std::to_string(i / 4);
    host.names = {"c" + std::to_string(i), "web", "x.y", "\xc3\xbc", std::string(63, 'l')};
    host.addresses = {*ip(i % 2 == 0 ? "10.1.0.0" : "10.2.0.0").plus(static_cast<unsigned>(i)),
                      *ip("fd00:1::").plus(static_cast<unsigned>(i))};
    host.ports = {{.host_port = 8080, .container_port = 80}};
    names->put(host);
  }
  return names;
}

// The message as ldns reads it; it must be able to.
Packet read(Bytes message) {
  ldns_pkt* packet = nullptr;
  require(ldns_wire2pkt(&packet, message.data(), message.size()) == LDNS_STATUS_OK);
  return {packet, ldns_pkt_free};
}

void check_answer(Bytes query, const Message& answer) {
  require(answer.size() <= 65535);
  const auto asked = scan(query);
  const auto said = scan(answer);
  require(asked && said && said->whole && !said->is_query());
  require(said->id == asked->id && said->question == asked->question);
  require(said->edns.has_value() == asked->edns.has_value());
  const Packet packet = read(answer);
  require(ldns_pkt_edns(packet.get()) == asked->edns.has_value());
}

void check_functions(Bytes query) {
  const std::size_t limit = udp_limit(query);
  require(limit >= 512 && limit <= 1232);
  const auto asked = scan(query);
  for (const Failure why : {Failure::kFormat, Failure::kServer, Failure::kRefused}) {
    const Message answer = failure(query, why);
    require(answer.empty() == (!asked || !asked->is_query()));
    require(answer.size() <= 512);
    if (!answer.empty()) check_answer(query, answer);
  }
  // As an answer that another server has sent.
  const Message cut = shortened(Message(query.begin(), query.end()), 512);
  require(cut.size() <= 512);
  if (asked && query.size() > 512) (void)read(cut);
}

void check_reply(Bytes query, const Reply& reply) {
  const auto asked = scan(query);
  const bool good = asked && asked->is_query() && asked->whole && asked->question;
  if (std::holds_alternative<Ignore>(reply)) require(!asked || !asked->is_query());
  if (std::holds_alternative<Forward>(reply)) require(good);
  if (const auto* answer = std::get_if<Message>(&reply)) {
    check_answer(query, *answer);
    const Message sent = shortened(*answer, udp_limit(query));
    require(sent.size() <= udp_limit(query));
    check_answer(query, sent);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<Directory> names = make_names();
  if (size == 0) return 0;
  const Bytes query(data + 1, size - 1);
  const IpAddress clients[] = {ip("10.1.0.2"), ip("10.2.0.3"), ip("10.1.0.77"), ip("192.0.2.1")};
  const char* networks[] = {"shop", "lab", "none"};
  check_functions(query);
  check_reply(query, names->answer({.message = query,
                                    .client = clients[data[0] % 4],
                                    .network = networks[data[0] / 4 % 3]}));
  return 0;
}
