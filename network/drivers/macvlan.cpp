#include "network/drivers/macvlan.h"

#include <algorithm>
#include <array>

#include "network/drivers/parent_driver.h"

namespace fairlead::network {

namespace {

using kernel::MacvlanMode;

constexpr const char* kModeOption = "macvlan_mode";

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

class MacvlanDriver : public ParentDriver {
 public:
  MacvlanDriver(kernel::Links& links, std::string boot_id, StoreMark mark)
      : ParentDriver(links, std::move(boot_id), std::move(mark),
                     {.mode = "macvlan",
                      .link_prefix = "flm",
                      .private_way = "use -o macvlan_mode=private"}) {}

 protected:
  Status validate_own(const NetworkOptions& options) const override {
    return status_of(mode_of(options));
  }

  Result<kernel::Link> make_link(const Network& network, const Endpoint& endpoint,
                                 const Place& place) override {
    TRY(const MacvlanMode mode, mode_of(network.options));
    return links_.create_macvlan({.name = place.name,
                                  .parent = place.parent,
                                  .netns_fd = place.netns_fd,
                                  .mac = *endpoint.mac,
                                  .mtu = network.mtu,
                                  .mode = mode});
  }

  bool is_exclusive(const Network& network) const override {
    const auto mode = mode_of(network.options);
    return mode && *mode == MacvlanMode::kPassthru;
  }

  bool is_of(const Network& network, const Endpoint& endpoint, const kernel::Link& link,
             int) override {
    return is_exclusive(network) || link.mac == endpoint.mac;
  }
};

}  // namespace

std::unique_ptr<Driver> make_macvlan_driver(kernel::Links& links, std::string boot_id,
                                            StoreMark mark) {
  return std::make_unique<MacvlanDriver>(links, std::move(boot_id), std::move(mark));
}

}  // namespace fairlead::network
