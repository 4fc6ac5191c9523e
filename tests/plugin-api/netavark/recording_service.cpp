#include "tests/plugin-api/netavark/recording_service.h"

#include <fcntl.h>

#include "tests/plugin-api/described.h"

namespace fairlead::testing {

using json::Json;

PodmanService::~PodmanService() = default;
PodmanService::PodmanService() {
  ON_CALL(*this, create_network).WillByDefault([this](const auto& spec) { return create(spec); });
  ON_CALL(*this, traits).WillByDefault([](const auto& options) {
    network::NetworkTraits traits;
    if (options.mode == "macvlan") traits.no_ports = "they are on the wire";
    return Result<network::NetworkTraits>(traits);
  });
  ON_CALL(*this, inspect_network)
      .WillByDefault([this](const auto& ref) -> Result<network::Network> {
        const network::Network* found = find(ref);
        if (found == nullptr)
          return fail(Code::kNotFound, "network {} does not exist", to_string(ref));
        return *found;
      });
  ON_CALL(*this, list_networks).WillByDefault([this] {
    std::vector<network::NetworkUsage> usages;
    for (const auto& [id, network] : networks) usages.push_back({network, endpoints_on(id)});
    return Result<std::vector<network::NetworkUsage>>(usages);
  });
  ON_CALL(*this, is_bound).WillByDefault([this](const auto& id) {
    return Result<bool>(bindings.contains(id));
  });
  ON_CALL(*this, bind_network)
      .WillByDefault([this](const auto& id, const auto& name) -> Result<network::Network> {
        const network::Network* found = find(name);
        if (found == nullptr) return fail(Code::kNotFound, "network {} does not exist", name.str());
        calls.push_back({{"bind", {{"id", id.substr(0, 4)}, {"network", name.str()}}}});
        bindings[id] = found->id;
        return *found;
      });
  ON_CALL(*this, unbind_network).WillByDefault([this](const auto& id) { return unbind(id); });
  ON_CALL(*this, release_network).WillByDefault([this](const auto& id) -> Result<bool> {
    const auto bound = bindings.find(id);
    if (bound == bindings.end()) return true;
    if (endpoints_on(bound->second) != 0) return false;
    TRY_STATUS(unbind(id));
    return true;
  });
  ON_CALL(*this, take_turn).WillByDefault([](const auto&) {
    return Result<network::Turn>(std::make_shared<const int>(0));
  });
  ON_CALL(*this, attach).WillByDefault([this](const auto& spec, const auto& placement) {
    return attach_to(spec, placement);
  });
  ON_CALL(*this, inspect_endpoint)
      .WillByDefault([this](const auto& ref) -> Result<network::Endpoint> {
        const network::Network* on = find(ref.network);
        if (on == nullptr || !endpoints.contains(on->id + "/" + ref.id))
          return fail(Code::kNotFound, "endpoint does not exist");
        return network::Endpoint{.id = ref.id};
      });
  ON_CALL(*this, remove_endpoint).WillByDefault([this](const auto& ref) { return remove(ref); });
  ON_CALL(*this, set_dns_servers).WillByDefault([this](const auto& ref, const auto& servers) {
    calls.push_back(
        {{"set_dns_servers", {{"network", to_string(ref)}, {"servers", texts(servers)}}}});
    return Status();
  });
}

std::size_t PodmanService::endpoints_on(const std::string& network_id) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      endpoints, [&](const std::string& key) { return key.starts_with(network_id + "/"); }));
}

network::Network* PodmanService::find(const network::NetworkRef& ref) {
  const std::string& text = to_string(ref);
  if (const auto bound = bindings.find(text); bound != bindings.end())
    return &networks[bound->second];
  for (auto& [id, network] : networks)
    if (id == text || network.name.str() == text) return &network;
  return nullptr;
}

network::Network& PodmanService::has_network(const std::string& name, const std::string& subnet) {
  const network::SubnetSpec spec{.family = Cidr::parse(subnet)->family(),
                                 .subnet = *Cidr::parse(subnet)};
  const std::string id = "id-of-" + name;
  networks[id] = {.id = id, .name = *NetworkName::parse(name), .subnets = {make_subnet(spec)}};
  return networks[id];
}

const Json* PodmanService::call(const std::string& verb) const {
  for (const Json& made : calls)
    if (made.contains(verb)) return &made[verb];
  return nullptr;
}

std::size_t PodmanService::count(const std::string& verb) const {
  return static_cast<std::size_t>(std::count_if(
      calls.begin(), calls.end(), [&](const Json& made) { return made.contains(verb); }));
}

netavark::Services PodmanService::services() {
  return {.networks = *this,
          .surroundings = {.read_file = [this](const std::string& path) -> Result<std::string> {
                             const auto found = files.find(path);
                             if (found == files.end()) return fail(Code::kNotFound, "no {}", path);
                             return found->second;
                           },
                           .unix_time = [this] { return now; }}};
}

Result<network::Network> PodmanService::create(const network::NetworkSpec& spec) {
  if (const network::Network* there = find(spec.name)) {
    if (there->id == spec.id && there->options == spec.options) return *there;
    return fail(Code::kConflict, "create network {}: a network of that name exists",
                spec.name.str());
  }
  for (const auto& [id, other] : networks)
    for (const network::Subnet& taken : other.subnets)
      for (const network::SubnetSpec& wanted : spec.subnets)
        if (wanted.subnet && wanted.subnet->overlaps(taken.subnet))
          return fail(Code::kExists, "subnet {} is network {}'s", wanted.subnet->to_string(),
                      other.name.str());
  calls.push_back({{"create_network", describe(spec)}});
  network::Network made{.id = spec.id,
                        .name = spec.name,
                        .options = spec.options,
                        .internal = spec.internal,
                        .address_source = spec.address_source,
                        .labels = spec.labels,
                        .created = now};
  for (const auto& subnet : spec.subnets) made.subnets.push_back(make_subnet(subnet));
  if (made.subnets.empty() && spec.address_source == network::AddressSource::kFairlead)
    made.subnets.push_back(make_subnet({}));
  if (spec.ipv6 && !made.has(Family::kV6)) made.subnets.push_back(make_subnet({Family::kV6}));
  networks[spec.id] = made;
  return made;
}

Result<network::Attachment> PodmanService::attach_to(const network::EndpointSpec& spec,
                                                     const network::Placement& placement) {
  calls.push_back({{"attach", describe(spec)}});
  const network::Network* found = find(spec.network);
  if (found == nullptr)
    return fail(Code::kNotFound, "network {} does not exist", to_string(spec.network));
  if (!endpoints.insert(found->id + "/" + spec.id).second)
    return fail(Code::kExists, "endpoint {} exists", spec.id);
  network::Attachment made{.container_ifname = std::get<network::IntoNetns>(placement).ifname};
  for (const auto& subnet : found->subnets) {
    made.endpoint.addresses.push_back(address_in(subnet, spec));
    if (!found->internal) made.endpoint.gateways.push_back(*subnet.gateway);
  }
  made.container_mac = spec.mac.value_or(*MacAddress::parse("02:00:00:00:00:01"));
  return made;
}

Status PodmanService::remove(const network::EndpointRef& ref) {
  calls.push_back({{"remove_endpoint", describe(ref)}});
  if (const network::Network* on = find(ref.network)) endpoints.erase(on->id + "/" + ref.id);
  return {};
}

Status PodmanService::unbind(const std::string& runtime_id) {
  const auto bound = bindings.find(runtime_id);
  if (bound == bindings.end()) return {};
  calls.push_back({{"unbind", runtime_id.substr(0, 4)}});
  const std::string id = bound->second;
  bindings.erase(bound);
  const bool others =
      std::ranges::any_of(bindings, [&](const auto& each) { return each.second == id; });
  if (!others && endpoints_on(id) == 0 && networks[id].labels.contains(network::kMadeForLabel))
    networks.erase(id);
  return {};
}

netavark::Call netavark_call(const std::string& command, const Json& document,
                             const std::string& netns) {
  netavark::Call call{.input = document.dump()};
  call.environment.command = command;
  if (command == "setup" || command == "teardown") call.environment.netns = netns;
  call.netns.open = [](const std::string& path) -> Result<UniqueFd> {
    if (path == "/run/netns/gone")
      return fail(Code::kNotFound, "open network namespace {}: No such file or directory", path);
    return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  };
  call.netns.is_own = [own = netns == "/run/netns/own"](int) { return own; };
  call.bring_up_loopback = [](int) { return Status(); };
  call.name_link = [](const auto&, const auto&) { return Status(); };
  return call;
}

Json podmans_network(const std::string& driver) {
  return {{"name", "shop"},    {"id", kPodmanId},       {"driver", driver},
          {"internal", false}, {"ipv6_enabled", false}, {"dns_enabled", true}};
}

Json plugin_document(const Json& network) {
  Json document{{"container_id", std::string(64, 'c')}, {"container_name", "web"}};
  document["port_mappings"] = nullptr;
  document["network"] = network;
  document["network_options"] = {{"interface_name", "eth0"}, {"static_ips", nullptr}};
  return document;
}

Json drop_in_document(const Json& network) {
  Json document{{"container_id", std::string(64, 'c')}, {"container_name", "web"}};
  Json options = Json::object(), infos = Json::object();
  options["shop"] = {{"interface_name", "eth0"}, {"static_ips", Json::array({"10.89.0.2"})}};
  infos["shop"] = network;
  document["networks"] = options;
  document["network_info"] = infos;
  return document;
}

}  // namespace fairlead::testing
