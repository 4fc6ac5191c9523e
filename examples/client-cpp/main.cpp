// A network for one network namespace, with Fairlead's client library: makes the network, attaches
// the namespace, publishes a port, lists it, waits for the end of stdin, and removes all of it.
//
//   client-example /run/netns/web [/run/fairlead/api.sock]
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "plugin-api/client/client.h"

namespace net = fairlead::network;

// The value, or the end of the program with what went wrong.
template <class T>
T must(fairlead::Result<T> result) {
  if (!result) {
    std::cerr << "client-example: " << result.error().text << '\n';
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

int main(int argc, char** argv) {
  if (argc < 2) return std::fputs("usage: client-example NETNS [SOCKET]\n", stderr), 2;
  const auto networks = fairlead::client::make_remote_network_service(
      argc > 2 ? argv[2] : fairlead::client::kDefaultSocket);

  net::NetworkSpec spec{.name = must(fairlead::NetworkName::parse("example"))};
  spec.subnets.push_back({.subnet = must(fairlead::Cidr::parse_subnet("10.77.0.0/24"))});
  const net::Network network = must(networks->create_network(spec));

  net::EndpointSpec web{.network = network.name, .id = "web", .container = "web"};
  web.runtime = "example";
  web.netns_path = argv[1];
  const net::IntoNetns place{.ifname = must(fairlead::IfName::parse("eth0"))};
  const net::Attachment attached = must(networks->attach(web, place));
  for (const fairlead::Cidr& address : attached.endpoint.addresses)
    std::cout << "address " << address.to_string() << '\n';

  const net::EndpointRef ref{network.name, web.id};
  const net::PortSpec port{.host_port = 8080, .container_port = 80};
  must(networks->publish(ref, {&port, 1}));
  for (const net::PortHolder& held : must(networks->list_ports()))
    std::cout << "port " << held.port.host_port << " of " << held.container << '\n';

  std::cout << "ready; the end of stdin removes it" << std::endl;
  while (std::cin.get() != EOF) continue;
  must(networks->remove_endpoint(ref));
  must(networks->remove_network(network.name));
}
