"""Networks and containers of a host that attack each other: by CNI, with the daemon and without."""

import contextlib
import json

from spoofs import Link
from support.e2e import cni
from support.e2e.attacker import Guest
from support.e2e.snapshot import without_questions

POLICIES = {"deny": (), "allow": ("-o", "spoofing=allow")}


def subnets(families, number):
    """The words for `network create`: 10.71.<number>.0/24, fd00:71:<number>::/64."""
    found = (("4", f"10.71.{number}.0/24"), ("6", f"fd00:71:{number}::/64"))
    return [word for family, subnet in found if family in families for word in ("--subnet", subnet)]


def guest_of(name, net, ifname, addresses, mac):
    families = {":" in address: address for address in addresses}
    return Guest(name, net, ifname, mac, families.get(False, ""), families.get(True, ""))


def inspect(host, network):
    return json.loads(host.fairlead("network", "inspect", network).out)[0]


def link_of(host, network, kind, me, neighbour):
    shown = inspect(host, network)
    bridge = shown["state"]["bridge"]
    mac = host.link(bridge)["address"]
    return Link(kind, me, neighbour, host, bridge, mac, shown["subnets"][0]["gateway"], icc=shown["options"].get("icc") != "false")


def set_bridge_netfilter(host, value):
    """Whether bridges hand what they pass on to iptables, as most hosts with Docker have it."""
    host.exec("sysctl", "-qw", *(f"net.bridge.bridge-nf-call-{what}tables={value}" for what in ("ip", "ip6", "arp")))


def has_bridge_netfilter(host):
    return host.path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists()


def ruleset(host):
    """The words of all tables, sorted: sets keep no order."""
    return sorted(without_questions(host.exec("nft", "--stateless", "list", "ruleset").out).replace(",", " ").split())


class Street:
    """What the containers of a class live on. Closed with the stack."""

    def __init__(self, host, stack: contextlib.ExitStack):
        self.host, self._stack = host, stack
        cni.install_fairlead(host)
        self.containers = cni.Containers(host)
        self.first_hops = {}  # container: the MAC by which its packets leave its link, the bridge's or that of the host's end

    def network(self, name, families, number, *options):
        self.host.fairlead("network", "create", *subnets(families, number), *options, name)
        return name

    def attach(self, container, network, ifname="eth0", new=True, ports=()):
        if new:
            self.containers.make(container)
        conflist = cni.fairlead_conflist(network, network=network)
        result = cni.Network(self.host, conflist).add(container, ifname, ports=ports)
        mac = next(interface["mac"] for interface in result["interfaces"] if interface.get("sandbox"))
        self.first_hops.setdefault(container, result["interfaces"][0]["mac"])
        addresses = [entry["address"].split("/")[0] for entry in result["ips"]]
        return self.closing(guest_of(container, self.containers.net(container), ifname, addresses, mac))

    def closing(self, guest):
        self._stack.callback(guest.close)
        return guest

    def gateway_mac(self, network):
        return inspect(self.host, network)["state"]["bridge_mac"]

    def gateways(self, network):
        """The gateway's addresses: ("10.71.0.1", "fd00:71::1"), in the order of the subnets."""
        return [subnet["gateway"] for subnet in inspect(self.host, network)["subnets"]]

    def machine(self, name, bridge, v4, v6):
        """One on a bridge of the host's, that no runtime has put there."""
        self.containers.make(name)
        for command in (f"link add port-{name} type veth peer name eth0 netns {name}", f"link set port-{name} master {bridge} up",
                        f"-n {name} addr add {v4}/24 dev eth0", f"-n {name} addr add {v6}/64 dev eth0 nodad",
                        f"-n {name} link set eth0 up"):
            self.host.exec("ip", *command.split())
        mac = json.loads(self.host.exec("ip", "-json", "-n", name, "link", "show", "eth0").out)[0]["address"]
        return self.closing(Guest(name, self.containers.net(name), "eth0", mac, v4, v6))
