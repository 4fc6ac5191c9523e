// Fairlead's own API: any request gets an answer that is JSON (or nothing), and what a decoder
// accepts survives the way there and back.
//
// Input: "METHOD /path?key=value\nbody"; without a newline it is the body of each decoder.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "network/api/options.h"
#include "plugin-api/native/codec.h"
#include "plugin-api/native/native_handler.h"

namespace fairlead {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

// ---- services that answer with what they were asked

class EchoNetworks : public network::NetworkService {
 public:
  Result<network::Network> create_network(const network::NetworkSpec& spec) override {
    network::Network made{
        .id = spec.id, .name = spec.name, .options = spec.options, .internal = spec.internal};
    made.labels = spec.labels;
    return made;
  }
  Result<network::NetworkTraits> traits(const network::NetworkOptions&) override {
    return network::NetworkTraits();
  }
  Status remove_network(const network::NetworkRef& ref) override { return refuse(to_string(ref)); }
  Result<network::Network> inspect_network(const network::NetworkRef& ref) override {
    return fail(Code::kNotFound, "no {}", to_string(ref));
  }
  Result<std::vector<network::NetworkUsage>> list_networks() override {
    return std::vector<network::NetworkUsage>();
  }
  Result<network::Network> bind_network(const std::string&, const NetworkName&) override {
    return network::Network{};
  }
  Status unbind_network(const std::string&) override { return {}; }
  Result<bool> is_bound(const std::string&) override { return false; }
  Result<bool> release_network(const std::string&) override { return true; }
  Status set_dns_servers(const network::NetworkRef&, const std::vector<IpAddress>&) override {
    return {};
  }
  Status reserve_addresses(const network::NetworkRef&,
                           const std::map<std::string, IpAddress>&) override {
    return {};
  }
  Result<network::Network> reserve(const network::NetworkRef&,
                                   const network::Reservation& reservation) override {
    network::Network network;
    network.reservations.push_back(reservation);
    return network;
  }
  Result<network::Network> unreserve(const network::NetworkRef&, const IpAddress&) override {
    return network::Network();
  }
  Result<std::vector<network::AddressLease>> list_leases(
      const std::optional<network::NetworkRef>&) override {
    return std::vector<network::AddressLease>(1);
  }
  Status release_lease(const IpAddress& address, bool) override {
    return refuse(address.to_string());
  }
  Status check_room(const network::EndpointSpec&) override { return {}; }
  Result<network::Turn> take_turn(const std::string&) override { return network::Turn(); }
  Result<network::Endpoint> create_endpoint(const network::EndpointSpec&) override {
    return network::Endpoint{};
  }
  Result<network::Attachment> join(const network::EndpointRef&,
                                   const network::Placement&) override {
    return network::Attachment{};
  }
  Result<network::Attachment> give_addresses(const network::EndpointRef&,
                                             const network::GivenAddresses&,
                                             const network::IntoNetns&) override {
    return network::Attachment{};
  }
  Result<network::Attachment> attach(const network::EndpointSpec& spec,
                                     const network::Placement&) override {
    network::Attachment made;
    made.endpoint.id = spec.id;
    made.endpoint.addresses = spec.addresses;
    made.endpoint.aliases = spec.aliases;
    return made;
  }
  Status leave(const network::EndpointRef&) override { return {}; }
  Status remove_endpoint(const network::EndpointRef& ref) override { return refuse(ref.id); }
  Result<std::vector<network::PublishedPort>> publish(
      const network::EndpointRef&, std::span<const network::PortSpec> ports) override {
    std::vector<network::PublishedPort> published;
    for (const auto& port : ports)
      published.push_back({port.proto, port.host_ip, port.host_port, port.container_port});
    return published;
  }
  Status unpublish(const network::EndpointRef&) override { return {}; }
  Result<std::vector<network::PublishedPort>> change_ports(
      const network::EndpointRef& endpoint, const network::PortChange& change) override {
    return publish(endpoint, change.add);
  }
  Result<network::Endpoint> inspect_endpoint(const network::EndpointRef& ref) override {
    network::Endpoint found;
    found.id = ref.id;
    return found;
  }
  Result<std::vector<network::Endpoint>> list_endpoints(
      const std::optional<network::NetworkRef>& ref) override {
    network::Endpoint found;
    if (ref) found.container = to_string(*ref);
    return std::vector{found};
  }
  Result<std::vector<network::PortHolder>> list_ports() override {
    return std::vector<network::PortHolder>(1);
  }
  Status check(const network::EndpointRef&, const network::Expectation&) override { return {}; }
  Result<std::size_t> collect(const network::NetworkRef&, const std::string&,
                              std::span<const network::ValidAttachment>) override {
    return std::size_t{0};
  }
  Status set_endpoint_labels(const network::EndpointRef&,
                             const std::map<std::string, std::string>&) override {
    return {};
  }
  Result<network::Policy> add_policy(const network::PolicySpec& spec, bool) override {
    return network::Policy{.id = "1", .spec = spec};
  }
  Result<std::vector<network::Policy>> list_policies() override {
    return std::vector<network::Policy>(1);
  }
  Result<network::Policy> inspect_policy(const std::string& id) override {
    return network::Policy{.id = id, .spec = {}};
  }
  Status remove_policy(const std::string& id) override { return refuse(id); }
  Result<network::ServiceStatus> status() override { return network::ServiceStatus{}; }
  Result<network::ReconcileReport> reconcile() override { return network::ReconcileReport{}; }

 private:
  static Status refuse(const std::string& text) { return fail(Code::kInUse, "{} is in use", text); }
};

class EchoVolumes : public volume::VolumeService {
 public:
  Result<volume::Volume> create(const volume::VolumeSpec& spec, const volume::Progress&) override {
    volume::Volume made;
    made.name = spec.name;
    made.options = spec.options;
    made.labels = spec.labels;
    return made;
  }
  Status remove(const std::string&) override { return {}; }
  Result<volume::Volume> mount(const std::string&, const std::string& client,
                               const std::string& id) override {
    volume::Volume mounted;
    mounted.mounts = {{client, id, 1}};
    return mounted;
  }
  Status unmount(const std::string&, const std::string&, const std::string&) override { return {}; }
  Result<volume::Volume> inspect(const std::string& name) override {
    volume::Volume found;
    auto parsed = VolumeName::parse(name);
    if (!parsed) return fail(parsed.error());
    found.name = *parsed;
    return found;
  }
  Result<std::vector<volume::Volume>> list() override { return std::vector<volume::Volume>(1); }
  Result<volume::VolumeStatus> status(const volume::Volume&) override {
    return volume::VolumeStatus{};
  }
  Result<volume::ReconcileReport> reconcile() override { return volume::ReconcileReport{}; }
  Result<volume::Volume> rename(const std::string&, const std::string& to) override {
    return inspect(to);
  }
  Result<volume::Volume> set_labels(
      const std::string& name, const std::map<std::string, std::optional<std::string>>&) override {
    return inspect(name);
  }
  Result<volume::Volume> set_options(
      const std::string& name, const std::map<std::string, std::optional<std::string>>&) override {
    return inspect(name);
  }
  Result<volume::Volume> resize(const std::string& name, std::uint64_t) override {
    return inspect(name);
  }
  Result<volume::Snapshot> take_snapshot(const std::string&, const std::string& snapshot,
                                         const volume::Progress&) override {
    volume::Snapshot taken;
    if (auto name = SnapshotName::parse(snapshot)) taken.name = *name;
    return taken;
  }
  Result<volume::Snapshot> take_archive_snapshot(const std::string& name) override {
    return take_snapshot(name, "", {});
  }
  Status drop_snapshot(const std::string&, const std::string&) override { return {}; }
  Result<volume::Snapshot> roll_back(const std::string& name, const std::string& snapshot,
                                     const volume::Progress& progress) override {
    return take_snapshot(name, snapshot, progress);
  }
  Result<volume::SnapshotView> mount_snapshot(const std::string& name, const std::string& snapshot,
                                              const std::string& client,
                                              const std::string& id) override {
    TRY(auto view, inspect_snapshot(name, snapshot));
    view.snapshot.mounts = {{client, id, 1}};
    return view;
  }
  Status unmount_snapshot(const std::string&, const std::string&, const std::string&,
                          const std::string&) override {
    return {};
  }
  Result<volume::SnapshotView> inspect_snapshot(const std::string& name,
                                                const std::string& snapshot) override {
    volume::SnapshotView view;
    TRY(view.volume, VolumeName::parse(name));
    TRY(view.snapshot.name, SnapshotName::parse(snapshot));
    return view;
  }
  Result<std::map<std::string, std::uint64_t>> snapshot_space(const std::string&) override {
    return std::map<std::string, std::uint64_t>{};
  }
  Result<volume::VolumeStatus> usage(const std::string&, const volume::Progress&) override {
    return volume::VolumeStatus{};
  }
  Result<volume::CheckReport> check(const std::string& name, bool,
                                    const volume::Progress&) override {
    return volume::CheckReport{false, {name}};
  }
  Result<std::vector<volume::TrashedVolume>> trash() override {
    return std::vector<volume::TrashedVolume>(1);
  }
  Result<volume::Volume> restore_from_trash(const std::string& name,
                                            const std::string& as) override {
    return inspect(as.empty() ? name : as);
  }
  Result<std::size_t> empty_trash(const std::string& name) override { return name.size() % 2; }
  Result<volume::ReconcileReport> keep_schedules() override { return volume::ReconcileReport{}; }
};

class EchoPools : public volume::VolumePools {
 public:
  Result<volume::VolumePool> create(const volume::PoolSpec& spec) override {
    volume::VolumePool made;
    made.name = spec.name;
    made.fstype = spec.fstype;
    made.device = spec.device;
    made.size = spec.size.value_or(0);
    return made;
  }
  Result<std::vector<volume::VolumePool>> list() override {
    return std::vector<volume::VolumePool>(1);
  }
  Result<volume::VolumePool> inspect(const std::string&) override { return volume::VolumePool{}; }
  Status remove(const std::string&) override { return {}; }
  Result<volume::VolumePool> grow(const std::string&, std::uint64_t size) override {
    volume::VolumePool grown;
    grown.size = size;
    return grown;
  }
};

class EchoJobs : public volume::VolumeJobs {
 public:
  Result<std::vector<volume::Job>> list() override { return std::vector<volume::Job>(1); }
  Status stop(const std::string& id) override { return fail(Code::kNotFound, "no job {}", id); }
  Result<volume::LeftOut> resume(const std::string&, const volume::Progress&) override {
    return volume::LeftOut{};
  }
};

// ---- what must hold

json::Json again(const native::Document& document) {
  auto parsed = json::parse(document.dump());
  must(parsed.has_value());
  return std::move(*parsed);
}

void decode_each(const json::Json& body) {
  if (const auto spec = native::decode_network_spec(body)) {
    const auto twice = native::decode_network_spec(again(native::encode_network_spec(*spec)));
    must(twice && twice->name == spec->name && twice->options == spec->options &&
         twice->subnets == spec->subnets);
    must(twice->id == spec->id && twice->labels == spec->labels);
  }
  if (const auto attach = native::decode_attach(body)) {
    const auto twice = native::decode_attach(again(native::encode_attach(*attach)));
    must(twice && twice->spec.id == attach->spec.id && twice->spec.ports == attach->spec.ports &&
         twice->ifname == attach->ifname);
    must(twice->spec.routes == attach->spec.routes && twice->spec.rates == attach->spec.rates);
    must(twice->spec.addresses == attach->spec.addresses &&
         twice->spec.netns_path == attach->spec.netns_path);
  }
  if (const auto spec = native::decode_volume_spec(body)) {
    const auto twice = native::decode_volume_spec(again(native::encode_volume_spec(*spec)));
    must(twice && twice->name == spec->name && twice->options == spec->options &&
         twice->labels == spec->labels);
  }
  if (const auto pool = native::decode_pool_spec(body))
    must(native::decode_pool_spec(again(native::encode_pool(*EchoPools().create(*pool))))
             .has_value());
  if (const auto usage = native::decode_network(body)) {
    const auto twice =
        native::decode_network(again(native::encode_network(usage->network, usage->endpoints)));
    must(twice && twice->network == usage->network);
  }
  if (const auto view = native::decode_endpoint(body)) {
    const auto twice = native::decode_endpoint(again(native::encode_endpoint(*view)));
    must(twice && twice->endpoint == view->endpoint && twice->network == view->network);
  }
  if (const auto volume = native::decode_volume(body)) {
    const auto twice = native::decode_volume(again(native::encode_volume(*volume)));
    must(twice && *twice == *volume);
  }
  (void)native::decode_volume_status(body).has_value();
  (void)native::decode_port_holder(body).has_value();
  (void)native::decode_trashed(body).has_value();
  (void)native::decode_taken_snapshot(body).has_value();
  (void)native::decode_check_report(body).has_value();
  (void)native::decode_usage(body).has_value();
  (void)native::decode_status(body).has_value();
  (void)native::decode_reconcile(body).has_value();
  (void)native::decode_problem(body).has_value();
  (void)native::decode_expectation(body).has_value();
  (void)native::decode_collect(body).has_value();
  (void)native::decode_removed(body).has_value();
  (void)native::decode_volume_change(body).has_value();
  (void)native::decode_snapshot(body).has_value();
  (void)native::decode_rollback(body).has_value();
  (void)native::decode_trash_restore(body).has_value();
  (void)native::decode_mount(body).has_value();
  (void)native::decode_publish(body).has_value();
}

http::Request request_of(const std::string& head, const std::string& body) {
  http::Request request;
  const std::size_t space = head.find(' ');
  request.method = head.substr(0, space);
  const std::string target = space == std::string::npos ? "" : head.substr(space + 1);
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) {
    const std::string pair = target.substr(question + 1);
    const std::size_t equals = pair.find('=');
    request.query[pair.substr(0, equals)] =
        equals == std::string::npos ? "" : pair.substr(equals + 1);
  }
  request.body = body;
  return request;
}

class EchoGroups : public volume::VolumeGroups {
 public:
  using Snapshots = std::vector<volume::VolumeSnapshot>;
  Result<std::vector<VolumeName>> members(const std::string& group) override {
    TRY(auto name, VolumeName::parse(group));
    return std::vector{std::move(name)};
  }
  Result<Snapshots> take(const std::string&, const std::string& snapshot,
                         const volume::Progress&) override {
    return drop("", snapshot);
  }
  Result<Snapshots> drop(const std::string&, const std::string& snapshot) override {
    Snapshots taken(1);
    if (auto name = SnapshotName::parse(snapshot)) taken[0].snapshot.name = *name;
    return taken;
  }
  Result<Snapshots> roll_back(const std::string&, const std::string& snapshot,
                              const volume::Progress&) override {
    return drop("", snapshot);
  }
};

void answer(const http::Request& request) {
  static EchoNetworks networks;
  static EchoVolumes volumes;
  static EchoPools pools;
  static EchoJobs jobs;
  static EchoGroups groups;
  static const http::Handler handler = native::make_native_handler(
      {.networks = networks,
       .volumes = volumes,
       .pools = pools,
       .jobs = jobs,
       .groups = groups,
       .open_netns = [](const std::string&) -> Result<UniqueFd> { return UniqueFd(); },
       .version = "0"});
  const http::Response response = handler(request);
  must(response.status >= 200 && response.status < 600);
  must((response.status == 204) == response.body.empty());
  must(response.body.empty() || json::parse(response.body).has_value());
}

}  // namespace
}  // namespace fairlead

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t newline = text.find('\n');
  if (newline == std::string::npos) {
    if (const auto body = fairlead::json::parse(text)) fairlead::decode_each(*body);
    return 0;
  }
  fairlead::answer(fairlead::request_of(text.substr(0, newline), text.substr(newline + 1)));
  return 0;
}
