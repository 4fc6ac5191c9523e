// The CNI codec on any bytes: the environment, one variable per line, then an empty line, then
// stdin. Whatever comes in, it is a request made of valid values or a failure that prints as JSON;
// the thin client's readers take the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json/json.h"
#include "plugin-api/cni/codec.h"
#include "plugin-api/cni/ipam.h"
#include "plugin-api/thin/cni_text.h"

namespace {

using namespace fairlead;

void must(bool condition) {
  if (!condition) std::abort();
}

// "<digit><value>": the digit names the variable; so a mutation hits a variable rather than a typo
// in its name.
cni::Environment environment_of(std::string_view lines) {
  cni::Environment environment{.command = "ADD",
                               .container_id = "web",
                               .netns = "/run/netns/web",
                               .ifname = "eth0",
                               .path = "/bin"};
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (line.empty()) continue;
    const auto index =
        static_cast<std::size_t>(static_cast<unsigned char>(line[0])) % cni::variables().size();
    environment.*cni::variables()[index].field = line.substr(1);
  }
  return environment;
}

void check_request(const cni::Request& request) {
  must(request.version != nullptr);
  if (request.invocation.verb == cni::Verb::kVersion) return;
  must(!request.name.empty());
  must(NetworkName::parse(request.network_name().str()).has_value());
  if (request.invocation.verb != cni::Verb::kAdd) return;
  must(request.endpoint.id.size() == 32);
  must(request.endpoint.addresses.size() <= 2);
  must(request.network.subnets.size() <= 2);
  for (const network::PortSpec& port : request.endpoint.ports)
    must(port.host_port != 0 && port.container_port != 0);
  for (const network::SubnetSpec& subnet : request.network.subnets) {
    must(subnet.subnet.has_value() && subnet.subnet->network() == *subnet.subnet);
    if (subnet.range) must(subnet.subnet->contains(*subnet.range));
  }
}

void check_client(std::string_view bytes) {
  const client::Text text(bytes.data(), bytes.size());
  (void)client::version_of(text);
  (void)client::only_version(text);
  const client::Answer answer = client::parse_answer(text, "x-cni-exit:");
  must(!answer.complete || answer.body.size <= bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_client(bytes);
  if (const auto result = cni::decode_ipam_result(bytes)) must(!result->addresses.empty());
  const auto end = bytes.find("\n\n");
  const std::string_view lines =
      end == std::string_view::npos ? std::string_view() : bytes.substr(0, end);
  const std::string_view input = end == std::string_view::npos ? bytes : bytes.substr(end + 2);
  const auto request = cni::decode(environment_of(lines), input);
  if (request)
    check_request(*request);
  else
    must(json::parse(cni::encode_failure(request.error(), cni::answer_version(input).text))
             .has_value());
  return 0;
}
