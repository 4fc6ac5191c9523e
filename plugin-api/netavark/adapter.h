// netavark's verbs over the NetworkService, for its plugin and for the program that takes its place.
// Arguments, stdin and namespaces are injected; stdout and the exit code are returned as a value, so that
// a test needs no process.
#pragma once

#include <functional>
#include <string>

#include "network/api/names.h"
#include "network/api/service.h"
#include "plugin-api/http/held_netns.h"
#include "plugin-api/netavark/networks.h"
#include "plugin-api/netavark/plugins.h"

namespace fairlead::netavark {

using NetnsOpener = http::NetnsOpener;

struct Call {
  Environment environment;
  std::string input;  // stdin
  NetnsOpener netns;
  // Brings up `lo` in the container, which netavark does for all networks.
  std::function<Status(int netns_fd)> bring_up_loopback;
  // Gives a link of the host's a second name.
  std::function<Status(const IfName& link, const IfName& name)> name_link;
  // Whether the caller has given up, so that nobody will read the outcome.
  std::function<bool()> hung_up = [] { return false; };
  // Runs netavark's plugins of other drivers. Only the process that the runtime has started has their
  // environment; elsewhere (nullptr) such calls are not performed.
  RunPlugin run_plugin = nullptr;
};

struct Outcome {
  int exit_code = 0;
  std::string out;  // for stdout: JSON, or empty

  bool operator==(const Outcome&) const = default;
};

struct Services {
  network::NetworkService& networks;
  network::NameService* names = nullptr;
  Surroundings surroundings;
};

// A call that is well-formed, as far as that can be told without the services.
struct Request {
  Invocation invocation;
  Connections connections;  // setup, teardown
  Creation creation;        // create

  // The driver of a plugin that has to be run; empty: there is none.
  std::string plugin() const;
};

// The two halves of a call, for a caller that opens the services only when the call is well-formed.
struct Prepared {
  std::optional<Request> request;  // std::nullopt: `outcome` is final
  Outcome outcome;
};
Prepared prepare(const Call& call);

//   create    of a plugin: checks the network and makes it, so that all runtimes can join it at once. The
//             answer has Fairlead's subnets, and the ipam driver "none": addresses are Fairlead's, one
//             source for all runtimes (Podman passes --ip on all the same). What Podman drops of a network
//             without its own addresses, dns_enabled and the name servers, is kept in the options.
//             Of netavark 2: drop_in_create.h.
//   setup     attaches the container to all networks or to none. The same call again answers the same; one
//             for an attachment that is there from another call replaces it, since Podman knows best.
//   teardown  succeeds whatever is missing: namespace, network, attachment. It goes on after errors.
//   update    the name servers of a network of Podman's own that is in use; of others Podman's file says
//             them when they are made.
Outcome perform(const Request& request, const Call& call, const Services& services);

// prepare() and perform().
Outcome run(const Call& call, const Services& services);

// The outcome of a call that failed outside of these.
Outcome failed(const Error& error);

}  // namespace fairlead::netavark
