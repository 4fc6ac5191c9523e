"""What a container may send: itself, and nothing else. Each attack has its control: it gets through with `-o spoofing=allow`."""

import contextlib
import json
import operator
import unittest

import spoofs
from street import POLICIES, Street, guest_of, has_bridge_netfilter, link_of, set_bridge_netfilter, subnets
from support.e2e import frames
from support.e2e.attacker import Ear, marks_in, new_mark, on_one_cpu
from support.e2e.case import DockerCase, FairleadCase, HostCase
from support.e2e.cluster import Cluster
from support.e2e.docker import stand_in
from support.e2e.host import have_fairlead
from support.e2e.namespaces import Pinger
from support.e2e.waiting import eventually

KINDS = {
    "IPv4": ("4",),
    "IPv6": ("6",),
    "dual stack": ("46",),
    "foreign bridge": ("46", "-o", "bridge={bridge}"),
    "internal": ("46", "--internal"),
    "without icc": ("46", "-o", "icc=false"),
    "called veth": ("46", "-o", "host_interface_prefix=veth"),
    "routed": ("46", "-o", "gateway_mode_ipv4=routed", "-o", "gateway_mode_ipv6=routed"),
}


class Pairs(Street):
    """Two containers on a network of each kind: one network on which spoofing is denied, one that allows it."""

    def __init__(self, host, stack):
        super().__init__(host, stack)
        self.links = {policy: {} for policy in POLICIES}
        for number, (policy, kind) in enumerate((policy, kind) for policy in POLICIES for kind in KINDS):
            self.links[policy][kind] = self._link(number, policy, kind)

    def _link(self, number, policy, kind):
        families, *options = KINDS[kind]
        bridge, name = f"br{number}", f"net{number}"
        if kind == "foreign bridge":
            self.host.exec("ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
            self.host.exec("ip", "link", "set", bridge, "up")
        self.network(name, families, number, *(text.format(bridge=bridge) for text in options), *POLICIES[policy])
        link = link_of(self.host, name, kind, self.attach(f"me{number}", name), self.attach(f"you{number}", name))
        if kind == "foreign bridge":
            link.stranger = self.machine(f"lan{number}", bridge, f"10.71.{number}.200", f"fd00:71:{number}::200")
        return link


def neighbours(host, dev, netns=None):
    """{address: MAC} that a kernel has learned."""
    where = ["-n", netns] if netns else []
    shown = json.loads(host.exec("ip", "-json", *where, "neigh", "show", "dev", dev).out or "[]")
    return {entry["dst"]: entry["lladdr"] for entry in shown if "lladdr" in entry}


def some_of(found, what):
    return f"{len(found)} {what}, such as\n  " + "\n  ".join(sorted(found)[:12])


class Checks:
    """What is asked of a link, wherever it comes from."""

    def assert_denied(self, link):
        heard, expected = spoofs.send_all(link)
        self.assertTrue(expected)
        if heard:
            self.fail(some_of(heard, "got through"))

    def assert_allowed(self, link, kinds=spoofs.KINDS):
        heard, expected = spoofs.send_all(link, kinds)
        if missing := expected - heard:
            self.fail(some_of(missing, "did not get through"))

    def claim_all(self, link):
        """Says of every address of the link, to the host and to the neighbour, that the attacker has it."""
        me = link.me
        with link.places()["the host"][1]() as ear, on_one_cpu():
            for to in [mac for mac, _ in link.places().values()]:
                for address in (link.neighbour.v4, link.gateway if "." in link.gateway else ""):
                    if address:
                        me.send(*(frames.ethernet(to, me.mac, frames.ARP, frames.arp(
                            operation, me.mac, address, to, target)) for operation in (1, 2) for target in (
                                link.gateway, link.neighbour.v4)))
                gateways = [link.gateway] if ":" in link.gateway else []
                for address in filter(None, (link.neighbour.v6, link.neighbour.link_local, *gateways)):
                    me.send(frames.ethernet(to, me.mac, frames.IPV6, frames.ipv6(address, frames.ALL_NODES, frames.ICMPV6,
                            frames.advertisement(address, frames.ALL_NODES, address, me.mac), hops=255)))
                    me.send(frames.ethernet(to, me.mac, frames.IPV6, frames.ipv6(me.link_local, frames.ALL_NODES, frames.ICMPV6,
                            frames.advertisement(me.link_local, frames.ALL_NODES, address, me.mac, solicited=True), hops=255)))
            last = new_mark()
            me.send(*(me.datagram(mac, target, last) for mac, target in link.last_words()))
            ear.until(last)

    def learn_each_other(self, link):
        """The host and the neighbour know each other's MAC addresses, and may be told others from now on."""
        link.host.exec("sysctl", "-qw", f"net.ipv4.neigh.{link.bridge}.locktime=0")
        link.host.exec("ip", "neigh", "flush", "dev", link.bridge)
        link.host.exec("ip", "-n", link.neighbour.name, "neigh", "flush", "dev", "eth0")
        link.neighbour.send(link.neighbour.greeting(new_mark()))
        with link.neighbour.net.entered(), open("/proc/sys/net/ipv4/neigh/eth0/locktime", "w", encoding="ascii") as file:
            file.write("0")
        for address in filter(None, (link.neighbour.v4, link.neighbour.v6)):
            self.assertIsNotNone(link.host.net.ping(address))

    def poisoned(self, link):
        """Addresses that the host or the neighbour have at the attacker's MAC, and that are not the attacker's."""
        own = {link.me.v4, link.me.v6, link.me.link_local}
        found = {"the host": neighbours(link.host, link.bridge), "the neighbour": neighbours(link.host, "eth0", link.neighbour.name)}
        return {(who, address) for who, known in found.items() for address, mac in known.items()
                if mac == link.me.mac and address not in own}

    def poisoned_by_claims(self, link):
        self.learn_each_other(link)
        self.claim_all(link)
        return self.poisoned(link)

    def port_of(self, link, mac):
        shown = json.loads(link.host.exec("bridge", "-json", "fdb", "show", "br", link.bridge).out)
        return {entry["ifname"] for entry in shown if entry["mac"] == mac}


class Spoofing(Checks):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = cls.enterClassContext(contextlib.ExitStack())
        cls.street = Pairs(cls.host, stack)
        cls.denied, cls.allowed = (cls.street.links[policy] for policy in POLICIES)

    def settings(self):
        """With what bridges hand to iptables, and without."""
        for value in (0, 1) if has_bridge_netfilter(self.host) else (None,):
            if value is not None:
                set_bridge_netfilter(self.host, value)
            yield value

    def test_nothing_arrives_that_is_another_s(self):
        for value in self.settings():
            for kind, link in self.denied.items():
                with self.subTest(kind, br_netfilter=value):
                    self.assert_denied(link)

    def test_all_of_it_arrives_where_it_is_allowed(self):
        """With br_netfilter the routed firewall sees bridged packets too, and knows sources that have no way back."""
        for value in self.settings():
            for kind, link in self.allowed.items():
                with self.subTest(kind, br_netfilter=value):
                    self.assert_allowed(link, (spoofs.macs, spoofs.arps, spoofs.tagged, spoofs.others) if value else spoofs.KINDS)

    def test_nobody_s_neighbours_are_poisoned(self):
        for kind, link in self.denied.items():
            with self.subTest(kind):
                self.assertEqual(set(), self.poisoned_by_claims(link))
                for address in filter(None, (link.neighbour.v4, link.neighbour.v6)):
                    self.assertIsNotNone(self.host.net.ping(address))

    def test_they_are_where_it_is_allowed(self):
        set_bridge_netfilter(self.host, 0)
        for kind, link in self.allowed.items():
            with self.subTest(kind):
                wanted = {("the host", address) for address in (link.neighbour.v4, link.neighbour.v6) if address}
                wanted |= {("the neighbour", link.gateway)} if link.icc else set()
                # (Who is asked meanwhile says how it is.)
                eventually(lambda link=link, wanted=wanted: wanted <= self.poisoned_by_claims(link), "the neighbours to be poisoned")

    def move_the_neighbour(self, link, target):
        """The ports that the bridge has the neighbour's MAC at, before a frame of the attacker's to `target` under it and after."""
        link.neighbour.send(link.neighbour.greeting(new_mark()))
        before = self.port_of(link, link.neighbour.mac)
        last = new_mark()
        with Ear(self.host.net, link.bridge) as ear, on_one_cpu():
            link.me.send(frames.ethernet(target, link.neighbour.mac, spoofs.OTHER_ETHERTYPES["LLDP"], new_mark()))
            link.me.send(link.me.datagram(link.gateway_mac, link.gateway, last))
            ear.until(last)
        return before, self.port_of(link, link.neighbour.mac)

    # All that a bridge keeps for itself (IEEE 802.1D), in groups that Linux treats alike, and what it passes on.
    TARGETS = ("01:80:c2:00:00:00", "01:80:c2:00:00:02", "01:80:c2:00:00:03", frames.NEAREST_BRIDGE, "01:80:c2:00:00:0f",
               frames.BROADCAST, spoofs.NOBODY_MAC)

    def test_the_bridge_does_not_look_for_the_neighbour_where_the_attacker_is(self):
        for kind, link in self.denied.items():
            for target in self.TARGETS:
                with self.subTest(kind, target=target):
                    before, after = self.move_the_neighbour(link, target)
                    self.assertEqual(before, after)

    def test_it_does_where_it_is_allowed(self):
        for kind, link in self.allowed.items():
            self.host.exec("ip", "link", "set", link.bridge, "type", "bridge", "no_linklocal_learn", "0")
            for target in self.TARGETS:
                with self.subTest(kind, target=target):
                    # (A word of the neighbour's own kernel takes it back.)
                    eventually(lambda link=link, target=target: operator.ne(*self.move_the_neighbour(link, target)), "it to be moved")

    @contextlib.contextmanager
    def spanning_tree(self, link):
        """A bridge that takes part in one keeps BPDUs for itself, and shows them to no firewall."""
        def set_to(state):
            self.host.exec("ip", "link", "set", link.bridge, "type", "bridge", "forward_delay", "200", "stp_state", state)
            eventually(lambda: all(self.state_of(link, guest) == "forwarding" for guest in (link.me, link.neighbour)), "the ports", 20)
        set_to("1")
        try:
            yield
        finally:
            set_to("0")

    def state_of(self, link, guest):
        guest.send(guest.greeting(new_mark()))
        port, = self.port_of(link, guest.mac)
        return self.host.link(port)["linkinfo"]["info_slave_data"]["state"]

    def test_nor_with_a_spanning_tree(self):
        link = self.denied["foreign bridge"]
        with self.spanning_tree(link):
            before, after = self.move_the_neighbour(link, self.TARGETS[0])
            self.assertEqual(before, after)

    def test_it_does_with_a_spanning_tree_where_it_is_allowed(self):
        link = self.allowed["foreign bridge"]
        with self.spanning_tree(link):
            eventually(lambda: operator.ne(*self.move_the_neighbour(link, self.TARGETS[0])), "it to be moved")

    def test_nothing_leaves_the_host_under_a_neighbour_s_address(self):
        for policy, links in self.street.links.items():
            for kind in ("IPv4", "dual stack", "IPv6", "foreign bridge"):
                with self.subTest(kind, policy=policy):
                    link = links[kind]
                    mark, last = new_mark(), new_mark()
                    target = "203.0.113.1" if link.me.v4 else "2001:db8:5::1"
                    with Ear(self.host.outside, "eth0") as ear, on_one_cpu():
                        self.assertIsNotNone(self.host.net.ping(target))  # its MAC address is known: nothing waits for that
                        link.me.send(link.me.datagram(link.gateway_mac, target, mark, link.neighbour.v4 or link.neighbour.v6))
                        link.me.send(link.me.datagram(link.gateway_mac, target, last))
                        heard = marks_in(ear.until(last), [mark])
                    self.assertEqual(set() if policy == "deny" else {mark}, heard)

    def test_a_container_on_two_networks_is_each_of_itself_on_its_own(self):
        one, two = self.denied["dual stack"], self.denied["routed"]
        first = self.street.attach("both", "net2")
        second = self.street.attach("both", f"net{list(KINDS).index('routed')}", "eth1", new=False)
        for guest, link in ((first, one), (second, two)):
            with link.neighbour.ear() as ear, on_one_cpu():
                ours, theirs = new_mark(), new_mark()
                other = first if guest is second else second
                for source, target in ((other.v4, link.neighbour.v4), (other.v6, link.neighbour.v6)):
                    guest.send(guest.datagram(link.neighbour.mac, target, theirs, source))
                guest.send(guest.datagram(link.neighbour.mac, link.neighbour.v4, ours))
                self.assertEqual(set(), marks_in(ear.until(ours), [theirs]))
            for address in (link.gateway, link.neighbour.v4, link.neighbour.v6):
                self.assertIsNotNone(first.net.ping(address))

    # ---- what is legitimate

    def own_frames(self, link):
        """{mark: (name, frame)} of what a container's kernel sends by itself and its programs may."""
        me, own = link.me, link.me.link_local
        found = {"to all": lambda mark: me.greeting(mark)}

        def nd(source, message):
            return frames.ethernet(frames.ALL_NODES_MAC, me.mac, frames.IPV6, frames.ipv6(
                source, frames.ALL_NODES, frames.ICMPV6, message, hops=255))

        if me.v4:
            nobody = "00:00:00:00:00:00"
            found |= {
                "ARP probe": lambda mark: frames.ethernet(frames.BROADCAST, me.mac, frames.ARP, frames.arp(
                    1, me.mac, "0.0.0.0", nobody, me.v4, mark)),
                "ARP announcement": lambda mark: frames.ethernet(frames.BROADCAST, me.mac, frames.ARP, frames.arp(
                    1, me.mac, me.v4, nobody, me.v4, mark)),
                "gratuitous ARP answer": lambda mark: frames.ethernet(frames.BROADCAST, me.mac, frames.ARP, frames.arp(
                    2, me.mac, me.v4, frames.BROADCAST, me.v4, mark)),
                "multicast": lambda mark: me.datagram("01:00:5e:00:00:fb", "224.0.0.251", mark, ports=(5353, 5353)),
            }
        if me.v6:
            found |= {
                "DAD": lambda mark: nd("::", frames.solicitation("::", frames.ALL_NODES, me.v6, None, mark)),
                "DAD of the link-local": lambda mark: nd("::", frames.solicitation("::", frames.ALL_NODES, own, None, mark)),
                "NS": lambda mark: nd(own, frames.solicitation(own, frames.ALL_NODES, link.neighbour.v6, me.mac, mark)),
                "NA": lambda mark: nd(me.v6, frames.advertisement(me.v6, frames.ALL_NODES, me.v6, me.mac, mark)),
                "NA of the link-local": lambda mark: nd(own, frames.advertisement(own, frames.ALL_NODES, own, me.mac, mark)),
                "RS": lambda mark: nd(own, frames.router_solicitation(own, frames.ALL_NODES, mark)),
                "MLD report": lambda mark: frames.ethernet(frames.multicast_mac(frames.MLD_ROUTERS), me.mac, frames.IPV6,
                                                           frames.mld_report(own, "ff05::" + mark[2:4].hex() + ":" + mark[4:].hex())),
                "MLD report before there is an address": lambda mark: frames.ethernet(
                    frames.multicast_mac(frames.MLD_ROUTERS), me.mac, frames.IPV6, frames.mld_report(
                        "::", "ff05::" + mark[2:4].hex() + ":" + mark[4:].hex())),
                "link-local talk": lambda mark: me.datagram(frames.ALL_NODES_MAC, frames.ALL_NODES, mark, own),
                "multicast, IPv6": lambda mark: me.datagram(frames.multicast_mac("ff02::fb"), "ff02::fb", mark, ports=(5353, 5353)),
            }
        return {mark: (name, make(mark)) for name, make in found.items() for mark in (new_mark(),)}

    def test_what_is_its_own_passes(self):
        for value in self.settings():
            for kind, link in self.denied.items():
                own = self.own_frames(link)
                for place, (_, make) in link.places().items():
                    with self.subTest(kind, place=place, br_netfilter=value), make() as ear, on_one_cpu():
                        last = new_mark()
                        link.me.send(*(frame for _, frame in own.values()))
                        link.me.send(*(link.me.datagram(mac, target, last) for mac, target in link.last_words()))
                        heard = ear.until(last)
                        # (The mark of an MLD report is in the address of the group.)
                        missing = [name for mark, (name, _) in own.items() if not any(mark[2:] in frame for frame in heard)]
                        self.assertEqual([], missing)

    def test_pings_of_every_size_and_connections_pass(self):
        for value in self.settings():
            for kind, link in self.denied.items():
                with self.subTest(kind, br_netfilter=value):
                    others = [link.neighbour] if link.icc else []
                    others += [link.stranger] if link.stranger else []
                    for address in filter(None, [link.gateway] + [each for guest in others for each in (guest.v4, guest.v6)]):
                        self.assertIsNotNone(link.me.net.ping(address), address)
                        self.assert_big_pings(link.me, address)
                        self.assertIsNotNone(link.host.net.ping(link.me.v4 or link.me.v6))

    def assert_big_pings(self, guest, address):
        """Of 8000 bytes: in fragments, there and back."""
        with Pinger(guest.net, ":" in address, payload=bytes(8000)) as pinger:
            self.assertIsNotNone(pinger.ping(address), f"8000 bytes to {address}")


class WithTheDaemon(Spoofing, FairleadCase):
    def test_it_stays_so_when_the_daemon_ends(self):
        self.assertEqual(0, self.fairleadd.stop())
        try:
            for kind, link in self.denied.items():
                with self.subTest(kind):
                    self.assert_denied(link)
        finally:
            self.restart_fairleadd()


class WithoutADaemon(Spoofing, HostCase):
    pass


class OfDocker(Checks, DockerCase):
    """dockerd moves the link into the container, and names it there."""

    def setUp(self):
        super().setUp()
        self.stack = self.enterContext(contextlib.ExitStack())
        set_bridge_netfilter(self.host, 0)

    def link(self, number, policy):
        name = f"{policy}{number}"
        self.docker.network(name, "--ipv6", *subnets("46", number), *POLICIES[policy])
        for container in ("me", "you"):
            self.docker.run(f"{container}{number}", network=name, wait=False)
        network = "docker-" + self.docker.inspect("network", name)["Id"][:12]
        return link_of(self.host, network, "Docker", self.guest(f"me{number}", name), self.guest(f"you{number}", name))

    def guest(self, container, network):
        attachment = self.docker.attachment(container, network)
        ifname = next(name for name, link in self.docker.links(container).items()
                      if any(address["local"] == attachment["IPAddress"] for address in link["addr_info"]))
        guest = guest_of(container, self.docker.net(container), ifname,
                         [attachment["IPAddress"], attachment["GlobalIPv6Address"]], attachment["MacAddress"])
        self.stack.callback(guest.close)
        return guest

    def test_nothing_arrives_that_is_another_s(self):
        self.assert_denied(self.link(1, "deny"))
        self.assert_allowed(self.link(2, "allow"))

    def test_after_a_restart_and_on_a_second_network(self):
        link = self.link(1, "deny")
        self.docker("restart", "--time", "0", "me1")
        self.docker("network", "create", "other")
        self.docker.run("late", network="other", wait=False)
        self.docker.connect("deny1", "late")
        for name in ("me1", "late"):
            with self.subTest(name):
                link.me = self.guest(name, "deny1")
                self.assert_denied(link)


class OfAnOverlay(Checks, unittest.TestCase):
    """The neighbour on the own host and the one on another."""

    waits = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not have_fairlead() or stand_in():
            raise unittest.SkipTest("no fairleadd in the folder of --bin")
        cls.nodes = cls.enterClassContext(Cluster(hosts=2, docker=False)).nodes
        cls.stack = cls.enterClassContext(contextlib.ExitStack())

    def guest(self, node, name, network):
        node.attach(name, network)
        shown = json.loads(node.host.exec("ip", "-json", "-n", name, "address", "show", "eth0").out)[0]
        addresses = [entry["local"] for entry in shown["addr_info"] if entry["scope"] == "global"]
        guest = guest_of(name, node.host.named_net(name), "eth0", addresses, shown["address"])
        self.stack.callback(guest.close)
        return guest

    def link(self, policy, number):
        here, there = self.nodes
        for node in self.nodes:
            node.host.fairlead("network", "create", "-o", "mode=overlay", *subnets("46", number), *POLICIES[policy], policy)
            set_bridge_netfilter(node.host, 0)
        me, neighbour = self.guest(here, f"me-{policy}", policy), self.guest(here, f"you-{policy}", policy)
        link = link_of(here.host, policy, "overlay", me, neighbour)
        link.stranger, link.tunnel = self.guest(there, f"far-{policy}", policy), True
        for guest in (neighbour, link.stranger):
            eventually(lambda guest=guest: me.net.ping(guest.v4), f"{guest.name} to be reached")
        return link

    def test_nothing_arrives_that_is_another_s(self):
        self.assert_denied(self.link("deny", 50))

    def test_all_of_it_arrives_where_it_is_allowed(self):
        self.assert_allowed(self.link("allow", 51))
