// netavark's codec on any bytes: the arguments, one per line, then an empty line, then stdin. Whatever comes
// in, it is made of valid values or refused with a text that prints as JSON; the thin client's reader
// takes the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/netavark/codec.h"
#include "plugin-api/netavark/drop_in_create.h"
#include "plugin-api/netavark/specs.h"
#include "plugin-api/thin/netavark_arguments.h"

namespace {

using namespace fairlead;

void must(bool condition) {
  if (!condition) std::abort();
}

void must_print(const Error& error) {
  must(json::parse(netavark::encode_failure(error)).has_value());
}

void check_arguments(std::string_view lines) {
  std::vector<std::string> arguments;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(line.size() == lines.size() ? lines.size() : line.size() + 1);
    if (!line.empty() && line.find('\0') == std::string_view::npos) arguments.emplace_back(line);
  }
  client::NetavarkReader reader;
  for (const std::string& argument : arguments) reader.take(argument.c_str());
  const auto thin = reader.result();
  const auto whole = netavark::read_arguments(arguments);
  if (!whole) return must_print(whole.error());
  if (whole->command != "dhcp-proxy" && !thin.others)
    must(std::string(thin.command.data == nullptr ? "" : thin.command.data, thin.command.size) ==
         whole->command);
  if (const auto checked = netavark::check_environment(*whole); !checked)
    must_print(checked.error());
}

void check_network(const netavark::Network& network) {
  must(NetworkName::parse(network.name).has_value());
  must(network.id.size() == 64);
  const auto spec = netavark::network_spec(network, "/n");
  if (!spec) return must_print(spec.error());
  for (const network::SubnetSpec& subnet : spec->subnets) {
    must(subnet.subnet.has_value() && subnet.subnet->network() == *subnet.subnet);
    if (subnet.range) must(subnet.subnet->contains(*subnet.range));
  }
}

void check_connections(const netavark::Connections& call) {
  for (const netavark::Connection& connection : call.all) {
    check_network(connection.network);
    must(IfName::parse(connection.options.interface).has_value());
    const auto spec = netavark::endpoint_spec(call, connection, network::Network(), true);
    if (!spec) must_print(spec.error());
    if (!spec) continue;
    must(spec->id.size() == 32);
    for (const network::PortSpec& port : spec->ports)
      must(port.host_port_end == 0 || port.host_port_end >= port.host_port);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto end = bytes.find("\n\n");
  check_arguments(bytes.substr(0, end));
  const std::string_view input = end == std::string_view::npos ? bytes : bytes.substr(end + 2);
  if (const auto call = netavark::decode_connections(input))
    check_connections(*call);
  else
    must_print(call.error());
  if (const auto creation = netavark::decode_creation(input)) {
    check_network(creation->network);
    if (const auto made = netavark::complete(*creation, {}); !made) must_print(made.error());
  } else {
    must_print(creation.error());
  }
  return 0;
}
