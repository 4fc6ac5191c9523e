#include "plugin-api/cli/commands.h"

#include <array>

namespace fairlead::cli {

namespace {

constexpr auto kGroups = std::to_array<Group>({
    {"network", "Create, show and remove networks"},
    {"endpoint", "Show and remove the attachments of containers to networks"},
    {"port", "Show published ports"},
    {"volume", "Create, show and remove volumes"},
});

constexpr auto kCommands = std::to_array<Command>({
    {"network", "ls", "list", "List the networks", "", kNoTrunc | kFilter,
     "fairlead network ls\nfairlead network ls --filter name=shop\nfairlead network rm $(fairlead "
     "network ls -q)",
     network_list},
    {"network", "inspect", "", "Show networks as JSON, which create -f takes again", "NAME", kNames,
     "fairlead network inspect shop\nfairlead network inspect shop > shop.json", network_inspect},
    {"network", "create", "", "Create a network", "NAME", kName | kNetworkSpec | kOptions,
     "fairlead network create shop\n"
     "fairlead network create --subnet 10.89.0.0/24 --gateway 10.89.0.1 --ip-range 10.89.0.128/25 "
     "shop\n"
     "fairlead network create --ipv6 --subnet 10.89.0.0/24 --subnet fd89::/64 -o mtu=1400 --label "
     "team=a shop\n"
     "fairlead network create --internal backend\n"
     "fairlead network create -f shop.json",
     network_create},
    {"network", "rm", "remove", "Remove networks", "NAME", kNames | kForce,
     "fairlead network rm shop backend\nfairlead network rm -f maybe", network_remove},
    {"endpoint", "ls", "list", "List the endpoints", "", kNoTrunc | kNetworkFilter,
     "fairlead endpoint ls\nfairlead endpoint ls --network shop", endpoint_list},
    {"endpoint", "inspect", "", "Show endpoints as JSON", "ENDPOINT", kNames,
     "fairlead endpoint inspect 3f2a9c\nfairlead endpoint inspect shop/3f2a9c\nfairlead endpoint "
     "inspect web",
     endpoint_inspect},
    {"endpoint", "rm", "remove", "Detach containers: interface, addresses and ports", "ENDPOINT",
     kNames | kForce,
     "fairlead endpoint rm shop/3f2a9c\nfairlead endpoint rm $(fairlead endpoint ls -q --network "
     "shop)",
     endpoint_remove},
    {"port", "ls", "list", "List the published ports", "", kNoTrunc | kNetworkFilter,
     "fairlead port ls\nfairlead port ls --network shop --json", port_list},
    {"volume", "ls", "list", "List the volumes", "", kNoTrunc | kFilter,
     "fairlead volume ls\nfairlead volume ls -q --filter name=db", volume_list},
    {"volume", "inspect", "", "Show volumes as JSON", "NAME", kNames,
     "fairlead volume inspect data", volume_inspect},
    {"volume", "create", "", "Create a volume; without a NAME, one is made up", "NAME",
     kName | kOptions,
     "fairlead volume create data\n"
     "fairlead volume create -o uid=1000 -o gid=1000 -o mode=0750 home\n"
     "fairlead volume create --label team=a db",
     volume_create},
    {"volume", "rm", "remove", "Remove volumes", "NAME", kNames | kForce,
     "fairlead volume rm data db\nfairlead volume rm -f maybe", volume_remove},
    {"", "status", "", "Show counts, problems and what was done about other firewalls", "",
     kNothing, "fairlead status\nfairlead status --json", show_status},
    {"", "reconcile", "", "Make the kernel follow what is stored, now", "", kNothing,
     "sudo fairlead reconcile", run_reconcile},
    {"", "version", "", "Show the version", "", kNothing, "fairlead version", show_version},
});

}  // namespace

std::span<const Command> commands() { return kCommands; }
std::span<const Group> groups() { return kGroups; }

}  // namespace fairlead::cli
