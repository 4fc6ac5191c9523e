// NetworkDriver's bodies: what is accepted keeps the promises of codec_network.h, and answers are
// JSON objects.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "plugin-api/docker/codec_network.h"

namespace fairlead::docker {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

void must_be_object(const std::string& text) {
  const auto answer = json::parse(text);
  must(answer.has_value() && answer->is_object());
}

void must_be_id(const std::string& id) {
  must(!id.empty() && id.size() <= 128);
  must(std::ranges::none_of(id, [](unsigned char c) { return c <= ' ' || c >= 0x7f || c == '/'; }));
}

void create_network(std::string_view body) {
  const auto request = decode_create_network(body);
  if (!request) return must_be_object(encode_error(request.error().text));
  must_be_id(request->network_id);
  for (const IpamData& pool : request->pools) {
    must(pool.subnet.has_value() && pool.subnet->prefix_length() > 0);
    must(!pool.gateway || pool.gateway->family() == pool.subnet->family());
  }
}

void create_endpoint(std::string_view body) {
  const auto request = decode_create_endpoint(body);
  if (!request) return;
  must_be_id(request->endpoint_id);
  must(request->addresses.size() <= 2);
  must_be_object(encode(CreatedInterface{.addresses = request->addresses, .mac = request->mac}));
  Joined joined{.source_name = request->endpoint_id, .destination_prefix = request->network_id};
  for (const Cidr& address : request->addresses) {
    joined.gateways.push_back(address.address());
    joined.routes.push_back({.destination = address.network(), .via = address.address()});
  }
  must_be_object(encode(joined));
}

void ports(std::string_view body) {
  const auto request = decode_ports(body);
  if (!request) return;
  OperationalInfo info{.addresses = {IpAddress::any(Family::kV4), IpAddress::any(Family::kV6)}};
  for (const network::PortSpec& port : request->ports) {
    must(port.container_port > 0);
    must(port.host_port_end == 0 || port.host_port_end >= port.host_port);
    info.ports.push_back({port.proto, port.host_ip, port.host_port, port.container_port});
  }
  must_be_object(encode(info));
}

}  // namespace
}  // namespace fairlead::docker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::docker;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  create_network(body);
  create_endpoint(body);
  ports(body);
  if (const auto request = decode_network(body)) must_be_id(request->network_id);
  if (const auto request = decode_endpoint(body)) must_be_id(request->endpoint_id);
  return 0;
}
