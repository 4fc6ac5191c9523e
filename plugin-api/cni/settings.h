// The plugin's part of a conflist: which network, and how to make it.
//
// joins the Fairlead network "shop":
//   {"type":"fairlead", "network":"shop"}
// the network is the conflist's, made at the first ADD:
//   {"type":"fairlead", "subnet":"10.1.0.0/24", "mtu":1400}
// the words of the bridge and host-local plugins:
//   {"type":"fairlead", "isGateway":true, "ipMasq":true,
//    "ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24","rangeStart":"10.1.0.10"}]],
//            "routes":[{"dst":"0.0.0.0/0"}]}}
//
// Keys are matched without regard to case, unknown ones are let through (libcni adds its own). A
// key of the standard plugins that changes what a container may reach, and that Fairlead has no
// counterpart for, is refused, not dropped.
#pragma once

#include <optional>
#include <vector>

#include "base/json/json.h"
#include "network/api/types.h"
#include "plugin-api/cni/failure.h"
#include "plugin-api/cni/ranges.h"

namespace fairlead::cni {

struct Settings {
  network::NetworkSpec
      network;  // its options.join: the existing network to use, instead of making this one
  std::vector<AddressRangeSet> ranges;  // one address of each
  std::vector<network::Route>
      routes;  // without gateway: that of the network, unless the scope is link
  network::Dns dns;
  std::string resolv_conf;  // the file to take `dns` from when it is empty; empty: none
  std::string ipam;         // the plugin that gives the addresses; empty: Fairlead does
};

// kConfiguration, or kUnsupportedField.
Decoded<Settings> decode_settings(const json::Object& config, const NetworkName& name);

// The existing network to join, alone: all that DEL, CHECK and GC need of the settings.
Result<std::optional<NetworkName>> decode_join(const json::Object& config);

}  // namespace fairlead::cni
