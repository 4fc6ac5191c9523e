"""What a container on a network of mode `routed` may send. It has a link to the host of its own, so that all goes by the host: nothing of
what is another's reaches another container or the outside, or changes what the host or another container knows."""

import contextlib
import json
import unittest

import spoofs
import test_between_networks
from between import FAMILIES, Between, bound
from street import Street
from support.e2e import frames
from support.e2e.attacker import Ear, marks_in, new_mark, on_one_cpu
from support.e2e.case import FairleadCase, HostCase
from support.e2e.host import UPLINK
from support.e2e.waiting import eventually

KINDS = {
    "IPv4": ("4",),
    "IPv6": ("6",),
    "dual stack": ("46",),
    "internal": ("46", "--internal"),
    "routed gateways": ("46", "-o", "gateway_mode_ipv4=routed", "-o", "gateway_mode_ipv6=routed"),
}
# A MAC address ends with the link to the host: what matters is under which address a packet is.
ATTACKS = tuple(kind for kind in spoofs.KINDS if kind != spoofs.macs)


class Link(spoofs.Link):
    """The host routes what is sent to its end of the link; of a broadcast it takes what it answers."""

    def places(self):
        return {"the neighbour": (self.gateway_mac, self.neighbour.ear)}

    def last_words(self):
        return [(self.gateway_mac, self.neighbour.v4 or self.neighbour.v6)]


class Pairs(Street):
    """Two containers on a network of each kind."""

    def __init__(self, host, stack):
        super().__init__(host, stack)
        self.links = {kind: self._link(number, kind) for number, kind in enumerate(KINDS)}

    def _link(self, number, kind):
        families, *options = KINDS[kind]
        name = f"net{number}"
        self.network(name, families, number, "--mode", "routed", *options)
        me, neighbour = self.attach(f"me{number}", name), self.attach(f"you{number}", name)
        return Link(kind, me, neighbour, self.host, self.link_to(me), self.mac_to(me), self.gateways(name)[0])

    def link_to(self, guest):
        """The host's end of the guest's link."""
        shown = next(endpoint for endpoint in self.host.endpoints() if endpoint["container"] == guest.name)
        return shown["state"]["host_ifname"]

    def mac_to(self, guest):
        return self.host.link(self.link_to(guest))["address"]


class Spoofing:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.street = Pairs(cls.host, cls.enterClassContext(contextlib.ExitStack()))
        for link in cls.street.links.values():
            for address in filter(None, (link.me.v4, link.me.v6, link.neighbour.v4, link.neighbour.v6)):
                eventually(lambda address=address: cls.host.net.ping(address), address)

    def heard_by_the_neighbour(self, link):
        heard, _ = spoofs.send_all(link, ATTACKS)
        # Under the own address, behind a priority tag that the host takes off: it is the container's own word.
        return {what for what in heard if "own address" not in what}

    def test_nothing_arrives_that_is_another_s(self):
        for kind, link in self.street.links.items():
            with self.subTest(kind):
                self.assertEqual(set(), self.heard_by_the_neighbour(link))

    def test_the_control_without_the_rules_it_does(self):
        """The kernel alone lets through what has a way back by another link."""
        for kind, link in self.street.links.items():
            with self.subTest(kind), Between.unfiltered(self):
                heard = self.heard_by_the_neighbour(link)
                self.assertIn(f"address of the outside{'' if link.me.v4 else ', IPv6'}, sent to the neighbour, heard by the neighbour", heard)

    def known(self, link):
        """What the host and the neighbour know of addresses, ways and neighbours, but for how fresh it is."""
        def shown(where, family, *words):
            rows = json.loads(self.host.exec("ip", "-json", *where, family, *words).out or "[]")
            return sorted(f"{row['dst']} by {row.get('gateway')} dev {row.get('dev')} table {row.get('table')}" for row in rows
                          if row and not row["dst"].startswith(("fe80", "ff00")))  # a link-local address comes a moment after its link

        found = {}
        for who, where in (("the host", ()), ("the neighbour", ("-n", link.neighbour.name))):
            for family in ("-4", "-6"):
                found |= {(who, family, "ways"): shown(where, family, "route", "show", "table", "all"),
                          (who, family, "cached ways"): shown(where, family, "route", "show", "cached")}
            found |= {(who, "neighbours"): {entry: mac for entry, mac in self.neighbours(where).items()
                                            if entry[0] not in (link.bridge, UPLINK)}}  # the attacker's own link, and the outside
        return found

    def neighbours(self, where):
        shown = json.loads(self.host.exec("ip", "-json", *where, "neigh").out or "[]")
        return {(entry["dev"], entry["dst"]): entry["lladdr"] for entry in shown if "lladdr" in entry}

    def test_nobody_knows_anything_else_afterwards(self):
        """Not by redirects, router advertisements, claims of addresses, or ICMP errors."""
        for kind, link in self.street.links.items():
            with self.subTest(kind):
                for address in filter(None, (link.neighbour.v4, link.neighbour.v6)):
                    self.assertIsNotNone(self.host.net.ping(address))
                before = self.known(link)
                with on_one_cpu():
                    for to in (link.gateway_mac, frames.BROADCAST, frames.ALL_NODES_MAC):
                        for make in (make for kind_of in spoofs.KINDS for _, make in kind_of(link, to)):
                            link.me.send(make(new_mark()))
                    for claimed in filter(None, (link.neighbour.v4, link.neighbour.v6, link.gateway)):
                        link.me.send(*self.redirects(link, claimed))
                self.assertIsNotNone(link.me.net.ping(link.neighbour.v4 or link.neighbour.v6))  # all before has been looked at
                after = self.known(link)
                for what, value in before.items():
                    self.assertEqual(value, after[what], what)

    @staticmethod
    def redirects(link, address):
        """ICMP: "send what goes to `address` to me", to the host and by it to the neighbour, in the name of the gateway."""
        me = link.me
        if ":" in address:
            source = frames.link_local(link.gateway_mac)
            for target in (link.neighbour.v6, link.gateway):
                if ":" in target:
                    yield frames.ethernet(link.gateway_mac, me.mac, frames.IPV6, frames.ipv6(
                        source, target, frames.ICMPV6, frames.redirect(source, target, address, me.link_local), hops=255))
            return
        for target in (link.neighbour.v4, link.gateway):
            if target and ":" not in target and me.v4:
                quoted = frames.ipv4(target, address, frames.UDP, frames.udp(target, address, 4444, 4444, b"redirected"))
                for source in (link.gateway, me.v4):
                    if ":" not in source:
                        yield frames.ethernet(link.gateway_mac, me.mac, frames.IPV4, frames.ipv4(
                            source, target, frames.ICMP, frames.icmp(5, 1, int.from_bytes(frames.ip(me.v4), "big"), quoted)))

    def test_what_is_the_neighbours_goes_to_the_neighbour(self):
        """After every claim that its addresses are here."""
        for kind, link in self.street.links.items():
            with self.subTest(kind):
                for kind_of in (spoofs.arps, spoofs.neighbour_discovery):
                    for _, make in kind_of(link, link.gateway_mac):
                        link.me.send(make(new_mark()))
                for address in filter(None, (link.neighbour.v4, link.neighbour.v6)):
                    mark, last = new_mark(), new_mark()
                    with link.me.ear() as mine, link.neighbour.ear() as its, on_one_cpu():
                        for target, said in ((address, mark), (address, last)):
                            with self.host.net.connect(target, 9, "udp") as sender:
                                sender.send(said)
                        self.assertEqual({mark}, marks_in(its.until(last), [mark]))
                        self.assertEqual(set(), marks_in(mine.all_so_far(), [mark, last]))

    def test_nothing_of_the_neighbour_s_reaches_the_host_or_the_outside(self):
        """Datagrams under the addresses of others, to a service of the host and to the outside."""
        for kind, link in self.street.links.items():
            if kind == "internal":
                continue
            for family, (host, outside) in FAMILIES.items():
                own = link.me.v6 if family == "IPv6" else link.me.v4
                if not own:
                    continue
                with self.subTest(kind, family=family), bound(self.host.net, "::", 4444) as service, \
                        Ear(self.host.outside, "eth0") as ear, on_one_cpu():
                    self.assertIsNotNone(self.host.net.ping(outside))
                    marks = {}
                    for who, source in link.foreign().items():
                        if (":" in source) == (family == "IPv6"):
                            for target in (host, outside):
                                marks[who, target] = new_mark()
                                link.me.send(link.me.datagram(link.gateway_mac, target, marks[who, target], source))
                    last = new_mark()
                    for target in (host, outside):
                        link.me.send(link.me.datagram(link.gateway_mac, target, last))
                    got = set()
                    while last not in (data := service.recv(2048)):
                        got.add(data)
                    heard = marks_in(ear.until(last), marks.values()) | {mark for mark in marks.values() if mark in got}
                    self.assertEqual(set(), {key for key, mark in marks.items() if mark in heard})

    def test_what_is_its_own_passes(self):
        for kind, link in self.street.links.items():
            with self.subTest(kind):
                for address in filter(None, (link.gateway, link.neighbour.v4, link.neighbour.v6)):
                    self.assertIsNotNone(link.me.net.ping(address), address)


class WithTheDaemon(Spoofing, FairleadCase):
    # The daemon puts the rules back at once.
    test_the_control_without_the_rules_it_does = None


class WithoutADaemon(Spoofing, HostCase):
    pass


class ForgedWithoutBridges(test_between_networks.Forged):
    """Between networks, and into the flows of others: attackers and victims without a bridge."""

    mode = ("--mode", "routed")
    policies = ("deny",)  # the other one is refused


class ForgedIntoBridges(test_between_networks.Forged):
    """The attackers have none, and the victims are on bridges."""

    mode = ("--mode", "routed")
    policies = ("deny",)
    mode_of_victims = ()


if __name__ == "__main__":
    unittest.main()
