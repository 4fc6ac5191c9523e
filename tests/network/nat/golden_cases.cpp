#include "tests/network/nat/golden_cases.h"

namespace fairlead::nat {

using network::GatewayMode;
using network::Proto;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

NatNetwork dual_stack(const char* bridge, const char* v4, const char* v6) {
  return {.bridge = *IfName::parse(bridge), .subnets = {*Cidr::parse(v4), *Cidr::parse(v6)}};
}

NatNetwork shop() { return dual_stack("fl-shop", "10.1.0.0/24", "fd00:1::/64"); }

NatPort web() {
  return {.host_port = 8080,
          .container_port = 80,
          .target_v4 = ip("10.1.0.2"),
          .target_v6 = ip("fd00:1::2")};
}

NatPort at(const char* host_ip, std::uint16_t host_port) {
  NatPort port = web();
  port.host_ip = ip(host_ip);
  port.host_port = host_port;
  return port;
}

GoldenCase internal() {
  NatNetwork network = shop();
  network.internal = true;
  return {.name = "internal", .state = {.networks = {network}}};
}

GoldenCase no_icc() {
  NatNetwork network = shop();
  network.icc = false;
  return {.name = "no-icc", .state = {.networks = {network}, .ports = {web()}}};
}

GoldenCase no_masquerade() {
  NatNetwork network = shop();
  network.masquerade = false;
  return {.name = "no-masquerade", .state = {.networks = {network}, .ports = {web()}}};
}

GoldenCase gateway_modes() {
  NatNetwork routed = shop();
  routed.mode_v4 = routed.mode_v6 = GatewayMode::kRouted;
  NatNetwork mixed = dual_stack("fl-mixed", "10.2.0.0/24", "2001:db8:2::/64");
  mixed.mode_v6 = GatewayMode::kRouted;
  NatNetwork unprotected = dual_stack("fl-open", "10.3.0.0/24", "fd00:3::/64");
  unprotected.mode_v4 = unprotected.mode_v6 = GatewayMode::kNatUnprotected;
  NatNetwork isolated = dual_stack("fl-alone", "10.4.0.0/24", "fd00:4::/64");
  isolated.mode_v4 = isolated.mode_v6 = GatewayMode::kIsolated;
  isolated.internal = true;
  NatPort of_routed = web();
  of_routed.mode_v4 = of_routed.mode_v6 = GatewayMode::kRouted;
  NatPort of_mixed = {.proto = Proto::kSctp,
                      .host_port = 9000,
                      .container_port = 90,
                      .target_v4 = ip("10.2.0.2"),
                      .target_v6 = ip("2001:db8:2::2"),
                      .mode_v6 = GatewayMode::kRouted};
  return {.name = "gateway-modes",
          .state = {.networks = {routed, mixed, unprotected, isolated},
                    .ports = {of_routed, of_mixed}}};
}

GoldenCase ports() {
  NatPort dns = at("0.0.0.0", 53);
  dns.proto = Proto::kUdp;
  NatPort only_v4 = {.host_port = 443, .container_port = 8443, .target_v4 = ip("10.1.0.3")};
  return {.name = "ports",
          .state = {
              .networks = {shop()},
              .ports = {web(), dns, at("::", 8081), at("192.0.2.1", 8082), at("2001:db8::1", 8082),
                        at("127.0.0.1", 8083), at("::1", 8083), only_v4}}};
}

GoldenCase single_stack() {
  return {
      .name = "single-stack",
      .state = {.networks = {
                    {.bridge = *IfName::parse("fl-four"), .subnets = {*Cidr::parse("10.5.0.0/16")}},
                    {.bridge = *IfName::parse("br0"), .subnets = {*Cidr::parse("fd00:5::/48")}}}}};
}

GoldenCase tunnels() {
  return {.name = "tunnels",
          .state = {.networks = {shop()},
                    .underlay = {.tunnels = {{.vni = 42},
                                             {.vni = 0xabcdef, .port = 8472, .encrypted = true}},
                                 .hosts = {ip("192.0.2.2"), ip("192.0.2.3"), ip("fd5c::2")},
                                 .wireguard_links = {*IfName::parse("flwg0")},
                                 .ports = {4789}}}};
}

GoldenCase trust() {
  NatNetwork confined = shop();
  confined.internal = true;
  confined.host_access = false;
  NatNetwork shared = dual_stack("br0", "10.2.0.0/24", "fd00:2::/64");
  shared.shared = true;
  shared.trusted_interfaces = {*IfName::parse("wg0"), *IfName::parse("tailscale0")};
  NatPort weak = at("192.0.2.1", 8082), weak_v6 = at("2001:db8::1", 8082);
  weak.weak = weak_v6.weak = true;
  return {.name = "trust",
          .state = {.networks = {confined, shared},
                    .ports = {weak, weak_v6},
                    .confined = {{*IfName::parse("br0"), ip("10.2.0.2")},
                                 {*IfName::parse("br0"), ip("fd00:2::2")}}}};
}

AddressRange range(const char* subnet) {
  const Cidr cidr = *Cidr::parse(subnet);
  return {cidr.first(), cidr.last()};
}

GoldenCase policies() {
  NatNetwork network = shop();
  network.host_access = network.leaves = false;
  const std::vector<AddressRange> shop{range("10.1.0.0/24"), range("fd00:1::/64")};
  const NatService https{.first_proto = 6, .last_proto = 6, .first_port = 443, .last_port = 443};
  return {.name = "policies",
          .state = {.networks = {network},
                    .policies = {{.from = shop, .to = {range("192.0.2.0/24")}, .services = {https}},
                                 {.from = shop, .to_host = true, .services = {https}},
                                 {.allow = false,
                                  .from = shop,
                                  .to = {range("192.0.2.7/32"), range("fd00:2::/64")},
                                  .services = {{}}}}}};
}

GoldenCase senders() {
  const auto mac = [](const char* text) { return *MacAddress::parse(text); };
  return {.name = "senders",
          .state = {.senders = {{.port = *IfName::parse("flh0123456789ab"),
                                 .mac = mac("02:fa:0a:01:00:02"),
                                 .addresses = {ip("10.1.0.2"), ip("fd00:1::2")}},
                                {.port = *IfName::parse("flhfour"),
                                 .mac = mac("02:fa:0a:01:00:03"),
                                 .addresses = {ip("10.1.0.3")}},
                                {.port = *IfName::parse("flhrouter"),
                                 .mac = mac("02:fa:0a:01:00:04"),
                                 .addresses = {ip("10.1.0.4")},
                                 .checked = false},
                                {.port = *IfName::parse("flhdhcp"),
                                 .mac = mac("02:fa:0a:01:00:05"),
                                 .addresses = {},
                                 .asks_dhcp = true}}}};
}

GoldenCase not_routed() {
  return {.name = "not-routed",
          .state = {.networks = {shop()}, .host = {.not_routed = {Family::kV4, Family::kV6}}}};
}

// Overlapping destinations are one element.
GoldenCase outwards() {
  NatNetwork network = shop();
  network.snat_v4 = ip("192.0.2.7");
  network.snat_v6 = ip("2001:db8::7");
  network.snat_ports = network::PortRange{20000, 29999};
  network.masquerade_exclude = {*Cidr::parse("10.0.0.0/8"), *Cidr::parse("10.244.0.0/16"),
                                *Cidr::parse("172.16.0.0/12"), *Cidr::parse("fd00::/8")};
  NatNetwork other = dual_stack("fl-else", "10.2.0.0/24", "fd00:2::/64");
  other.snat_v4 = ip("192.0.2.8");
  return {.name = "outwards", .state = {.networks = {network, other}}};
}

GoldenCase surroundings() {
  const IfName first = *IfName::parse("eth0"), second = *IfName::parse("eth1");
  NatPort dns = web();
  dns.proto = Proto::kUdp;
  return {
      .name = "surroundings",
      .state = {
          .networks = {shop()},
          .ports = {dns},
          .host = {
              .uplinks = {{second, ip("198.51.100.1"), 0x10000000},
                          {second, ip("2001:db8:2::1"), 0x10000000}},
              .broadcasts = {
                  {first, *Cidr::parse("192.0.2.0/24"), ip("192.0.2.255"), ip("192.0.2.1")},
                  {first, *Cidr::parse("192.0.2.0/24"), ip("255.255.255.255"), ip("192.0.2.1")},
                  {first, *Cidr::parse("10.9.0.0/16"), ip("255.255.255.255"), ip("10.9.0.1")}}}}};
}

// Of a bridge, and of interfaces without one.
GoldenCase questions() {
  const IfName bridge = *IfName::parse("fl-shop"), routed = *IfName::parse("flrabcd");
  const std::uint16_t port = 10053;
  return {.name = "questions",
          .state = {
              .networks = {shop()},
              .host = {.questions = {{bridge, false, ip("10.1.0.1"), ip("10.1.0.1"), port, true},
                                     {bridge, false, ip("192.0.2.53"), ip("10.1.0.1"), port},
                                     {bridge, false, ip("fd00:1::1"), ip("fd00:1::1"), port, true},
                                     {routed, true, ip("10.2.0.1"), ip("10.2.0.1"), port}}}}};
}

GoldenCase ranges() {
  const auto range = [](NatPort port, std::uint16_t first, std::uint16_t last) {
    port.host_port = port.container_port = first;
    port.host_port_end = last;
    return port;
  };
  NatPort weak = at("192.0.2.1", 0), routed = web(), udp = web();
  weak.weak = true;
  routed.mode_v4 = routed.mode_v6 = GatewayMode::kRouted;
  udp.proto = Proto::kUdp;
  return {.name = "ranges",
          .state = {.networks = {shop()},
                    .ports = {range(web(), 7000, 16999), range(udp, 7000, 7099),
                              range(at("192.0.2.1", 0), 20000, 20099),
                              range(at("2001:db8::1", 0), 20000, 20099), range(weak, 21000, 21007),
                              range(routed, 30000, 30099)}}};
}

// Of several mappings to one port of a container without NAT, the smallest number counts.
GoldenCase limits() {
  const auto most = [](NatPort port, std::uint32_t connections) {
    port.max_connections = connections;
    return port;
  };
  const auto without_nat = [](NatPort port) {
    port.mode_v4 = port.mode_v6 = GatewayMode::kRouted;
    return port;
  };
  NatPort weak = at("192.0.2.1", 8083), range = web(), dns = at("0.0.0.0", 53);
  weak.weak = true;
  range.host_port = range.container_port = 7000;
  range.host_port_end = 7099;
  dns.proto = Proto::kUdp;
  return {.name = "limits",
          .state = {.networks = {shop()},
                    .ports = {most(web(), 100), most(at("192.0.2.1", 8082), 100),
                              most(at("2001:db8::1", 8082), 5), most(weak, 5), most(range, 5),
                              most(dns, 1'000'000), at("192.0.2.1", 8084),
                              most(without_nat(at("192.0.2.1", 8085)), 7),
                              most(without_nat(at("192.0.2.2", 8085)), 6)}}};
}

// Interfaces without a bridge, known by how their names begin.
GoldenCase routed() {
  NatNetwork open = dual_stack("flr0aaa", "10.6.0.0/16", "fd00:6::/64");
  open.routed = true;
  open.gateways = {ip("10.6.0.1"), ip("fd00:6::1")};
  open.trusted_interfaces = {*IfName::parse("wg0")};
  NatNetwork closed = dual_stack("flr1bbb", "10.7.0.0/24", "fd00:7::/64");
  closed.routed = closed.internal = true;
  closed.icc = closed.host_access = false;
  closed.gateways = {ip("10.7.0.1"), ip("fd00:7::1")};
  NatNetwork held = dual_stack("flr2ccc", "10.8.0.0/24", "fd00:8::/64");
  held.routed = true;
  held.leaves = held.host_access = false;
  held.gateways = {ip("10.8.0.1"), ip("fd00:8::1")};
  held.snat_v4 = ip("192.0.2.9");
  return {.name = "routed",
          .state = {.networks = {shop(), open, closed, held},
                    .reporters = {
                        {*IfName::parse("flr0aaa01234567"), {ip("10.6.0.2"), ip("fd00:6::2")}}}}};
}

}  // namespace

std::vector<GoldenCase> golden_cases() {
  return {{.name = "empty"}, {.name = "dual-stack", .state = {.networks = {shop()}}},
          internal(),        no_icc(),
          no_masquerade(),   gateway_modes(),
          ports(),           single_stack(),
          tunnels(),         trust(),
          senders(),         not_routed(),
          outwards(),        surroundings(),
          questions(),       policies(),
          ranges(),          routed(),
          limits()};
}

}  // namespace fairlead::nat
