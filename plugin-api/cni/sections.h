// The parts that configurations, capabilities and results have in common, each as one table for
// reading and writing.
#pragma once

#include <optional>
#include <string>

#include "base/json/fields.h"
#include "network/api/types.h"

namespace fairlead::cni {

// "" is no address.
Result<std::optional<IpAddress>> read_address_or_none(const json::Slot& slot);
json::Json write_address_or_none(const std::optional<IpAddress>& address);
inline constexpr auto kAddressOrNone =
    json::custom<&read_address_or_none, &write_address_or_none>();

// An element of "routes". Results before 1.1.0 have only "dst" and "gw".
Result<Cidr> parse_destination(std::string_view text);  // host bits are dropped
inline constexpr auto kRoute = json::fields(
    json::required<&network::Route::destination>("dst", json::text<&parse_destination>()),
    json::sparse<&network::Route::via>("gw", kAddressOrNone),
    json::sparse<&network::Route::mtu>("mtu"), json::sparse<&network::Route::advmss>("advmss"),
    json::sparse<&network::Route::priority>("priority"),
    json::sparse<&network::Route::table>("table"), json::sparse<&network::Route::scope>("scope"));

// "dns".
inline constexpr auto kDns = json::fields(json::sparse<&network::Dns::nameservers>("nameservers"),
                                          json::sparse<&network::Dns::domain>("domain"),
                                          json::sparse<&network::Dns::search>("search"),
                                          json::sparse<&network::Dns::options>("options"));

// An element of a result's "interfaces". The MAC is a text, because that of another plugin's
// interface is none of our business.
struct Interface {
  std::string name, mac, sandbox;
  std::optional<unsigned> mtu;  // since 1.1.0; only written

  bool operator==(const Interface&) const = default;
};
json::Json mtu_of(const Interface& interface);
inline constexpr auto kInterface = json::fields(
    json::defaulted<&Interface::name>("name"), json::defaulted<&Interface::mac>("mac"),
    json::sparse<&Interface::sandbox>("sandbox"), json::shown<Interface, mtu_of>("mtu"));

// An element of a result's "ips"; a text, too.
struct Ip {
  std::string address;
  std::int32_t interface = -1;       // its index; -1: not said
  std::optional<IpAddress> gateway;  // only written
  std::string version;               // until 0.4.0: "4" or "6"; only written

  bool operator==(const Ip&) const = default;
};
json::Json gateway_of(const Ip& ip);
json::Json version_of(const Ip& ip);
inline constexpr auto kIp =
    json::fields(json::required<&Ip::address>("address"),
                 json::defaulted<&Ip::interface>("interface", json::Range{-1, INT32_MAX}),
                 json::shown<Ip, gateway_of>("gateway"), json::shown<Ip, version_of>("version"));

// A result of 0.3.0 and newer, without its version and "dns".
struct ResultLists {
  std::vector<Interface> interfaces;
  std::vector<Ip> ips;
  std::vector<network::Route> routes;
};
inline constexpr auto kResultLists =
    json::fields(json::defaulted<&ResultLists::interfaces>("interfaces", json::object(kInterface)),
                 json::sparse<&ResultLists::ips>("ips", json::object(kIp)),
                 json::sparse<&ResultLists::routes>("routes", json::object(kRoute)));

}  // namespace fairlead::cni
