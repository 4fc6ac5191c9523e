#include "plugin-api/cni/result.h"

#include "plugin-api/cni/prev_result.h"
#include "plugin-api/cni/sections.h"

namespace fairlead::cni {

namespace {

using json::Json;
using network::Attachment;

std::optional<IpAddress> gateway_of(const Attachment& attachment, const ResultParts& parts,
                                    const Cidr& address) {
  if (const auto named = parts.gateways.find(address.address()); named != parts.gateways.end())
    return named->second;
  return network::gateway_for(attachment.endpoint, address);
}

// As far as the version can tell them.
std::vector<network::Route> routes_of(const Attachment& attachment, const Version& version) {
  if (version.collects) return attachment.routes;
  std::vector<network::Route> routes;
  for (const network::Route& route : attachment.routes)
    routes.push_back({.destination = route.destination, .via = route.via});
  return routes;
}

// ---- 0.3.0 and newer

std::vector<Interface> interfaces_of(const Attachment& attachment, const ResultParts& parts,
                                     const Version& version) {
  std::vector<Interface> interfaces;
  const auto add = [&](const IfName& name, const MacAddress& mac, const std::string& sandbox) {
    if (name.empty()) return;
    interfaces.push_back({name.str(), mac.to_string(), sandbox, std::nullopt});
    if (version.collects) interfaces.back().mtu = attachment.mtu;
  };
  for (const network::HostLink& link : attachment.host_links) add(link.name, link.mac, "");
  add(attachment.container_ifname, attachment.container_mac, parts.netns);
  return interfaces;
}

std::vector<Ip> ips_of(const Attachment& attachment, const ResultParts& parts,
                       std::int32_t interface, const Version& version) {
  std::vector<Ip> ips;
  for (const Cidr& address : attachment.endpoint.addresses) {
    Ip& ip = ips.emplace_back();
    ip.address = address.to_string();
    ip.interface = interface;
    ip.gateway = gateway_of(attachment, parts, address);
    if (version.address_version) ip.version = address.is_v4() ? "4" : "6";
  }
  return ips;
}

Json encode_lists(const Attachment& attachment, const ResultParts& parts, const Version& version) {
  ResultLists lists;
  lists.interfaces = interfaces_of(attachment, parts, version);
  const auto own = static_cast<std::int32_t>(lists.interfaces.size()) - 1;
  lists.ips = ips_of(attachment, parts, own, version);
  lists.routes = routes_of(attachment, version);
  return json::write(lists, kResultLists);
}

// ---- 0.1.0 and 0.2.0

struct FamilyResult {
  Cidr address;
  std::optional<IpAddress> gateway;
  std::vector<network::Route> routes;
};
constexpr auto kFamilyResult = json::fields(
    json::required<&FamilyResult::address>("ip"), json::sparse<&FamilyResult::gateway>("gateway"),
    json::sparse<&FamilyResult::routes>("routes", json::object(kRoute)));

Json encode_pair(const Attachment& attachment, const ResultParts& parts, const Version& version) {
  Json object = Json::object();
  for (const Cidr& address : attachment.endpoint.addresses) {
    // There is room for one address of each family.
    const char* key = address.is_v4() ? "ip4" : "ip6";
    if (object.find(key) != nullptr) continue;
    FamilyResult result{address, gateway_of(attachment, parts, address),
                        routes_of(attachment, version)};
    std::erase_if(result.routes, [&](const network::Route& route) {
      return route.destination.family() != address.family();
    });
    object[key] = json::write(result, kFamilyResult);
  }
  return object;
}

}  // namespace

Decoded<std::string> encode_result(const Attachment& attachment, const ResultParts& parts,
                                   const Version& version) {
  if (!version.lists && attachment.endpoint.addresses.empty())
    return fail(Failure{ErrorCode::kConfiguration,
                        fmt::format("a result of version {} must have an address, but the network "
                                    "has no subnet; use cniVersion 0.3.0 or newer",
                                    version.text),
                        ""});
  Json object = version.lists ? encode_lists(attachment, parts, version)
                              : encode_pair(attachment, parts, version);
  object["cniVersion"] = version.text;
  if (parts.dns != network::Dns()) object["dns"] = json::write(parts.dns, kDns);
  if (parts.earlier) object = joined_results(*parts.earlier, std::move(object));
  return json::dump(object) + "\n";
}

std::string encode_versions(const std::string& version_text) {
  Json supported = Json::array();
  for (const Version& version : versions()) supported.push_back(version.text);
  return json::dump({{"cniVersion", version_text}, {"supportedVersions", std::move(supported)}}) +
         "\n";
}

}  // namespace fairlead::cni
