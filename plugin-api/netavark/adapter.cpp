#include "plugin-api/netavark/adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/rollback.h"
#include "plugin-api/netavark/drop_in_create.h"

namespace fairlead::netavark {

namespace {

using json::Json;
using network::NetworkService;

constexpr const char* kVersion = FAIRLEAD_NETAVARK_VERSION;

// The text that a verb prints on success.
using Answer = Result<std::string>;

// ---- setup

class Setup {
 public:
  Setup(const Request& request, const Call& call, const Services& services)
      : request_(request), call_(call), services_(services) {}

  // One status, or one by the name of each network.
  Answer run() {
    TRY(const UniqueFd container, open_container());
    if (request_.connections.drop_in) TRY_STATUS(call_.bring_up_loopback(container.get()));
    Rollback undo;
    Json statuses = Json::object();
    for (const Connection& connection : request_.connections.all) {
      TRY(auto status, connect(connection, container.get(), undo));
      statuses[connection.options.network] = std::move(status);
      fault_point("netavark.setup.connected");
    }
    if (call_.hung_up())
      return fail(Code::kUnavailable, "the caller hung up: nothing was attached");
    undo.commit();
    if (request_.connections.drop_in) return json::dump(statuses) + "\n";
    return json::dump(statuses.members().front().value) + "\n";
  }

 private:
  Result<UniqueFd> open_container() const {
    TRY(auto container, call_.netns.open(request_.invocation.netns));
    if (call_.netns.is_own(container.get()))
      return fail(Code::kInvalid, "{} is the network namespace of the host itself",
                  request_.invocation.netns);
    return container;
  }

  Result<Json> connect(const Connection& connection, int netns_fd, Rollback& undo) {
    if (is_plugins(connection.network.driver)) return connect_by_plugin(connection, undo);
    const auto ref = endpoint_ref(request_.connections.container, connection);
    TRY(const auto turn, services_.networks.take_turn(ref.id));
    if (call_.hung_up())
      return fail(Code::kUnavailable, "the caller hung up: nothing was attached");
    auto attached = attach(connection, netns_fd);
    // The last container of a network may have left it since it was found.
    if (!attached && attached.error().code == Code::kNotFound)
      attached = attach(connection, netns_fd);
    if (!attached) {
      release(connection);
      return fail(attached.error());
    }
    undo.push([this, ref, &connection] {
      log_failure("undo setup", services_.networks.remove_endpoint(ref));
      release(connection);
    });
    TRY_STATUS(name_host_side(connection, *attached));
    return encode_status(*attached);
  }

  Result<network::Attachment> attach(const Connection& connection, int netns_fd) {
    Networks networks(services_.networks, services_.names, services_.surroundings);
    TRY(const auto network,
        networks.ensure(connection.network, request_.invocation.network_folder));
    fault_point("netavark.setup.network");
    TRY(const auto traits, services_.networks.traits(network.options));
    const bool takes_ports = !network.internal && traits.no_ports.empty();
    TRY(auto spec, endpoint_spec(request_.connections, connection, network, takes_ports));
    spec.netns_path = request_.invocation.netns;
    spec.digest = hash_hex(request_.connections.digest + request_.invocation.netns, 32);
    TRY(const auto ifname, IfName::parse(connection.options.interface));
    const network::IntoNetns placement{netns_fd, ifname};
    auto attached = services_.networks.attach(spec, placement);
    if (attached || attached.error().code != Code::kExists) return attached;
    // Of an earlier call, whose teardown was lost.
    const network::EndpointRef ref{spec.network, spec.id};
    if (!services_.networks.inspect_endpoint(ref)) return attached;
    TRY_STATUS(services_.networks.remove_endpoint(ref));
    return services_.networks.attach(spec, placement);
  }

  Status name_host_side(const Connection& connection, const network::Attachment& attached) const {
    TRY(const auto name, host_name(connection.options));
    if (!name || attached.host_links.empty()) return {};
    return call_.name_link(attached.host_links.back().name, *name);
  }

  Result<Json> connect_by_plugin(const Connection& connection, Rollback& undo) {
    const std::string input = plugin_input(request_.connections, connection);
    const auto ask = [this, &connection, input](const char* verb) {
      return ask_plugin(connection.network.driver, request_.invocation.plugin_folders,
                        {verb, request_.invocation.netns}, input, call_.run_plugin);
    };
    TRY(const std::string out, ask("setup"));
    undo.push([ask] { log_failure("undo setup", status_of(ask("teardown"))); });
    auto status = json::parse(out);
    if (status && status->is_object()) return std::move(*status);
    return fail(Code::kIo, "plugin \"{}\": its answer is not a JSON object",
                connection.network.driver);
  }

  static void log_failure(const char* what, const Status& done) {
    if (!done) log::error(fmt::format("netavark: {}", what), {{"error", done.error().text}});
  }

  void release(const Connection& connection) {
    Networks networks(services_.networks, services_.names, services_.surroundings);
    log_failure("let go of a network", networks.release(connection.network));
  }

  const Request& request_;
  const Call& call_;
  const Services& services_;
};

// ---- teardown

Status disconnect(const Request& request, const Connection& connection, const Call& call,
                  const Services& services) {
  if (is_plugins(connection.network.driver))
    return status_of(ask_plugin(connection.network.driver, request.invocation.plugin_folders,
                                {"teardown", request.invocation.netns},
                                plugin_input(request.connections, connection), call.run_plugin));
  const auto ref = endpoint_ref(request.connections.container, connection);
  TRY(const auto turn, services.networks.take_turn(ref.id));
  const Status removed = services.networks.remove_endpoint(ref);
  if (!removed && removed.error().code != Code::kNotFound) return removed;
  fault_point("netavark.teardown.removed");
  return Networks(services.networks, services.names, services.surroundings)
      .release(connection.network);
}

Answer tear_down(const Request& request, const Call& call, const Services& services) {
  std::string failures;
  Error first;
  for (const Connection& connection : request.connections.all) {
    const Status done = disconnect(request, connection, call, services);
    if (done) continue;
    if (failures.empty()) first = done.error();
    failures += (failures.empty() ? "" : "; ") + done.error().text;
  }
  if (failures.empty()) return std::string();
  first.text = std::move(failures);
  return fail(std::move(first));
}

// ---- create

Json subnets_of(const network::Network& made, const Network& asked) {
  Json subnets = Json::array();
  for (const network::Subnet& each : made.subnets) {
    Subnet subnet{.subnet = each.subnet, .gateway = each.gateway};
    const auto same = std::ranges::find(asked.subnets, each.subnet, &Subnet::subnet);
    if (same != asked.subnets.end()) {
      subnet.start = same->start;
      subnet.end = same->end;
    }
    subnets.push_back(encode_subnet(subnet));
  }
  return subnets;
}

// Podman checks the subnets of the answer against the host's interfaces as they were before the call: it
// finds those of a joined network there, and those of one that has just been removed.
Result<bool> may_show_subnets(const Network& network, Networks& networks) {
  TRY(const std::size_t collected, networks.collect());
  return collected == 0 && !network.options.contains("network");
}

Answer create_network(const Creation& creation, const Request& request, const Services& services) {
  Network network = creation.network;
  if (network.ipam_driver() == "dhcp")
    return fail(Code::kUnsupported,
                "network {}: Fairlead gives out the addresses; leave out --ipam-driver",
                network.name);
  add_dns_options(network);
  Networks networks(services.networks, services.names, services.surroundings);
  TRY(const bool shown, may_show_subnets(network, networks));
  TRY(const auto made, networks.ensure(network, request.invocation.network_folder));
  Json document = creation.document;
  document["subnets"] = subnets_of(made, network);
  if (!shown) document.erase("subnets");
  if (!network.options.empty()) document["options"] = Json(network.options);
  document["ipam_options"] = Json{{"driver", "none"}};
  document["ipv6_enabled"] = shown && made.has(Family::kV6);
  document["dns_enabled"] = false;
  document.erase("network_dns_servers");
  return json::dump(document) + "\n";
}

Result<std::vector<Cidr>> subnets_in_use(NetworkService& service) {
  TRY(const auto networks, service.list_networks());
  std::vector<Cidr> subnets;
  for (const network::NetworkUsage& usage : networks)
    for (const network::Subnet& subnet : usage.network.subnets) subnets.push_back(subnet.subnet);
  return subnets;
}

Answer create(const Request& request, const Call& call, const Services& services) {
  const Creation& creation = request.creation;
  const std::string& driver = creation.network.driver;
  if (creation.drop_in && creation.used_names.contains(creation.network.name))
    return fail(Code::kExists, "network already exists: {}", creation.network.name);
  // Whatever file name the plugin was installed under is the driver.
  if (!creation.drop_in || driver == kOwnDriver) return create_network(creation, request, services);
  if (is_plugins(driver))
    return ask_plugin(driver, request.invocation.plugin_folders, {"create"},
                      json::dump(creation.document), call.run_plugin);
  TRY(const auto occupied, subnets_in_use(services.networks));
  TRY(const Json document, complete(creation, occupied));
  return json::dump(document) + "\n";
}

// ---- the others

Answer update(const Invocation& invocation, NetworkService& service) {
  TRY(const auto networks, service.list_networks());
  for (const network::NetworkUsage& usage : networks) {
    const network::Network& network = usage.network;
    const auto file = network.labels.find(kFileLabel);
    if (file == network.labels.end() || network::title_of(network) != invocation.network) continue;
    TRY_STATUS(service.set_dns_servers(network::NetworkId{network.id}, invocation.dns_servers));
  }
  return std::string();
}

Answer reload(NetworkService& service) {
  TRY(const auto report, service.reconcile());
  if (report.failures.empty()) return std::string();
  return fail(Code::kIo, "{}", fmt::join(report.failures, "; "));
}

// What is said about the program, without the services.
std::optional<Answer> about(Command command) {
  switch (command) {
    case Command::kInfo:
      return json::dump({{"version", FAIRLEAD_VERSION}, {"api_version", "1.0.0"}}) + "\n";
    case Command::kProgramVersion:
      return fmt::format("netavark {}\n", kVersion);
    case Command::kVersion:
      return json::dump({{"version", kVersion},
                         {"commit", fmt::format("fairlead {}", FAIRLEAD_VERSION)},
                         {"build_time", ""},
                         {"target", ""},
                         {"default_fw_driver", "nftables"}}) +
             "\n";
    case Command::kDhcpProxy:
      return fail(
          Code::kUnsupported,
          "dhcp-proxy: addresses by DHCP are not supported; use --ipam-driver host-local, or "
          "netavark itself");
    case Command::kFirewalldReload:
      return fail(Code::kUnsupported,
                  "firewalld-reload: nothing to do, since fairleadd mends its rules by itself");
    default:
      return std::nullopt;
  }
}

Answer perform_verb(const Request& request, const Call& call, const Services& services) {
  switch (request.invocation.command) {
    case Command::kSetup:
      return Setup(request, call, services).run();
    case Command::kTeardown:
      return tear_down(request, call, services);
    case Command::kCreate:
      return create(request, call, services);
    case Command::kUpdate:
      return update(request.invocation, services.networks);
    default:
      return reload(services.networks);
  }
}

Outcome outcome_of(const Answer& answer) {
  if (answer) return {.out = *answer};
  return failed(answer.error());
}

Result<Request> read_request(const Call& call, Invocation invocation) {
  Request request{.invocation = std::move(invocation)};
  const Command command = request.invocation.command;
  if (command == Command::kSetup || command == Command::kTeardown) {
    TRY(request.connections, decode_connections(call.input));
  }
  if (command == Command::kCreate) {
    TRY(request.creation, decode_creation(call.input));
  }
  // A plugin's own documents are Fairlead's, by whatever name it is installed.
  if (!request.connections.drop_in)
    for (Connection& connection : request.connections.all) connection.network.driver = kOwnDriver;
  if (!request.creation.drop_in) request.creation.network.driver = kOwnDriver;
  return request;
}

// A network of another driver than Fairlead's or Podman's own is its plugin's.
constexpr std::string_view kRootless =
    "rootless Podman has its own network namespace, which is not Fairlead's: run Podman as root "
    "(sudo "
    "podman ...), or use a network of the driver bridge or pasta (podman run --network pasta)";

}  // namespace

std::string Request::plugin() const {
  for (const Connection& connection : connections.all)
    if (is_plugins(connection.network.driver)) return connection.network.driver;
  const bool creates = invocation.command == Command::kCreate && creation.drop_in;
  return creates && is_plugins(creation.network.driver) ? creation.network.driver : "";
}

Prepared prepare(const Call& call) {
  auto invocation = check_environment(call.environment);
  if (!invocation) return {.outcome = failed(invocation.error())};
  if (auto said = about(invocation->command)) return {.outcome = outcome_of(*said)};
  if (call.environment.rootless)
    return {.outcome = failed({Code::kUnsupported, 0, std::string(kRootless)})};
  auto request = read_request(call, std::move(*invocation));
  if (!request) return {.outcome = failed(request.error())};
  return {.request = std::move(*request)};
}

Outcome perform(const Request& request, const Call& call, const Services& services) {
  return outcome_of(perform_verb(request, call, services));
}

Outcome run(const Call& call, const Services& services) {
  const Prepared prepared = prepare(call);
  if (!prepared.request) return prepared.outcome;
  return perform(*prepared.request, call, services);
}

Outcome failed(const Error& error) { return {.exit_code = 1, .out = encode_failure(error)}; }

}  // namespace fairlead::netavark
