#include "network/drivers/host_device.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/fault.h"
#include "base/log.h"
#include "network/drivers/container_side.h"
#include "network/drivers/parent_driver.h"
#include "network/kernel/host/netns.h"
#include "network/kernel/host/pci.h"

namespace fairlead::network {

namespace {

// Of a network: who had the device last.
constexpr const char* kHolder = "holder";
// Of an endpoint: what the device was like in the host.
constexpr const char* kMac = "device_mac";
constexpr const char* kUp = "device_up";
constexpr const char* kAddresses = "device_addresses";

std::string text_in(const std::map<std::string, std::string>& record, const char* name) {
  const auto found = record.find(name);
  return found == record.end() ? std::string() : found->second;
}

IfName device_of(const Network& network) {
  return stored_ifname(text_in(network.links.shown, "parent")).value_or(IfName());
}

std::string name_of(const Endpoint& endpoint) {
  return endpoint.container.empty() ? "endpoint " + endpoint.id.substr(0, 12)
                                    : "container " + endpoint.container.substr(0, 12);
}

std::vector<Cidr> addresses_in(const DriverRecord& record) {
  std::vector<Cidr> addresses;
  const std::string text = text_in(record.kept, kAddresses);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (const auto address = Cidr::parse(text.substr(at, end - at))) addresses.push_back(*address);
    at = end + 1;
  }
  return addresses;
}

class HostDeviceDriver : public ParentDriver {
 public:
  HostDeviceDriver(kernel::Links& links, const std::string& boot_id, std::string sysfs)
      : ParentDriver(links, boot_id, {},
                     {.mode = "host-device",
                      .link_prefix = {},
                      .private_way = "it has one container",
                      .macs = false}),
        boot_id_(boot_id),
        sysfs_(std::move(sysfs)) {}

  Result<NetworkPlan> plan(const Network& network, std::span<const Network> others) override {
    TRY(const kernel::Link device, find_device(network.options));
    TRY(const IfName name, IfName::parse(device.name));
    for (const Network& other : others)
      if (device_of(other) == name)
        return fail(Code::kExists, "interface {} is that of network {} already", name.str(),
                    other.name.str());
    TRY(const auto way_out, links_.host_routing().default_route_link());
    if (way_out && way_out->index == device.index)
      return fail(Code::kInUse,
                  "interface {} is the host's own way out, and no container can have it; name "
                  "another one, or use mode macvlan",
                  name.str());
    if (device.master != 0 || device.kind == "bridge" || name.str() == "lo")
      return fail(Code::kInUse, "interface {} {}, and no container can have it", name.str(),
                  device.master != 0 ? "is a port of another one" : "has to stay in the host");
    if (network.options.mtu)
      return fail(Code::kInvalid,
                  "option \"mtu\" is not for mode \"host-device\": the device has its own");
    return NetworkPlan{.links = {.shown = {{"parent", name.str()}}, .kept = {}},
                       .mtu = std::min(device.mtu, 65535U)};
  }

  // A container may have it.
  Status ensure(Network&, Rollback&) override { return {}; }
  std::string problem(const Network&) override { return {}; }

  Result<DriverRecord> plan_endpoint(const Network& network,
                                     const Endpoint& endpoint) const override {
    TRY_STATUS(ParentDriver::plan_endpoint(network, endpoint));
    TRY(const kernel::Link device, free_device(network));
    TRY(const auto addresses, links_.addresses(device.index));
    std::vector<std::string> texts;
    for (const Cidr& address : addresses) texts.push_back(address.to_string());
    return DriverRecord{.shown = {},
                        .kept = {{kMac, device.mac.to_string()},
                                 {kUp, device.up ? "true" : "false"},
                                 {kAddresses, fmt::format("{}", fmt::join(texts, " "))}}};
  }

  Result<EndpointLinks> attach(Network& network, const Endpoint& endpoint,
                               const Placement& placement, NetworkContext& context,
                               Rollback& undo) override {
    TRY(const kernel::Link device, free_device(network));
    network.links.shown["parent"] = device.name;  // the one that is given back
    network.links.kept[kHolder] = name_of(endpoint);
    TRY_STATUS(context.remember(network));
    fault_point("host-device.attach.known");
    const auto* inside = std::get_if<IntoNetns>(&placement);
    if (inside == nullptr)
      return EndpointLinks{.host_links = {},
                           .container_ifname = device_of(network),
                           .container_mac = device.mac,
                           .mtu = network.mtu};
    undo.push([this, &network, &endpoint, fd = inside->fd] {
      if (auto back = fetch(network, endpoint, fd); !back)
        log::error("undo: move device", {{"error", back.error().text}});
    });
    TRY(const kernel::Link moved, links_.move_inside(device.index, inside->fd, inside->ifname));
    fault_point("host-device.attach.moved");
    TRY(const auto added,
        links_.configure_container(container_side(endpoint, *inside, moved.index, true)));
    return EndpointLinks{.host_links = {},
                         .container_ifname = inside->ifname,
                         .container_mac = moved.mac,
                         .mtu = network.mtu,
                         .routes = changed_routes(endpoint, added)};
  }

  Status detach(const Network& network, const Endpoint& endpoint) override {
    if (links_.find(device_of(network))) return restore(network, endpoint);
    // The path of an earlier boot may be another container's by now.
    if (!endpoint.netns_path.empty() && endpoint.boot_id == boot_id_)
      if (const auto netns = kernel::open_netns(endpoint.netns_path))
        return fetch(network, endpoint, netns->get());
    return fetch(network, endpoint, -1);
  }

  Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
               std::string_view ifname) override {
    if (netns_fd < 0) return {};
    TRY(const IfName name, IfName::parse(ifname));
    TRY(const auto view, links_.inspect(netns_fd, name));
    if (!is_device(endpoint, view.link))
      return fail(Code::kConflict, "interface {} of the container is not the host's {}", name.str(),
                  device_of(network).str());
    return check_container_side(endpoint, view);
  }

  Result<EndpointLinks> attached_links(const Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside) override {
    TRY_STATUS(check(network, endpoint, inside.fd, inside.ifname.str()));
    TRY(const auto view, links_.inspect(inside.fd, inside.ifname));
    return EndpointLinks{.host_links = {},
                         .container_ifname = inside.ifname,
                         .container_mac = view.link.mac,
                         .mtu = network.mtu};
  }

  Result<Liveness> liveness(const Network& network, const Endpoint& endpoint) override {
    const auto device = links_.find(device_of(network));
    // A runtime that names the interface itself takes it from the host itself.
    if (device) return endpoint.ifname.empty() ? Liveness::kWaiting : Liveness::kGone;
    if (device.error().code != Code::kNotFound) return fail(device.error());
    if (endpoint.netns_path.empty()) return Liveness::kAlive;
    const auto netns = kernel::open_netns(endpoint.netns_path);
    if (!netns) {
      std::error_code unreadable;
      const bool there = std::filesystem::exists(endpoint.netns_path, unreadable);
      return there || unreadable ? Liveness::kAlive : Liveness::kGone;
    }
    TRY(const auto found, find_inside(endpoint, netns->get()));
    return found ? Liveness::kAlive : Liveness::kGone;
  }

  // The device is the host's, whoever has it.
  Result<std::vector<MadeLink>> list_links() override { return std::vector<MadeLink>(); }
  std::vector<IfName> links_of(const Network&) const override { return {}; }
  std::vector<IfName> links_of(const Endpoint&) const override { return {}; }

 protected:
  Status validate_own(const NetworkOptions& options) const override {
    if (options.driver.empty()) return {};
    return fail(Code::kInvalid, "unknown network option \"{}\"", options.driver.begin()->first);
  }
  Result<kernel::Link> make_link(const Network&, const Endpoint&, const Place&) override {
    return fail(Code::kInternal, "no link is made for a device of the host");
  }
  bool is_of(const Network&, const Endpoint& endpoint, const kernel::Link& link, int) override {
    return is_device(endpoint, link);
  }

 private:
  static bool is_device(const Endpoint& endpoint, const kernel::Link& link) {
    return link.mac != MacAddress() && link.mac.to_string() == text_in(endpoint.links.kept, kMac);
  }

  // By its name, its MAC address, or its place on the PCI bus.
  Result<kernel::Link> find_device(const NetworkOptions& options) const {
    if (options.parent_mac) return find_by_mac(*options.parent_mac);
    if (options.parent_pci) return find_by_pci(*options.parent_pci);
    return links_.find(*options.parent);
  }

  // A card keeps its own address whatever it was given. VLANs and bridges have those of their cards.
  Result<kernel::Link> find_by_mac(const MacAddress& mac) const {
    TRY(const auto all, links_.list());
    std::vector<kernel::Link> own, present;
    for (const kernel::Link& link : all) {
      if (link.permanent_mac == mac) own.push_back(link);
      if (link.mac == mac) present.push_back(link);
    }
    return only_one(own.empty() ? present : own,
                    fmt::format("the MAC address {}", mac.to_string()));
  }

  Result<kernel::Link> find_by_pci(const std::string& address) const {
    TRY(const auto names, kernel::interfaces_of_pci(address, sysfs_));
    std::vector<kernel::Link> found;
    for (const std::string& text : names) {
      TRY(const IfName name, stored_ifname(text));
      TRY(found.emplace_back(), links_.find(name));
    }
    const std::string driver = kernel::driver_of_pci(address, sysfs_);
    return only_one(found, fmt::format("the PCI address {}{}", address,
                                       driver.empty() ? "" : fmt::format(" (driver {})", driver)));
  }

  static Result<kernel::Link> only_one(const std::vector<kernel::Link>& found,
                                       const std::string& what) {
    if (found.size() == 1) return found.front();
    if (found.empty())
      return fail(Code::kNotFound, "no interface of the host has {}; `ip -d link` shows them",
                  what);
    std::vector<std::string> names;
    for (const kernel::Link& link : found) names.push_back(link.name);
    return fail(Code::kConflict,
                "several interfaces have {}: {}; name one of them by -o parent=IFACE", what,
                fmt::join(names, ", "));
  }

  // The device, while it is in the host.
  Result<kernel::Link> free_device(const Network& network) const {
    auto device = find_device(network.options);
    if (device || device.error().code != Code::kNotFound) return device;
    const std::string holder = text_in(network.links.kept, kHolder);
    return fail(Code::kInUse, "interface {} is not in the host{}; one container at a time has it",
                device_of(network).str(), holder.empty() ? "" : ": " + holder + " has it");
  }

  Result<std::optional<kernel::Link>> find_inside(const Endpoint& endpoint, int netns_fd) {
    TRY(const auto links, netns_fd < 0 ? links_.list() : links_.list_inside(netns_fd));
    const auto found = std::ranges::find_if(
        links, [&](const kernel::Link& link) { return is_device(endpoint, link); });
    return found == links.end() ? std::nullopt : std::optional(*found);
  }

  // Back into the host under its name: from the container, or from where the kernel has put it.
  Status fetch(const Network& network, const Endpoint& endpoint, int netns_fd) {
    for (const int from : {netns_fd, -1}) {
      TRY(const auto found, find_inside(endpoint, from));
      if (!found) continue;
      TRY_STATUS(links_.move_back(from, found->index, device_of(network)));
      fault_point("host-device.detach.back");
      return restore(network, endpoint);
    }
    log::warn("the device of a network is gone",
              {{"device", device_of(network).str()}, {"network", network.name.str()}});
    return {};
  }

  Status restore(const Network& network, const Endpoint& endpoint) {
    TRY(const kernel::Link device, links_.find(device_of(network)));
    return links_.restore(device.index, text_in(endpoint.links.kept, kUp) == "true",
                          addresses_in(endpoint.links));
  }

  const std::string boot_id_, sysfs_;
};

}  // namespace

std::unique_ptr<Driver> make_host_device_driver(kernel::Links& links, std::string boot_id,
                                                std::string sysfs) {
  return std::make_unique<HostDeviceDriver>(links, std::move(boot_id), std::move(sysfs));
}

}  // namespace fairlead::network
