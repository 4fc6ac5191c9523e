"""There is no moment at which a container is attached and its rules are not there yet."""

import contextlib
import itertools
import socket

from spoofs import NOBODY_MAC
from street import POLICIES, Street, ruleset, set_bridge_netfilter
from support.e2e import cni, frames
from support.e2e.attacker import Ear, Flood, Guest, marks_in, new_mark, read_stamps, stamped
from support.e2e.case import FairleadCase, HostCase
from support.e2e.host import UPLINK
from support.e2e.waiting import eventually

ATTACHES = 12
FLUSHES = ("flush ruleset", "delete table inet fairlead", "delete table bridge fairlead")
NETWORKS = {"shut": POLICIES["deny"], "open": (*POLICIES["allow"], "-o", "gateway_mode_ipv4=nat-unprotected",
                                               "-o", "gateway_mode_ipv6=nat-unprotected"),
            "no-icc": (*POLICIES["deny"], "-o", "icc=false")}


class Newcomer:
    """A container whose addresses are known before it is attached, and whose program attacks from its first moment."""

    def __init__(self, case, network, number):
        self.case, self.network = case, cni.Network(case.host, cni.fairlead_conflist(network, network=network))
        self.name = f"new-{network}-{number}"
        prefix = case.prefixes[network]
        case.street.containers.make(self.name)
        net = case.street.containers.net(self.name)
        self.guest = Guest(self.name, net, "eth0", f"02:71:00:00:{prefix:02x}:{number:02x}", f"10.71.{prefix}.{100 + number}",
                           f"fd00:71:{prefix}::{100 + number}")
        self.spoofed, self.reached = new_mark(), new_mark()

    def spoofs(self):
        """Under another's MAC, and under another's address."""
        nobody = frames.ipv4("10.71.99.9", "10.71.99.10", frames.UDP, frames.udp("10.71.99.9", "10.71.99.10", 4444, 4444, self.spoofed))
        return (frames.ethernet(frames.BROADCAST, NOBODY_MAC, frames.IPV4, nobody),
                frames.ethernet(frames.BROADCAST, self.guest.mac, frames.IPV4, nobody))

    def attach(self):
        self.network.add(self.name, ips=[f"{self.guest.v4}/24", f"{self.guest.v6}/64"], mac=self.guest.mac)

    def close(self):
        self.network.delete(self.name)
        self.guest.close()
        self.case.street.containers.remove(self.name)


class Window:
    """The neighbour on the network, the neighbour outside and the newcomer itself send all the time."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = cls.enterClassContext(contextlib.ExitStack())
        cls.street = Street(cls.host, stack)
        set_bridge_netfilter(cls.host, 0)
        cls.prefixes = {name: number for number, name in enumerate(NETWORKS, 1)}
        cls.neighbours, cls.bridges = {}, {}
        for name, options in NETWORKS.items():
            cls.street.network(name, "46", cls.prefixes[name], *options)
            cls.neighbours[name] = cls.street.attach(f"old-{name}", name)
            cls.bridges[name] = cls.street.gateway_mac(name)
        cls.host.exec("ping", "-c1", "-W3", "203.0.113.1")
        with cls.host.outside.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
            probe.bind(("eth0", 0))
            mac = probe.getsockname()[4].hex(":")
        cls.outside = cls.street.closing(Guest("outside", cls.host.outside, "eth0", mac, "203.0.113.1", "2001:db8:5::1"))
        cls.uplink_mac = cls.host.link(UPLINK)["address"]
        cls.numbers = itertools.count(1)

    @contextlib.contextmanager
    def under_attack(self, network, by_neighbour=False):
        """A newcomer, yielded not attached yet; afterwards `self.got` is what got through: "spoofed", "reached".

        Of what comes from outside only that counts that is sent when the newcomer's link is up: while a table is gone the host
        forwards to addresses that nobody has, and such a packet waits a while for somebody to have it.
        """
        newcomer = Newcomer(self, network, next(self.numbers))
        neighbour = self.neighbours[network]
        guest = newcomer.guest
        attacker, reaching = self.by_neighbour(neighbour, newcomer) if by_neighbour else self.by_outside(newcomer)
        try:
            with neighbour.ear() as ear, Ear(guest.net, "") as own_ear:
                with Flood(attacker, reaching), Flood(guest, newcomer.spoofs) as spoofing:
                    yield newcomer
                    before = spoofing.rounds
                    eventually(lambda: spoofing.rounds > before + 3, "the newcomer to send")
                spoofed = marks_in(ear.all_so_far(), [newcomer.spoofed])
                stamps = read_stamps(own_ear.all_so_far(), newcomer.reached)
                reached = any(by_neighbour or stamp > spoofing.began for stamp in stamps)
                self.got = {name for name, got in (("spoofed", spoofed), ("reached", reached)) if got}
        finally:
            newcomer.close()

    @staticmethod
    def by_neighbour(neighbour, newcomer):
        def frames_now():
            mark = stamped(newcomer.reached)
            return (neighbour.datagram(frames.BROADCAST, "255.255.255.255", mark),
                    neighbour.datagram(newcomer.guest.mac, newcomer.guest.v4, mark))
        return neighbour, frames_now

    def by_outside(self, newcomer):
        def frames_now():
            mark = stamped(newcomer.reached)
            return tuple(self.outside.datagram(self.uplink_mac, address, mark) for address in (newcomer.guest.v4, newcomer.guest.v6))
        return self.outside, frames_now

    def test_a_newcomer_is_not_reached_and_cannot_spoof(self):
        for number in range(ATTACHES):
            for network, by_neighbour in (("shut", False), ("no-icc", True)):
                with self.subTest(network, number=number):
                    with self.under_attack(network, by_neighbour) as newcomer:
                        newcomer.attach()
                    self.assertEqual(set(), self.got)

    def test_it_is_and_can_where_that_is_allowed(self):
        for by_neighbour in (False, True):
            with self.under_attack("open", by_neighbour) as newcomer:
                newcomer.attach()
                for address in (newcomer.guest.v4, newcomer.guest.v6):
                    eventually(lambda address=address: self.host.net.ping(address), "the newcomer to answer")
            self.assertEqual({"spoofed", "reached"}, self.got)

    def test_a_table_that_is_gone_is_back_before_anything_is_attached(self):
        for round_number in range(3):
            for flush in FLUSHES:
                with self.subTest(flush, round=round_number):
                    with self.under_attack("shut") as newcomer:
                        self.host.exec("nft", flush)
                        newcomer.attach()
                        self.assertEqual({"table inet fairlead", "table bridge fairlead"}, self.tables())
                    self.assertEqual(set(), self.got)

    def tables(self):
        return {line for line in self.host.exec("nft", "list", "tables").out.splitlines() if line.endswith(" fairlead")}

    def closed_again(self):
        """Has the neighbour outside no way to a container, and a container no way to be another?"""
        victim = self.neighbours["shut"]
        with self.under_attack("shut") as newcomer:
            newcomer.attach()
            with victim.ear() as ear:
                mark, last = new_mark(), new_mark()
                self.outside.send(*(self.outside.datagram(self.uplink_mac, address, mark) for address in (victim.v4, victim.v6)))
                with self.host.net.connect(victim.v4, 9, "udp") as sender:
                    sender.send(last)
                return not marks_in(ear.until(last), [mark])


class WithTheDaemon(Window, FairleadCase):
    def test_a_table_that_is_gone_is_put_back(self):
        """How long that takes is measured by tests/bench/spoofing_bench.py."""
        for flush in FLUSHES:
            with self.subTest(flush):
                before = ruleset(self.host)
                self.host.exec("nft", flush)
                eventually(lambda before=before: ruleset(self.host) == before, "the tables to be back")
                self.assertTrue(self.closed_again())
                self.assertEqual(set(), self.got)


class WithoutADaemon(Window, HostCase):
    pass
