#include "network/drivers/bridge_record.h"

#include "base/hash.h"

namespace fairlead::network {

namespace {

constexpr const char* kBridge = "bridge";
constexpr const char* kMac = "bridge_mac";
constexpr const char* kForeign = "foreign_bridge";
constexpr const char* kBoot = "bridge_boot";
constexpr const char* kOpened = "localnet_opened";
constexpr const char* kHostSide = "host_ifname";
constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";

std::string value_of(const std::map<std::string, std::string>& record, const char* name) {
  const auto found = record.find(name);
  return found == record.end() ? std::string() : found->second;
}

IfName name_in(const DriverRecord& record, const char* name) {
  return stored_ifname(value_of(record.shown, name)).value_or(IfName());
}

}  // namespace

BridgeRecord BridgeRecord::of(const DriverRecord& links) {
  return {.bridge = name_in(links, kBridge),
          .foreign = value_of(links.shown, kForeign) == "true",
          .mac = MacAddress::parse(value_of(links.shown, kMac)).value_or(MacAddress()),
          .boot = value_of(links.kept, kBoot),
          .localnet_opened = value_of(links.kept, kOpened) == "true"};
}

DriverRecord BridgeRecord::text() const {
  DriverRecord links{.shown = {{kBridge, bridge.str()},
                               {kForeign, foreign ? "true" : "false"},
                               {kMac, mac.to_string()}},
                     .kept = {}};
  if (!boot.empty()) links.kept[kBoot] = boot;
  if (localnet_opened) links.kept[kOpened] = "true";
  return links;
}

IfName host_side_of(const Endpoint& endpoint) { return name_in(endpoint.links, kHostSide); }

std::string digits_of(const IfName& host_side, std::string_view prefix,
                      std::string_view named_prefix) {
  const std::string& name = host_side.str();
  return name.substr((name.starts_with(named_prefix) ? named_prefix : prefix).size());
}

std::string short_hash(std::string_view text, std::size_t digits, std::uint64_t seed) {
  std::uint64_t hash = fnv1a(text, seed);
  std::string name;
  for (; name.size() < digits; hash /= kDigits.size()) name += kDigits[hash % kDigits.size()];
  return name;
}

bool is_name_of(std::string_view name, std::string_view prefix, std::size_t digits) {
  return name.starts_with(prefix) && name.size() == prefix.size() + digits &&
         name.find_first_not_of(kDigits, prefix.size()) == std::string_view::npos;
}

DriverRecord veth_record(const Network& network, const Endpoint& endpoint) {
  const std::string id = network.id + "/" + endpoint.id;
  if (network.options.host_interface_prefix == HostPrefix::kVeth)
    return {.shown = {{kHostSide,
                       fmt::format("{}{}", kNamedVethPrefix, short_hash(id, kNamedVethDigits))}},
            .kept = {}};
  const std::string digits = hash_hex(id, 12);
  return {.shown = {{kHostSide, fmt::format("{}{}", kVethPrefix, digits)}}, .kept = {}};
}

}  // namespace fairlead::network
