#include "plugin-api/cni/result.h"

#include "base/json/json.h"

namespace fairlead::cni {

namespace {

using json::Json;
using network::Attachment;

const IpAddress* gateway_of(const Attachment& attachment, Family family) {
  for (const IpAddress& gateway : attachment.endpoint.gateways)
    if (gateway.family() == family) return &gateway;
  return nullptr;
}

Json encode_route(const network::Route& route, const Version& version) {
  Json object{{"dst", route.destination.to_string()}};
  if (route.via) object["gw"] = route.via->to_string();
  if (!version.collects) return object;
  const auto put = [&](const char* key, const std::optional<std::uint32_t>& value) {
    if (value) object[key] = *value;
  };
  put("mtu", route.mtu);
  put("advmss", route.advmss);
  put("priority", route.priority);
  put("table", route.table);
  put("scope", route.scope);
  return object;
}

Json encode_dns(const network::Dns& dns) {
  Json object = Json::object();
  if (!dns.nameservers.empty()) object["nameservers"] = dns.nameservers;
  if (!dns.domain.empty()) object["domain"] = dns.domain;
  if (!dns.search.empty()) object["search"] = dns.search;
  if (!dns.options.empty()) object["options"] = dns.options;
  return object;
}

// ---- 0.3.0 and newer

Json encode_interfaces(const Attachment& attachment, const std::string& netns,
                       const Version& version) {
  Json interfaces = Json::array();
  const auto add = [&](const IfName& name, const MacAddress& mac, const std::string& sandbox) {
    if (name.empty()) return;
    Json object{{"name", name.str()}, {"mac", mac.to_string()}};
    if (!sandbox.empty()) object["sandbox"] = sandbox;
    if (version.collects) object["mtu"] = attachment.mtu;
    interfaces.push_back(std::move(object));
  };
  add(attachment.bridge, attachment.bridge_mac, "");
  add(attachment.endpoint.host_ifname, attachment.host_mac, "");
  add(attachment.container_ifname, attachment.container_mac, netns);
  return interfaces;
}

Json encode_ips(const Attachment& attachment, std::size_t interface, const Version& version) {
  Json ips = Json::array();
  for (const Cidr& address : attachment.endpoint.addresses) {
    Json object{{"address", address.to_string()}, {"interface", interface}};
    if (const IpAddress* gateway = gateway_of(attachment, address.family()); gateway != nullptr)
      object["gateway"] = gateway->to_string();
    if (version.address_version) object["version"] = address.is_v4() ? "4" : "6";
    ips.push_back(std::move(object));
  }
  return ips;
}

Json encode_lists(const Attachment& attachment, const std::string& netns, const Version& version) {
  Json object{{"interfaces", encode_interfaces(attachment, netns, version)}};
  Json ips = encode_ips(attachment, object["interfaces"].size() - 1, version);
  if (!ips.empty()) object["ips"] = std::move(ips);
  for (const network::Route& route : attachment.routes)
    object["routes"].push_back(encode_route(route, version));
  return object;
}

// ---- 0.1.0 and 0.2.0

Json encode_family(const Attachment& attachment, const Cidr& address, const Version& version) {
  Json object{{"ip", address.to_string()}};
  if (const IpAddress* gateway = gateway_of(attachment, address.family()); gateway != nullptr)
    object["gateway"] = gateway->to_string();
  for (const network::Route& route : attachment.routes)
    if (route.destination.family() == address.family())
      object["routes"].push_back(encode_route(route, version));
  return object;
}

Json encode_pair(const Attachment& attachment, const Version& version) {
  Json object = Json::object();
  for (const Cidr& address : attachment.endpoint.addresses)
    object[address.is_v4() ? "ip4" : "ip6"] = encode_family(attachment, address, version);
  return object;
}

}  // namespace

Decoded<std::string> encode_result(const Attachment& attachment, const network::Dns& dns,
                                   const std::string& netns, const Version& version) {
  if (!version.lists && attachment.endpoint.addresses.empty())
    return fail(Failure{ErrorCode::kConfiguration,
                        fmt::format("a result of version {} must have an address, but the network "
                                    "has no subnet; use cniVersion 0.3.0 or newer",
                                    version.text),
                        ""});
  Json object =
      version.lists ? encode_lists(attachment, netns, version) : encode_pair(attachment, version);
  object["cniVersion"] = version.text;
  if (Json section = encode_dns(dns); !section.empty()) object["dns"] = std::move(section);
  return json::dump(object) + "\n";
}

std::string encode_versions(const std::string& version_text) {
  Json supported = Json::array();
  for (const Version& version : versions()) supported.push_back(version.text);
  return json::dump({{"cniVersion", version_text}, {"supportedVersions", std::move(supported)}}) +
         "\n";
}

}  // namespace fairlead::cni
