// From the environment and stdin to a Request: pure, and the only reader of a runtime's bytes.
//
// Each verb reads only what it needs. DEL must not fail because of anything else, so it reads only
// the network and the container's interface: a configuration that ADD refused can be deleted, as
// long as it names the network.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "network/api/service.h"
#include "plugin-api/cni/environment.h"
#include "plugin-api/cni/failure.h"
#include "plugin-api/cni/prev_result.h"
#include "plugin-api/cni/version.h"

namespace fairlead::cni {

struct Request {
  Invocation invocation;
  const Version* version =
      nullptr;  // of the configuration, and so of the answer; never null after decode()
  std::string version_text;         // VERSION: as the runtime wrote it, to be echoed
  NetworkName name;                 // of the conflist
  std::optional<NetworkName> join;  // the existing Fairlead network to use instead
  network::NetworkSpec network;     // ADD, STATUS: how the network is made when there is none
  // ADD: complete but for `network` and the gateways of its routes. STATUS: from which addresses.
  network::EndpointSpec endpoint;
  // The interface's name in the container: CNI_IFNAME, or the configuration's own.
  IfName ifname;
  std::optional<json::Json> earlier;  // ADD: the result of earlier plugins, to be added to
  std::string ipam;                   // the plugin that gives the addresses; empty: Fairlead does
  network::Dns dns;                   // ADD
  std::string resolv_conf;            // ADD: the file with the name servers when `dns` has none
  PrevResult previous;                // CHECK
  std::optional<std::vector<network::ValidAttachment>>
      valid;  // GC; std::nullopt: the runtime did not say

  // The Fairlead network this is about.
  const NetworkName& network_name() const { return join ? *join : name; }
  // The `runtime` of the endpoints of this conflist: "cni", or "cni:<conflist>" in a network that
  // others use too, so that GC of one conflist leaves the others' endpoints alone.
  std::string runtime() const { return join ? "cni:" + name.str() : "cni"; }
};

// The order of checks is that of the reference implementation: environment (4), JSON (6), network
// name (7), version (1), and then the verb's own fields (2, 7).
Decoded<Request> decode(const Environment& environment, std::string_view input);

// The version to answer an unreadable request in: that of the configuration if it can be made out,
// else the newest.
const Version& answer_version(std::string_view input);

}  // namespace fairlead::cni
