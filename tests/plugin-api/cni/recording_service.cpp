#include "tests/plugin-api/cni/recording_service.h"

#include <fcntl.h>

#include "tests/plugin-api/described.h"

namespace fairlead::testing {

using json::Json;

RecordingService::~RecordingService() = default;
RecordingService::RecordingService() {
  using ::testing::Return;
  ON_CALL(*this, create_network).WillByDefault([this](const auto& spec) { return create(spec); });
  ON_CALL(*this, inspect_network).WillByDefault([this](const auto& ref) { return inspect(ref); });
  ON_CALL(*this, attach).WillByDefault([this](const auto& spec, const auto& placement) {
    return attach_to(spec, placement);
  });
  ON_CALL(*this, inspect_endpoint)
      .WillByDefault(Return(fail(Code::kNotFound, "endpoint does not exist")));
  ON_CALL(*this, give_addresses)
      .WillByDefault([this](const auto& ref, const auto& given, const auto& inside) {
        return give(ref, given, inside);
      });
  ON_CALL(*this, remove_endpoint).WillByDefault([this](const auto& ref) {
    calls.push_back({{"remove_endpoint", describe(ref)}});
    return Status();
  });
  ON_CALL(*this, check).WillByDefault([this](const auto& ref, const auto& expected) {
    calls.push_back({{"check", {{"endpoint", describe(ref)}, {"expected", describe(expected)}}}});
    return Status();
  });
  ON_CALL(*this, collect).WillByDefault([this](const auto& ref, const auto& runtime, auto valid) {
    Json list = Json::array();
    for (const auto& attachment : valid)
      list.push_back({{"container", attachment.container}, {"ifname", attachment.ifname}});
    calls.push_back(
        {{"collect", {{"network", to_string(ref)}, {"runtime", runtime}, {"valid", list}}}});
    return Result<std::size_t>(std::size_t{0});
  });
}

void RecordingService::has_network(const std::string& name, const std::string& subnet) {
  const network::SubnetSpec spec{.family = Cidr::parse(subnet)->family(),
                                 .subnet = *Cidr::parse(subnet)};
  networks[name] = {.name = *NetworkName::parse(name), .subnets = {make_subnet(spec)}};
}

const Json* RecordingService::call(const std::string& verb) const {
  for (const Json& made : calls)
    if (made.contains(verb)) return &made[verb];
  return nullptr;
}

Result<network::Network> RecordingService::create(const network::NetworkSpec& spec) {
  calls.push_back({{"create_network", describe(spec)}});
  network::Network made{.name = spec.name, .options = spec.options, .internal = spec.internal};
  for (const auto& subnet : spec.subnets) made.subnets.push_back(make_subnet(subnet));
  if (made.subnets.empty()) made.subnets.push_back(make_subnet({}));
  networks[spec.name.str()] = made;
  return made;
}

Result<network::Network> RecordingService::inspect(const network::NetworkRef& ref) {
  calls.push_back({{"inspect_network", to_string(ref)}});
  const auto found = networks.find(to_string(ref));
  if (found == networks.end())
    return fail(Code::kNotFound, "network {} does not exist", to_string(ref));
  return found->second;
}

Result<network::Attachment> RecordingService::attach_to(const network::EndpointSpec& spec,
                                                        const network::Placement& placement) {
  calls.push_back({{"attach", describe(spec)}});
  if (!networks.contains(to_string(spec.network)))
    return fail(Code::kNotFound, "network {} does not exist", to_string(spec.network));
  const network::Network& net = networks[to_string(spec.network)];
  network::Attachment made{
      .host_links = {{*IfName::parse("fl-000000000001"), *MacAddress::parse("0a:fa:00:00:00:01")},
                     {*IfName::parse("flh000000000001"), *MacAddress::parse("0a:fa:00:00:00:02")}},
      .container_ifname = std::get<network::IntoNetns>(placement).ifname,
      .mtu = net.options.mtu.value_or(1500)};
  for (const auto& subnet : net.subnets) {
    made.endpoint.addresses.push_back(address_in(subnet, spec));
    if (net.internal) continue;
    made.endpoint.gateways.push_back(*subnet.gateway);
    made.routes.push_back({.destination = Cidr::of(IpAddress::any(subnet.subnet.family()), 0),
                           .via = subnet.gateway});
  }
  made.container_mac =
      spec.mac.value_or(MacAddress::for_ip(made.endpoint.addresses.front().address()));
  made.routes.insert(made.routes.end(), spec.routes.begin(), spec.routes.end());
  return made;
}

Result<network::Attachment> RecordingService::give(const network::EndpointRef& ref,
                                                   const network::GivenAddresses& given,
                                                   const network::IntoNetns& inside) {
  Json routes = Json::array();
  for (const auto& route : given.routes) routes.push_back(describe(route));
  Json asked{
      {"endpoint", describe(ref)}, {"addresses", texts(given.addresses)}, {"routes", routes}};
  for (const auto& port : given.ports) asked["ports"].push_back(describe(port));
  calls.push_back({{"give_addresses", asked}});
  network::Attachment made{.container_ifname = inside.ifname, .routes = given.routes};
  made.endpoint.addresses = given.addresses;
  return made;
}

cni::Call call_of(const Json& environment, std::string input) {
  cni::Call call{.input = std::move(input)};
  call.environment = cni::read_environment([&](const char* name) -> const char* {
    return environment.contains(name) ? environment[name].string().c_str() : nullptr;
  });
  call.netns.open = [](const std::string& path) -> Result<UniqueFd> {
    if (path == "/run/netns/gone")
      return fail(Code::kNotFound, "open network namespace {}: No such file or directory", path);
    return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  };
  call.netns.is_own = [own = call.environment.netns == "/run/netns/own"](int) { return own; };
  return call;
}

cni::Call verb_call(const std::string& verb, Json config) {
  if (!config.contains("name")) config["name"] = "shop";
  if (!config.contains("cniVersion")) config["cniVersion"] = "1.1.0";
  return call_of({{"CNI_COMMAND", verb},
                  {"CNI_CONTAINERID", "web"},
                  {"CNI_NETNS", "/run/netns/web"},
                  {"CNI_IFNAME", "eth0"},
                  {"CNI_PATH", "/opt/cni/bin"}},
                 config.dump());
}

cni::Call add_call(Json config) { return verb_call("ADD", std::move(config)); }

}  // namespace fairlead::testing
