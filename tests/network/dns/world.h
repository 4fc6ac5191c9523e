// A directory with networks and containers, and what it says in one line.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "network/dns/directory.h"
#include "tests/network/dns/wire.h"

namespace fairlead::dns::tests {

inline IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

inline std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, "; "));
}

// "A 10.0.0.2" of "web. 0 IN A 10.0.0.2".
inline std::string without_owner(const std::string& record) {
  const auto at = record.find(" 0 IN ");
  return at == record.npos ? record : record.substr(at + 6);
}

// "A 10.0.0.2; A 10.0.0.3", "NODATA by web.", "NXDOMAIN by .", "REFUSED", "forward", "forward to 10.9.9.9", "ignored".
inline std::string said(const Reply& reply) {
  if (std::holds_alternative<Ignore>(reply)) return "ignored";
  if (const auto* forward = std::get_if<Forward>(&reply)) {
    std::string text = "forward";
    for (const IpAddress& server : forward->servers)
      text += (text == "forward" ? " to " : ",") + server.to_string();
    return text;
  }
  const Read read = tests::read(std::get<Message>(reply));
  if (!read.valid) return "cannot be read";
  const bool authoritative = read.flags.find("aa") != std::string::npos;
  std::vector<std::string> answers;
  for (const std::string& answer : read.answers) answers.push_back(without_owner(answer));
  std::string text = read.rcode != "NOERROR" ? read.rcode : joined(answers);
  if (text.empty()) text = "NODATA";
  for (const std::string& authority : read.authorities)
    text += " by " + authority.substr(0, authority.find(' '));
  if ((read.rcode == "NOERROR" || read.rcode == "NXDOMAIN") && !authoritative)
    text += " (not authoritative)";
  return text;
}

class World {
 public:
  explicit World(ServicePorts services = {}) : names(make_directory(std::move(services))) {}

  // A network 10.N.0.0/24 and fd00:N::/64 with gateways .1 and ::1.
  static Zone zone(const std::string& network, unsigned n) {
    return {.network = network,
            .names = {network},
            .gateways = {ip(fmt::format("10.{}.0.1", n)), ip(fmt::format("fd00:{}::1", n))},
            .subnets = {*Cidr::parse(fmt::format("10.{}.0.0/24", n)),
                        *Cidr::parse(fmt::format("fd00:{}::/64", n))}};
  }
  static Host host(const std::string& network, const std::string& endpoint,
                   const std::vector<std::string>& names, const std::vector<std::string>& addresses,
                   const std::string& owner = "") {
    Host host{.network = network,
              .endpoint = endpoint,
              .owner = owner.empty() ? endpoint : owner,
              .names = names};
    for (const std::string& address : addresses) host.addresses.push_back(ip(address));
    return host;
  }

  void put(Zone zone) { names->put(std::move(zone)); }
  void put(Host host) { names->put(std::move(host)); }

  Reply reply(const std::string& network, const std::string& client, const Message& message) {
    return names->answer({.message = message, .client = ip(client), .network = network});
  }
  std::string ask(const std::string& network, const std::string& client, const std::string& name,
                  const std::string& type = "A") {
    return said(reply(network, client, query(name, {.type = type})));
  }
  Read full(const std::string& network, const std::string& client, const std::string& name,
            const Asked& asked = {}) {
    return read(std::get<Message>(reply(network, client, query(name, asked))));
  }

  std::unique_ptr<Directory> names;
};

}  // namespace fairlead::dns::tests
