#include "network/drivers/macvlan.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "network/drivers/container_side.h"
#include "network/kernel/host/netns.h"

namespace fairlead::network {

namespace {

using kernel::MacvlanMode;

constexpr const char* kParent = "parent";  // of a network
constexpr const char* kLink = "link";      // of an endpoint: its name while it is in the host
constexpr const char* kModeOption = "macvlan_mode";
constexpr std::string_view kLinkPrefix = "flm";  // and 12 digits

constexpr std::array<std::pair<std::string_view, MacvlanMode>, 4> kModes{
    {{"bridge", MacvlanMode::kBridge},
     {"private", MacvlanMode::kPrivate},
     {"vepa", MacvlanMode::kVepa},
     {"passthru", MacvlanMode::kPassthru}}};

Result<MacvlanMode> mode_of(const NetworkOptions& options) {
  MacvlanMode mode = MacvlanMode::kBridge;
  for (const auto& [key, value] : options.driver) {
    if (key != kModeOption)
      return fail(Code::kInvalid, "unknown network option \"{}\"; did you mean \"{}\"?", key,
                  kModeOption);
    const auto known =
        std::ranges::find(kModes, value, [](const auto& each) { return each.first; });
    if (known == kModes.end())
      return fail(Code::kInvalid,
                  "network option \"{}\": \"{}\" is none of bridge, private, vepa, passthru", key,
                  value);
    mode = known->second;
  }
  return mode;
}

bool is_passthru(const Network& network) {
  const auto mode = mode_of(network.options);
  return mode && *mode == MacvlanMode::kPassthru;
}

Status refuse(std::string_view option, std::string_view why) {
  return fail(Code::kInvalid, "option \"{}\" is not for mode \"macvlan\": {}", option, why);
}

std::string text_in(const std::map<std::string, std::string>& record, const char* name) {
  const auto found = record.find(name);
  return found == record.end() ? std::string() : found->second;
}

IfName link_of(const Endpoint& endpoint) {
  return IfName::parse(text_in(endpoint.links.kept, kLink)).value_or(IfName());
}

Status refuse_firewall_options(const NetworkOptions& options) {
  constexpr const char* kWhy = "the host's firewall sees nothing of its containers";
  if (options.spoofing != Spoofing::kDeny) return refuse("spoofing", kWhy);
  if (options.publish != HostModel::kStrong) return refuse("publish", kWhy);
  if (options.host_ip_missing) return refuse("host_ip_missing", kWhy);
  if (!options.trusted_interfaces.empty()) return refuse("trusted_interfaces", kWhy);
  if (options.host_access) return refuse("host_access", kWhy);
  if (options.snat_v4) return refuse("snat", kWhy);
  if (options.snat_v6) return refuse("snat6", kWhy);
  if (!options.masquerade_exclude.empty()) return refuse("masquerade_exclude", kWhy);
  if (options.inhibit_ipv4) return refuse("inhibit_ipv4", "there is no bridge");
  return {};
}

class MacvlanDriver : public Driver {
 public:
  MacvlanDriver(kernel::Links& links, std::string boot_id)
      : links_(links), boot_id_(std::move(boot_id)) {}

  NetworkTraits traits() const override {
    return {.no_ports =
                "each has an address on the network of the parent interface, and answers "
                "there on every port that it listens to; leave the ports out, or use mode "
                "bridge"};
  }

  Status validate(const NetworkSpec& spec) const override {
    const NetworkOptions& options = spec.options;
    TRY_STATUS(mode_of(options));
    if (!options.parent)
      return fail(
          Code::kInvalid,
          "mode \"macvlan\" needs the interface of the host on whose network the containers "
          "are to be: -o parent=IFACE (`ip link` shows them)");
    if (spec.internal)
      return fail(Code::kInvalid,
                  "a network of mode \"macvlan\" is that of its parent and cannot be internal; use "
                  "mode bridge");
    if (options.bridge) return refuse("bridge", "there is none");
    if (!options.icc) return refuse("icc", "use -o macvlan_mode=private");
    if (options.encrypted) return refuse("encrypted", "it is for mode \"overlay\"");
    if (options.host_ip_v4 || options.host_ip_v6)
      return refuse("host_ip", "no ports are published");
    if (options.gateway_mode_v4 != GatewayMode::kNat ||
        options.gateway_mode_v6 != GatewayMode::kNat)
      return refuse("gateway_mode", "the router of the parent's network is the gateway");
    TRY_STATUS(refuse_firewall_options(options));
    if (options.rates != Rates()) return refuse("rate_in", "nothing of a container is in the host");
    return {};
  }

  Result<NetworkPlan> plan(const Network& network, std::span<const Network> others) override {
    const IfName& name = *network.options.parent;
    TRY(const kernel::Link parent, parent_link(name));
    for (const Network& other : others) {
      const bool same = text_in(other.links.shown, kParent) == name.str();
      if (same && (is_passthru(network) || is_passthru(other)))
        return fail(Code::kExists,
                    "interface {} is the parent of network {}, and with macvlan_mode=passthru a "
                    "parent has one network only",
                    name.str(), other.name.str());
    }
    const unsigned mtu = network.options.mtu.value_or(std::min(parent.mtu, 65535U));
    if (mtu > parent.mtu)
      return fail(Code::kInvalid, "option \"mtu\": interface {} takes at most {} bytes", name.str(),
                  parent.mtu);
    return NetworkPlan{.links = {.shown = {{kParent, name.str()}}}, .mtu = mtu};
  }

  bool is_on_host_network(const Network&) const override { return true; }
  FirewallLinks firewall_links(const Network&) const override { return {}; }

  // The parent is the host's own. It has to be there; a parent that is down passes no packets.
  Status ensure(Network& network, Rollback&) override {
    return status_of(parent_link(parent_of(network)));
  }
  std::vector<std::string> missing(const Network&) override { return {}; }
  std::string problem(const Network& network) override {
    if (links_.find(parent_of(network))) return {};
    return fmt::format("its parent interface {} does not exist", parent_of(network).str());
  }
  Status remove(const Network&) override { return {}; }

  Result<DriverRecord> plan_endpoint(const Network& network,
                                     const Endpoint& endpoint) const override {
    const std::string digits = hash_hex(network.id + "/" + endpoint.id, 12);
    return DriverRecord{.kept = {{kLink, fmt::format("{}{}", kLinkPrefix, digits)}}};
  }

  Result<EndpointLinks> attach(Network& network, const Endpoint& endpoint,
                               const Placement& placement, NetworkContext&,
                               Rollback& undo) override {
    TRY(const kernel::Link parent, parent_link(parent_of(network)));
    TRY(const MacvlanMode mode, mode_of(network.options));
    const auto* inside = std::get_if<IntoNetns>(&placement);
    const kernel::MacvlanSpec spec{.name = inside != nullptr ? inside->ifname : link_of(endpoint),
                                   .parent = parent.index,
                                   .netns_fd = inside != nullptr ? inside->fd : -1,
                                   .mac = *endpoint.mac,
                                   .mtu = network.mtu,
                                   .mode = mode};
    TRY(const kernel::Link made, create(spec));
    undo.push([this, netns = spec.netns_fd, made] {
      const auto name = IfName::parse(made.name).value_or(IfName());
      const Status gone = netns < 0 ? links_.remove(name) : links_.remove_inside(netns, made.index);
      if (!gone) log::error("undo: remove macvlan", {{"error", gone.error().text}});
    });
    fault_point("macvlan.attach.made");
    if (inside != nullptr)
      TRY_STATUS(links_.configure_container(container_side(endpoint, *inside, made.index, true)));
    fault_point("macvlan.attach.configured");
    return EndpointLinks{.host_links = {},
                         .container_ifname = spec.name,
                         .container_mac = made.mac,
                         .mtu = network.mtu};
  }

  Status detach(const Network& network, const Endpoint& endpoint) override {
    if (const IfName name = link_of(endpoint); !name.empty()) TRY_STATUS(links_.remove(name));
    // The path of an earlier boot may be another container's by now.
    if (endpoint.netns_path.empty() || endpoint.boot_id != boot_id_) return {};
    const auto inside = look_inside(network, endpoint);
    if (!inside && inside.error().code == Code::kNotFound) return {};
    if (!inside) return fail(inside.error());
    for (const kernel::Link& link : inside->links)
      if (is_passthru(network) || link.mac == endpoint.mac)
        return links_.remove_inside(inside->netns.get(), link.index);
    return {};
  }

  Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
               std::string_view ifname) override {
    TRY(const kernel::Link parent, parent_link(parent_of(network)));
    if (!parent.up) return fail(Code::kConflict, "interface {} is down", parent.name);
    if (netns_fd < 0) return {};
    TRY(const IfName name, IfName::parse(ifname));
    TRY(const auto view, links_.inspect(netns_fd, name));
    if (view.link.kind != "macvlan" || view.link.peer_index != parent.index)
      return fail(Code::kConflict, "interface {} of the container is not on {}", name.str(),
                  parent.name);
    return check_container_side(endpoint, view);
  }

  // Nothing in the host tells of a link in a container, so its namespace is asked. A container whose
  // namespace cannot be told counts as alive: the path may show something else in this mount
  // namespace. So does one that has changed its MAC.
  Result<Liveness> liveness(const Network& network, const Endpoint& endpoint) override {
    const auto waiting = links_.find(link_of(endpoint));
    if (waiting) return Liveness::kWaiting;
    if (waiting.error().code != Code::kNotFound) return fail(waiting.error());
    if (endpoint.netns_path.empty()) return Liveness::kAlive;
    const auto inside = look_inside(network, endpoint);
    if (inside) return inside->links.empty() ? Liveness::kGone : Liveness::kAlive;
    if (inside.error().code != Code::kNotFound) return fail(inside.error());
    std::error_code unreadable;
    const bool there = std::filesystem::exists(endpoint.netns_path, unreadable);
    return there || unreadable ? Liveness::kAlive : Liveness::kGone;
  }

  // A link is lost together with its parent, and is not made again in a running container.
  Result<bool> mend(const Network&, const Endpoint&) override { return false; }

  Result<std::vector<MadeLink>> list_links() override {
    TRY(const auto all, links_.list());
    std::vector<MadeLink> made;
    for (const kernel::Link& link : all) {
      const bool own = link.kind == "macvlan" && link.name.starts_with(kLinkPrefix) &&
                       link.name.size() == kLinkPrefix.size() + 12;
      const auto name = IfName::parse(link.name);
      if (own && name) made.push_back({*name, link.alias});
    }
    return made;
  }
  std::vector<IfName> links_of(const Network&) const override { return {}; }
  std::vector<IfName> links_of(const Endpoint& endpoint) const override {
    const IfName name = link_of(endpoint);
    return name.empty() ? std::vector<IfName>() : std::vector{name};
  }
  Status remove_link(const IfName& name) override { return links_.remove(name); }

 private:
  struct Inside {
    UniqueFd netns;
    std::vector<kernel::Link> links;
  };

  static IfName parent_of(const Network& network) {
    return stored_ifname(text_in(network.links.shown, kParent)).value_or(IfName());
  }

  Result<kernel::Link> parent_link(const IfName& name) {
    auto parent = links_.find(name);
    if (!parent && parent.error().code == Code::kNotFound)
      return fail(Code::kNotFound,
                  "the parent interface {} does not exist; `ip link` shows those that do",
                  name.str());
    return parent;
  }

  // A name in the host's namespace follows from ids, so a link that has it was left by a crash.
  Result<kernel::Link> create(const kernel::MacvlanSpec& spec) {
    auto made = links_.create_macvlan(spec);
    if (made || made.error().code != Code::kExists || spec.netns_fd >= 0) return made;
    TRY_STATUS(links_.remove(spec.name));
    return links_.create_macvlan(spec);
  }

  // The interfaces on the network's parent in the namespace that the endpoint's record names. They
  // are told by the parent, because a container may have macvlans of other networks, and MACs follow
  // from addresses, which may be the same there.
  Result<Inside> look_inside(const Network& network, const Endpoint& endpoint) {
    const auto parent = links_.find(parent_of(network));
    if (!parent && parent.error().code == Code::kNotFound) return Inside();  // and all on it
    if (!parent) return fail(parent.error());
    TRY(auto netns, kernel::open_netns(endpoint.netns_path));
    TRY(auto links, links_.list_inside(netns.get()));
    std::erase_if(links, [&](const kernel::Link& link) {
      return link.kind != "macvlan" || link.peer_index != parent->index;
    });
    return Inside{std::move(netns), std::move(links)};
  }

  kernel::Links& links_;
  const std::string boot_id_;
};

}  // namespace

std::unique_ptr<Driver> make_macvlan_driver(kernel::Links& links, std::string boot_id) {
  return std::make_unique<MacvlanDriver>(links, std::move(boot_id));
}

}  // namespace fairlead::network
