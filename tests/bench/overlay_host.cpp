// One host of tests/bench/overlay_bench.py: makes an overlay network in the network namespace that
// it runs in, puts one container on it, tells it where another one is, and ends. What it made
// stays.
//
//   overlay_host LOCAL NETNS ADDRESS/LENGTH REMOTE VTEP
//
// NETNS: path of the container's namespace; REMOTE: the other container's address; VTEP: its
// host's.
#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "network/drivers/registry.h"
#include "network/kernel/host/netns.h"
#include "tests/support/alone.h"

namespace fairlead {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().text);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void run(char** arguments) {
  const auto links = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
  const auto tunnels = must(kernel::open_netlink_tunnels());
  const auto drivers = network::make_drivers({*links, *tunnels, "boot-1"});
  network::Driver& driver = *drivers.at("overlay");
  const Cidr address = must(Cidr::parse(arguments[2]));
  const IpAddress gateway = *address.first().plus(1);
  network::Network network{.id = std::string(64, 'b'),
                           .name = must(NetworkName::parse("bench")),
                           .subnets = {{.subnet = address.network(), .gateway = gateway}}};
  network.options.mode = "overlay";
  network.overlay = {.vni = 42, .local = must(IpAddress::parse(arguments[0]))};
  const auto plan = must(driver.plan(network, {}));
  network.links = plan.links;
  network.mtu = plan.mtu;
  const network::Endpoint endpoint{.id = "bench",
                                   .network_id = network.id,
                                   .addresses = {address},
                                   .gateways = {gateway},
                                   .mac = MacAddress::for_ip(address.address()),
                                   .links = testing::veth("flhbench"),
                                   .joined = true};
  const UniqueFd netns = must(kernel::open_netns(arguments[1]));
  testing::NoService context;
  Rollback undo;
  must(driver.attach(network, endpoint,
                     network::IntoNetns{netns.get(), must(IfName::parse("eth0"))}, context, undo));
  undo.commit();
  const IpAddress remote = must(IpAddress::parse(arguments[3]));
  const kernel::RemoteEntry entry{.ip = remote,
                                  .mac = MacAddress::for_ip(remote),
                                  .vtep = must(IpAddress::parse(arguments[4]))};
  const auto changes =
      must(tunnels->sync(network::overlay_device(*network.overlay), std::span(&entry, 1)));
  for (const auto& failure : changes.failures) must(Status(fail(failure.error)));
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  fairlead::run(argv + 1);
  return 0;
}
