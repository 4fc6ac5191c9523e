// What dockerd answers and tells: what is accepted keeps the bounds that names_codec.h promises.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plugin-api/engine/names_codec.h"

namespace fairlead::engine {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

void must_be_text(std::string_view text) {
  must(text.size() <= kMostNameBytes && text.find('\0') == std::string_view::npos);
}

void check(const network::RuntimeNetwork& network) {
  must(!network.id.empty() && !network.name.empty());
  for (const auto& text : {network.id, network.name, network.project}) must_be_text(text);
}

void check(const network::NamedEndpoint& endpoint) {
  must(!endpoint.network.empty() && !endpoint.endpoint.empty() && !endpoint.container.empty());
  must(!endpoint.names.name.empty() && endpoint.names.name.find('/') == std::string::npos);
  for (const auto& text : {endpoint.network, endpoint.endpoint, endpoint.container,
                           endpoint.names.name, endpoint.names.project, endpoint.names.service})
    must_be_text(text);
  must(endpoint.names.labels.size() <= kMostLabels);
  must(endpoint.names.aliases.size() <= kMostAliases);
  must(endpoint.names.dns_servers.size() <= kMostServers);
  must_be_text(endpoint.names.hostname);
  for (const auto& alias : endpoint.names.aliases) must_be_text(alias);
  for (const auto& [key, value] : endpoint.names.labels)
    must(!key.empty() && key.size() <= kMostLabelKeyBytes && value.size() <= kMostLabelBytes);
}

}  // namespace
}  // namespace fairlead::engine

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::engine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto networks = decode_networks(text))
    for (const auto& network : *networks) check(network);
  if (const auto ids = decode_containers(text))
    for (const auto& id : *ids) must_be_text(id);
  if (const auto endpoints = decode_endpoints(text))
    for (const auto& endpoint : *endpoints) check(endpoint);
  if (const auto event = decode_event(text)) {
    must_be_text(event->network);
    must_be_text(event->container);
  }
  return 0;
}
