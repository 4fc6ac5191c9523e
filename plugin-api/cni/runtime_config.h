// What the runtime asks for one attachment: capabilities (runtimeConfig), args.cni and CNI_ARGS,
// in this order of precedence (CNI CONVENTIONS.md). containerd, nerdctl and Nomad send the keys
// capitalised.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json/json.h"
#include "network/api/types.h"
#include "plugin-api/cni/failure.h"
#include "plugin-api/cni/ranges.h"

namespace fairlead::cni {

struct RuntimeConfig {
  std::vector<Cidr> addresses;
  std::optional<MacAddress> mac;
  std::vector<network::PortSpec> ports;
  std::optional<network::Rates> rates;
  std::vector<std::string> aliases;
  std::map<std::string, std::string> labels;  // args.cni.labels: [{"key", "value"}]
  std::string name;                           // "namespace/pod", or Podman's name of the container
  std::vector<std::string> known_as;          // a pod: its name, and "namespace/name"
  std::vector<AddressRangeSet> ranges;        // one address of each
  network::Dns dns;
};

// `names`: what an alias object {"<network>":[...]} may call this network. kConfiguration, or
// kEnvironment for CNI_ARGS. Unknown keys are ignored everywhere.
Decoded<RuntimeConfig> decode_runtime_config(const json::Object& config, std::string_view cni_args,
                                             const std::vector<std::string>& names);

}  // namespace fairlead::cni
