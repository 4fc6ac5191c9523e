// The name service alone: dns_server ADDRESS COUNT answers "c0", "c1", ... of a network with that gateway, whose containers
// have the addresses behind it, until its stdin ends. Prints a line once it does.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>

#include "network/dns/directory.h"
#include "network/dns/server.h"

namespace {

using namespace fairlead;

std::vector<dns::Host> hosts(const IpAddress& gateway, unsigned count) {
  std::vector<dns::Host> hosts;
  for (unsigned i = 0; i < count; ++i) {
    const std::string name = "c" + std::to_string(i);
    hosts.push_back({.network = "bench",
                     .endpoint = name,
                     .owner = name,
                     .names = {name, "alias-" + name},
                     .addresses = {*gateway.plus(1 + i)},
                     .ports = {},
                     .servers = {}});
  }
  return hosts;
}

int run(const IpAddress& gateway, unsigned count) {
  const auto directory = dns::make_directory();
  dns::Zone zone{.network = "bench", .names = {"bench"}, .domain = {}};
  zone.gateways = {gateway};
  zone.subnets = {Cidr::of(gateway, 16).network()};
  directory->replace({zone}, hosts(gateway, count));
  std::promise<void> bound;
  bool told = false;
  auto server = dns::start_server(*directory, {},
                                  {.on_served =
                                       [&](const std::vector<dns::Served>& served) {
                                         if (told || served.empty() || served[0].port != 53) return;
                                         told = true;
                                         bound.set_value();
                                       },
                                   .on_upstreams = {}});
  if (!server) return 1;
  (*server)->serve({{.network = "bench", .address = gateway}});
  if (bound.get_future().wait_for(std::chrono::seconds(10)) != std::future_status::ready) return 1;
  std::puts("ready");
  std::fflush(stdout);
  for (char byte = 0; ::read(STDIN_FILENO, &byte, 1) > 0;) {
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto gateway = IpAddress::parse(argv[1]);
  if (!gateway) return 2;
  return run(*gateway, static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
}
