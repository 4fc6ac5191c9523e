#include "network/dns/resolve.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "network/dns/name.h"

namespace fairlead::dns {

namespace {

// With these, the longest names and both families an answer is within 65535 bytes. Of more, every answer has others.
constexpr std::size_t kMostAddresses = 2000, kMostServices = 64;

const std::string& localhost() {
  static const std::string key = *key_of("localhost");
  return key;
}

bool is_invalid(std::string_view name) {
  static const std::string key = *key_of("invalid");
  return is_at_or_below(name, key);
}

// Where a client asks its server for an encrypted way to it. Those of the servers behind this one would lead past the names
// of containers, so that it is not asked elsewhere (RFC 9462 section 6.4).
const std::string& resolver_arpa() {
  static const std::string key = *key_of("resolver.arpa");
  return key;
}

// What runtimes call the host.
const std::string& host_name() {
  static const std::string key = *key_of("host.containers.internal");
  return key;
}
bool is_host_name(std::string_view name) {
  static const std::array<std::string, 2> others{*key_of("host.docker.internal"),
                                                 *key_of("gateway.docker.internal")};
  return name == host_name() || std::ranges::find(others, name) != others.end();
}

const IpAddress& loopback(Family family) {
  static const IpAddress v4 = *IpAddress::parse("127.0.0.1"), v6 = *IpAddress::parse("::1");
  return family == Family::kV4 ? v4 : v6;
}

bool wants(std::uint16_t asked, std::uint16_t type) { return asked == type || asked == kTypeAny; }

bool wants_family(std::uint16_t asked, Family family) {
  return wants(asked, family == Family::kV4 ? kTypeA : kTypeAaaa);
}

// There is the name, but nothing of the type.
Answer no_data(std::string_view zone) { return {.authority = std::string(zone)}; }

Answer no_name(std::string_view zone) {
  return {.rcode = Rcode::kNxDomain, .authority = std::string(zone)};
}

// Of a name that has these addresses, in this order. A query for ANY gets those of one family, as RFC 8482 section 4.1
// has it.
Answer with_addresses(std::vector<IpAddress> addresses, std::uint16_t type, std::string_view zone) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    if (!wants_family(type, family)) continue;
    Answer answer;
    for (const IpAddress& address : addresses)
      if (address.family() == family) answer.addresses.push_back(address);
    if (!answer.addresses.empty()) return answer;
  }
  return no_data(zone);
}

// One question, and who asks it.
class Resolution {
 public:
  Resolution(Tables& tables, const ServicePorts& services, const Asker& asker,
             const Question& question)
      : services_(services),
        asked_(tables.zone_asked(asker.network, asker.client)),
        address_(asker.client),
        type_(question.type),
        name_(lowered(question.name)) {
    find_networks(tables, asker);
  }

  std::variant<Answer, Forward> result() {
    if (!is_admitted()) return Answer{.rcode = Rcode::kRefused};
    if (auto special = of_special_name()) return *std::move(special);
    if (auto found = find(name_)) return of_group(*found);
    if (is_host_name(name_)) return with_addresses(gateways(), type_, name_);
    if (const auto address = reverse_address(name_))
      if (auto answer = of_address(*address)) return *std::move(answer);
    if (auto service = of_service()) return *std::move(service);
    return of_nobody();
  }

 private:
  // The endpoints that have a name, and the zone of the question's name in which they have it: the network's domain,
  // or the name as it was asked.
  struct Found {
    ZoneEntry* zone = nullptr;
    Group* group = nullptr;
    bool in_domain = false;
  };

  // Whoever can send to a gateway is not yet of its network: containers of other networks can, and machines that have a route
  // to it. They are told nothing, and nothing is asked for them (RFC 5358). The host asks from the gateway itself.
  bool is_admitted() const {
    if (asked_ == nullptr || !asked_->zone || client_ != nullptr) return true;
    return address_.is_loopback() || asked_->has_subnet_of(address_) ||
           asked_->has_gateway(address_) || is_at_link_local_gateway();
  }

  // Where the gateway is an address of the link alone. Of another gateway one may come from any link of the host.
  bool is_at_link_local_gateway() const {
    static const Cidr links = *Cidr::parse("fe80::/10");
    return links.contains(address_) &&
           std::ranges::any_of(asked_->zone->gateways,
                               [](const IpAddress& gateway) { return links.contains(gateway); });
  }

  // The networks whose names the client may see, the asked one first. A client whose address nobody has there sees that one
  // alone.
  void find_networks(Tables& tables, const Asker& asker) {
    if (asked_ == nullptr) return;
    networks_.push_back(asked_);
    client_ = asked_->holder_of(asker.client);
    if (client_ == nullptr) return;
    std::vector<ZoneEntry*> others;
    for (const HostEntry* of_client : tables.of_owner(client_->host.owner))
      if (ZoneEntry* zone = of_client->zone; zone->zone && zone != asked_) others.push_back(zone);
    std::ranges::sort(others, {},
                      [](const ZoneEntry* zone) { return std::tie(zone->names, zone->network); });
    networks_.insert(networks_.end(), others.begin(), std::unique(others.begin(), others.end()));
  }

  std::optional<Answer> of_special_name() const {
    if (is_at_or_below(name_, localhost()))
      return with_addresses({loopback(Family::kV4), loopback(Family::kV6)}, type_, name_);
    if (is_invalid(name_)) return no_name(parent());
    if (is_at_or_below(name_, resolver_arpa())) return no_data(resolver_arpa());
    return std::nullopt;
  }

  // The name as it is goes before what it may mean as NAME.NETWORK, in every network: "a.b" is what somebody has called a
  // container.
  std::optional<Found> find(std::string_view name) {
    if (name.empty()) return std::nullopt;
    for (ZoneEntry* zone : networks_)
      if (Group* group = group_in(*zone, name)) return Found{zone, group};
    for (ZoneEntry* zone : networks_) {
      if (const auto rest = before(name, zone->domain); rest && !zone->domain.empty())
        if (Group* group = group_in(*zone, *rest)) return Found{zone, group, true};
      for (const std::string& suffix : zone->names)
        if (const auto rest = before(name, suffix))
          if (Group* group = group_in(*zone, *rest)) return Found{zone, group};
    }
    return std::nullopt;
  }

  static Group* group_in(ZoneEntry& zone, std::string_view name) {
    return zone.answers() ? zone.group(name) : nullptr;
  }

  std::string_view zone_of(const Found& found) const {
    return found.in_domain ? std::string_view(found.zone->domain) : std::string_view(name_);
  }

  std::string_view parent() const { return without_first_label(name_); }

  Answer of_group(const Found& found) {
    for (const Family family : {Family::kV4, Family::kV6}) {
      if (!wants_family(type_, family)) continue;
      Answer answer{.addresses = turned(*found.zone, *found.group, family)};
      if (!answer.addresses.empty()) return answer;
    }
    return no_data(zone_of(found));
  }

  // The endpoints from whose turn it is on.
  template <class Use>
  static void in_turn(std::vector<HostEntry*>& hosts, std::uint32_t& turn, Use use) {
    const std::size_t first = turn++ % hosts.size();
    for (std::size_t i = 0; i < hosts.size(); ++i)
      if (!use(*hosts[(first + i) % hosts.size()])) return;
  }

  // An address that another endpoint has got in the meantime is not the name's any more.
  static void add_addresses(const ZoneEntry& zone, const HostEntry& host, Family family,
                            std::vector<IpAddress>& into) {
    for (const IpAddress& address : host.host.addresses)
      if (address.family() == family && zone.holder_of(address) == &host) into.push_back(address);
  }

  static std::vector<IpAddress> turned(const ZoneEntry& zone, Group& group, Family family) {
    std::vector<IpAddress> addresses;
    in_turn(group.hosts, family == Family::kV4 ? group.turn_v4 : group.turn_v6,
            [&](const HostEntry& host) {
              add_addresses(zone, host, family, addresses);
              return addresses.size() < kMostAddresses;
            });
    if (addresses.size() > kMostAddresses) addresses.resize(kMostAddresses);
    return addresses;
  }

  std::vector<IpAddress> gateways() const {
    return asked_ != nullptr && asked_->zone ? asked_->zone->gateways : std::vector<IpAddress>();
  }

  // ---- the name of an address

  std::optional<Answer> of_address(const IpAddress& address) const {
    if (address == loopback(address.family())) return of_pointer(localhost());
    for (const ZoneEntry* zone : networks_) {
      if (!zone->answers()) continue;
      if (const HostEntry* host = zone->holder_of(address)) return of_pointer(full_name(*host));
      if (zone->has_gateway(address)) return of_pointer(host_name());
    }
    // An address of a network of the client's is asked of nobody else. Those of other private networks are, other than RFC 6303
    // has it for servers that have nobody else to ask: the host's may know the machines around it.
    for (const ZoneEntry* zone : networks_)
      if (zone->answers() && zone->has_subnet_of(address)) return no_name(parent());
    return std::nullopt;
  }

  Answer of_pointer(const std::optional<std::string>& target) const {
    if (!target) return no_name(parent());
    if (!wants(type_, kTypePtr)) return no_data(name_);
    return {.pointers = {*target}};
  }

  // By which it is found from every network of the client's; std::nullopt: it has no name of the DNS.
  static std::optional<std::string> full_name(const HostEntry& host) {
    constexpr std::size_t kMaxKey = 254;
    const std::string* suffix = host.zone->suffix();
    for (const std::string& key : host.keys)
      if (suffix != nullptr && key.size() + suffix->size() <= kMaxKey) return key + *suffix;
    if (host.keys.empty()) return std::nullopt;
    return host.keys.front();
  }

  // ---- services

  struct Service {
    network::Proto proto = network::Proto::kTcp;
    std::uint16_t port = 0;
  };

  static std::optional<network::Proto> protocol_of(std::string_view label) {
    for (const auto proto : {network::Proto::kTcp, network::Proto::kUdp, network::Proto::kSctp})
      if (label.starts_with('_') && label.substr(1) == network::to_string(proto)) return proto;
    return std::nullopt;
  }

  std::optional<std::uint16_t> port_of(std::string_view label, std::string_view protocol) const {
    if (label.size() < 2 || !label.starts_with('_')) return std::nullopt;
    label.remove_prefix(1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), port);
    if (error == std::errc() && end == label.data() + label.size() && label.front() != '0')
      return port;
    return services_ ? services_(label, protocol) : std::nullopt;
  }

  // "_80._tcp.web", and "_tcp.web", which there is while it has ports. Whoever has a name answers for its services,
  // whatever the name is elsewhere.
  std::optional<Answer> of_service() {
    if (name_.empty()) return std::nullopt;
    if (const auto proto = protocol_of(first_label(name_)))
      if (const auto found = find(parent())) {
        const bool any = std::ranges::any_of(found->group->hosts, [&](const HostEntry* host) {
          return std::ranges::find(host->host.ports, *proto, &network::PublishedPort::proto) !=
                 host->host.ports.end();
        });
        return any ? no_data(zone_of(*found)) : no_name(in_zone_or_parent(*found));
      }
    if (parent().empty()) return std::nullopt;
    const auto proto = protocol_of(first_label(parent()));
    if (!proto || !first_label(name_).starts_with('_')) return std::nullopt;
    const auto found = find(without_first_label(parent()));
    if (!found) return std::nullopt;
    const auto port = port_of(first_label(name_), first_label(parent()).substr(1));
    if (!port) return no_name(in_zone_or_parent(*found));
    return of_port(*found, {*proto, *port});
  }

  std::string_view in_zone_or_parent(const Found& found) const {
    return found.in_domain ? std::string_view(found.zone->domain) : parent();
  }

  Answer of_port(const Found& found, const Service& service) {
    std::vector<ServiceRecord> records;
    in_turn(found.group->hosts, found.group->turn_services, [&](const HostEntry& host) {
      if (serves(host.host, service)) add_service(*found.zone, host, service, records);
      return records.size() < kMostServices;
    });
    if (records.empty()) return no_name(in_zone_or_parent(found));
    if (!wants(type_, kTypeSrv)) return no_data(zone_of(found));
    return {.services = std::move(records)};
  }

  static bool serves(const Host& host, const Service& service) {
    return std::ranges::any_of(host.ports, [&](const network::PublishedPort& port) {
      return port.proto == service.proto && port.container_port <= service.port &&
             service.port <= port.container_last();
    });
  }

  static void add_service(const ZoneEntry& zone, const HostEntry& host, const Service& service,
                          std::vector<ServiceRecord>& into) {
    const auto target = full_name(host);
    if (!target) return;
    ServiceRecord record{.port = service.port, .target = *target};
    for (const Family family : {Family::kV4, Family::kV6}) {
      std::vector<IpAddress> addresses;
      add_addresses(zone, host, family, addresses);
      if (!addresses.empty()) record.addresses.push_back(addresses.front());
    }
    into.push_back(std::move(record));
  }

  // ---- what no container has

  std::variant<Answer, Forward> of_nobody() const {
    // Whether it is internal is not known yet, or not any more.
    if (asked_ == nullptr || !asked_->zone) return Answer{.rcode = Rcode::kServFail};
    if (const ZoneEntry* zone = zone_with_domain()) return of_domain(*zone);
    if (const ZoneEntry* way = way_out()) return forward(*way);
    // Nothing of it leaves the host: as if the networks were all that there is.
    if (name_.empty() || std::ranges::any_of(networks_, [&](const ZoneEntry* zone) {
          return zone->answers() && zone->inner.contains(name_);
        }))
      return no_data(name_);
    return no_name(parent());
  }

  // The one with the longest domain that the name is in.
  const ZoneEntry* zone_with_domain() const {
    const ZoneEntry* best = nullptr;
    for (const ZoneEntry* zone : networks_)
      if (zone->answers() && !zone->domain.empty() && is_at_or_below(name_, zone->domain) &&
          (best == nullptr || best->domain.size() < zone->domain.size()))
        best = zone;
    return best;
  }

  Answer of_domain(const ZoneEntry& zone) const {
    const auto rest = before(name_, zone.domain);
    if (!rest && wants(type_, kTypeSoa)) return {.authority = zone.domain, .is_authority = true};
    if (!rest || zone.inner.contains(*rest)) return no_data(zone.domain);
    return no_name(zone.domain);
  }

  // A container that is in a network that is not internal has a way out; what it asks for goes that way, also where it asks an
  // internal network.
  const ZoneEntry* way_out() const {
    for (const ZoneEntry* zone : networks_)
      if (zone->zone && !zone->zone->internal) return zone;
    return nullptr;
  }

  Forward forward(const ZoneEntry& way) const {
    std::vector<IpAddress> own = servers_of_client();
    if (!own.empty()) return {std::move(own)};
    return {way.zone->servers};
  }

  // A container that names its gateway (`docker run --dns`) means the name service itself.
  std::vector<IpAddress> servers_of_client() const {
    std::vector<IpAddress> servers;
    if (client_ == nullptr) return servers;
    for (const IpAddress& server : client_->host.servers)
      if (std::ranges::none_of(networks_,
                               [&](const ZoneEntry* zone) { return zone->has_gateway(server); }))
        servers.push_back(server);
    return servers;
  }

  const ServicePorts& services_;
  ZoneEntry* asked_;
  const IpAddress address_;  // of the client
  std::uint16_t type_;
  std::string name_;
  const HostEntry* client_ = nullptr;
  std::vector<ZoneEntry*> networks_;
};

}  // namespace

std::variant<Answer, Forward> resolve(Tables& tables, const ServicePorts& services,
                                      const Asker& asker, const Question& question) {
  return Resolution(tables, services, asker, question).result();
}

}  // namespace fairlead::dns
