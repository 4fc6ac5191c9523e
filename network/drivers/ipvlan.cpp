#include "network/drivers/ipvlan.h"

#include <algorithm>
#include <array>

#include "network/drivers/parent_driver.h"

namespace fairlead::network {

namespace {

using kernel::IpvlanFlag;
using kernel::IpvlanMode;

constexpr const char* kModeOption = "ipvlan_mode";
constexpr const char* kFlagOption = "ipvlan_flag";

template <class T>
using Words = std::array<std::pair<std::string_view, T>, 3>;

constexpr Words<IpvlanMode> kModes{
    {{"l2", IpvlanMode::kL2}, {"l3", IpvlanMode::kL3}, {"l3s", IpvlanMode::kL3s}}};
constexpr Words<IpvlanFlag> kFlags{{{"bridge", IpvlanFlag::kBridge},
                                    {"private", IpvlanFlag::kPrivate},
                                    {"vepa", IpvlanFlag::kVepa}}};

template <class T>
Status read(const Words<T>& words, const std::string& key, const std::string& value, T& into) {
  for (const auto& [word, meaning] : words)
    if (word == value) {
      into = meaning;
      return {};
    }
  return fail(Code::kInvalid, "network option \"{}\": \"{}\" is none of {}, {}, {}", key, value,
              words[0].first, words[1].first, words[2].first);
}

struct Settings {
  IpvlanMode mode = IpvlanMode::kL2;
  IpvlanFlag flag = IpvlanFlag::kBridge;

  bool operator==(const Settings&) const = default;
};

Result<Settings> settings_of(const NetworkOptions& options) {
  Settings settings;
  for (const auto& [key, value] : options.driver) {
    if (key == kModeOption)
      TRY_STATUS(read(kModes, key, value, settings.mode));
    else if (key == kFlagOption)
      TRY_STATUS(read(kFlags, key, value, settings.flag));
    else
      return fail(Code::kInvalid, "unknown network option \"{}\"; known are \"{}\" and \"{}\"", key,
                  kModeOption, kFlagOption);
  }
  return settings;
}

class IpvlanDriver : public ParentDriver {
 public:
  IpvlanDriver(kernel::Links& links, std::string boot_id, StoreMark mark)
      : ParentDriver(links, std::move(boot_id), std::move(mark),
                     {.mode = "ipvlan",
                      .link_prefix = "fli",
                      .private_way = "use -o ipvlan_flag=private",
                      .macs = false}) {}

  Result<NetworkPlan> plan(const Network& network, std::span<const Network> others) override {
    TRY(const bool able, links_.has_kind("ipvlan"));
    if (!able)
      return fail(Code::kUnsupported,
                  "this kernel has no ipvlan (module ipvlan, CONFIG_IPVLAN); use mode macvlan, or "
                  "mode routed with -o routed_proxy={}",
                  network.options.parent->str());
    TRY(const Settings wanted, settings_of(network.options));
    for (const Network& other : others) {
      const bool beside =
          other.options.mode == "ipvlan" && other.options.parent == network.options.parent;
      const auto theirs = settings_of(other.options);
      if (beside && theirs && *theirs != wanted)
        return fail(Code::kExists,
                    "interface {} is the parent of network {}, which has another {} or {}, and the "
                    "kernel has one of each for a parent",
                    network.options.parent->str(), other.name.str(), kModeOption, kFlagOption);
    }
    return ParentDriver::plan(network, others);
  }

 protected:
  Status validate_own(const NetworkOptions& options) const override {
    return status_of(settings_of(options));
  }

  Result<kernel::Link> make_link(const Network& network, const Endpoint&,
                                 const Place& place) override {
    TRY(const Settings settings, settings_of(network.options));
    return links_.create_ipvlan({.name = place.name,
                                 .parent = place.parent,
                                 .netns_fd = place.netns_fd,
                                 .mtu = network.mtu,
                                 .mode = settings.mode,
                                 .flag = settings.flag});
  }

  // The MAC is the parent's, so it is told by its addresses.
  bool is_of(const Network&, const Endpoint& endpoint, const kernel::Link& link,
             int netns_fd) override {
    const auto name = IfName::parse(link.name);
    if (!name) return false;
    const auto view = links_.inspect(netns_fd, *name);
    return view && std::ranges::any_of(view->addresses, [&](const Cidr& address) {
             return std::ranges::find(endpoint.addresses, address.address(), &Cidr::address) !=
                    endpoint.addresses.end();
           });
  }
};

}  // namespace

std::unique_ptr<Driver> make_ipvlan_driver(kernel::Links& links, std::string boot_id,
                                           StoreMark mark) {
  return std::make_unique<IpvlanDriver>(links, std::move(boot_id), std::move(mark));
}

}  // namespace fairlead::network
