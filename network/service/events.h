// What commits to the store mean for people and for programs that follow the change feed.
//
//   kind      action               id          name     attributes
//   network   create               network     its name mode, subnets, runtime (made for it),
//                                                       runtime_name, project
//             update, remove       the same
//   endpoint  create, join,        endpoint    container network, network_name, container, runtime,
//             update,                                   addresses, mac, ifname, aliases,
//             leave, remove                             container_name, project, service
//   port      publish, unpublish   endpoint    "0.0.0.0:8080->80/tcp" the endpoint's, and protocol,
//                                                       host_ip, host_port, container_port
//
// An object exists while its record is in the phase "ready": one that is not finished yet, or is
// being undone, was never there. A network or endpoint that is being removed is gone with the first
// step of its removal. Names that a runtime tells later, and options that change, are an "update" of the network or endpoint. An endpoint of an earlier boot and its successor are two. Attributes without a value are left out; several values in one attribute are
// separated by commas.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/changes.h"
#include "base/state/store.h"
#include "base/state/store_changes.h"
#include "network/api/types.h"

namespace fairlead::network {

// The name of the network with this id; empty when it is gone.
using NetworkNameOf = std::function<std::string(const std::string& network_id)>;

// What is looked up beside a record. Empty functions: nothing is.
struct ChangeLookups {
  NetworkNameOf name_of;
  std::function<std::optional<Network>(const std::string& network_id)> network{};
  std::function<std::optional<Endpoint>(const std::string& network_id, const std::string& id)>
      endpoint{};
  std::function<void(Endpoint&)> add_names{};
};

// Pure functions. std::nullopt: there was, or is, no such record.
std::vector<Change> changes_of(const std::optional<Network>& before,
                               const std::optional<Network>& after);
std::vector<Change> changes_of(const std::optional<Endpoint>& before,
                               const std::optional<Endpoint>& after, const NetworkNameOf& name_of);
// Of one commit. Records that cannot be read count as absent.
std::vector<Change> network_changes(const std::vector<state::Event>& commit,
                                    const ChangeLookups& lookups);

// For the feed over the store: names are looked up in it.
state::ReadChanges network_changes_in(state::Store& store);

}  // namespace fairlead::network
