"""What passes between networks, and out of the host: the source is checked before a flow is believed."""

import contextlib
import unittest

from between import FAMILIES, Between, bound, say
from street import POLICIES, Street, has_bridge_netfilter
from support.e2e import frames
from support.e2e.attacker import Ear, marks_in, new_mark, on_one_cpu
from support.e2e.case import FairleadCase, HostCase
from support.e2e.host import HOST_V4, HOST_V6, OUTSIDE_V4, OUTSIDE_V6

SERVER, CLIENT = 7001, 5555


class Forged(Between, HostCase):
    """Packets of others' flows, sources that are nobody's: from plain and internal networks, spoofing allowed or not."""

    mode, mode_of_victims = (), None  # options of the networks; None: the same
    policies = tuple(POLICIES)

    @classmethod
    def make_networks(cls):
        numbers = iter(range(1, 100))
        cls.attackers = {}
        for policy in cls.policies:
            for kind, more in (("plain", ()), ("internal", ("--internal",)), ("no-icc", ("-o", "icc=false"))):
                name = f"{kind}-{policy}"
                cls.attackers[name] = cls.one(f"a-{name}", name, *cls.mode, *more, *POLICIES[policy], number=next(numbers))
        mode = cls.mode if cls.mode_of_victims is None else cls.mode_of_victims
        cls.victims = {
            "masqueraded": cls.one("b-masq", "masq", *mode, number=next(numbers)),
            "routed": cls.one("b-routed", "routed", *mode, "-o", "gateway_mode_ipv4=routed", "-o", "gateway_mode_ipv6=routed",
                              number=next(numbers))}
        cls.published = cls.street.attach("b-published", "masq", ports=[(8053, 53, "udp")])
        routed = [(guest.v4, guest.v6) for guest in cls.victims.values()]
        for v4, v6 in routed:
            cls.host.outside_ip(f"route replace {v4}/32 via {HOST_V4}", f"-6 route replace {v6}/128 via {HOST_V6}")
        cls.know_each_other(*cls.victims.values(), cls.published, *cls.attackers.values())

    @contextlib.contextmanager
    def flow(self, victim, family):
        """(the victim's socket, the outside's, the address and port that the outside sees) of a flow that was answered."""
        server_address = FAMILIES[family][1]
        with bound(self.host.outside, server_address, SERVER) as server, \
                bound(victim.net, victim.v6 if family == "IPv6" else victim.v4, CLIENT) as client:
            client.connect((server_address, SERVER))
            client.send(b"question")
            _, seen = server.recvfrom(99)
            server.sendto(b"answer", seen)
            self.assertEqual(b"answer", client.recv(99))
            yield client, server, seen[:2]

    def arrived(self, client, server, seen, mark):
        """Did the mark reach the client's socket, before an answer of the real server?"""
        server.sendto(b"last", seen)
        got = set()
        while (data := client.recv(2048)) != b"last":
            got.add(data)
        return mark in got

    def test_a_forged_answer_reaches_no_other_network(self):
        for lifted, rules in self.both():
            with rules():
                for (kind, victim), family in ((pair, family) for pair in self.victims.items() for family in FAMILIES):
                    with self.flow(victim, family) as (client, server, seen):
                        for name, attacker in self.attackers.items():
                            with self.subTest(name, victim=kind, family=family, lifted=lifted), on_one_cpu():
                                mark = new_mark()
                                self.sends(attacker, FAMILIES[family][1], seen[0], mark, (SERVER, seen[1]))
                                self.assertEqual(lifted, self.arrived(client, server, seen, mark))

    def test_a_forged_question_reaches_no_published_port(self):
        """In the flow of a client outside, and in a flow of its own."""
        for lifted, rules in self.both():
            with rules():
                for family, (host, outside) in FAMILIES.items():
                    with bound(self.host.outside, outside, 6000) as client, bound(self.published.net, "::", 53) as server:
                        client.sendto(b"question", (host, 8053))
                        _, peer = server.recvfrom(99)
                        self.assertIn(outside, peer[0])
                        for name, attacker in self.attackers.items():
                            with self.subTest(name, family=family, lifted=lifted), on_one_cpu():
                                marks = [new_mark(), new_mark()]
                                for mark, port in zip(marks, (6000, 6001)):
                                    self.sends(attacker, outside, host, mark, (port, 8053))
                                client.sendto(b"last", (host, 8053))
                                got = set()
                                while (data := server.recv(2048)) != b"last":
                                    got.add(data)
                                self.assertEqual(set(marks) if lifted else set(), got)

    def test_nobody_speaks_in_the_flow_of_another_network(self):
        for lifted, rules in self.both():
            with rules():
                for (kind, victim), family in ((pair, family) for pair in self.victims.items() for family in FAMILIES):
                    outside = FAMILIES[family][1]
                    with self.flow(victim, family) as (client, server, _):
                        for name, attacker in self.attackers.items():
                            with self.subTest(name, victim=kind, family=family, lifted=lifted), on_one_cpu():
                                mark = new_mark()
                                self.sends(attacker, victim.v6 if family == "IPv6" else victim.v4, outside, mark, (CLIENT, SERVER))
                                client.send(b"last")
                                got = set()
                                while (data := server.recv(2048)) != b"last":
                                    got.add(data)
                                self.assertEqual(lifted, mark in got)

    def test_a_forged_icmp_error_reaches_no_other_network(self):
        """Under the attacker's own address, as any router on the way would send it: it quotes a packet of the victim's."""
        victim = self.victims["masqueraded"]
        for lifted, rules in self.both():
            with rules():
                for family, (_, outside) in FAMILIES.items():
                    with self.flow(victim, family) as (client, server, seen), victim.ear() as ear:
                        for name, attacker in self.attackers.items():
                            with self.subTest(name, family=family, lifted=lifted), on_one_cpu():
                                mark, last = new_mark(), new_mark()
                                attacker.send(self.too_big(attacker, seen, (outside, SERVER), mark))
                                server.sendto(last, seen)
                                self.assertEqual({mark} if lifted else set(), marks_in(ear.until(last), [mark]))
                                self.assertEqual(last, self.next_of(client))

    def test_a_forged_icmp_error_reaches_no_published_port(self):
        for lifted, rules in self.both():
            with rules():
                for family, (host, outside) in FAMILIES.items():
                    with bound(self.host.outside, outside, 6000) as client, bound(self.published.net, "::", 53) as server, \
                            self.published.ear() as ear:
                        client.sendto(b"question", (host, 8053))
                        server.sendto(b"answer", server.recvfrom(99)[1])
                        self.assertEqual(b"answer", client.recv(99))
                        for name, attacker in self.attackers.items():
                            with self.subTest(name, family=family, lifted=lifted), on_one_cpu():
                                mark, last = new_mark(), new_mark()
                                attacker.send(self.too_big(attacker, (host, 8053), (outside, 6000), mark))
                                client.sendto(last, (host, 8053))
                                self.assertEqual({mark} if lifted else set(), marks_in(ear.until(last), [mark]))

    def test_a_true_icmp_error_arrives(self):
        """From outside, and from a container of another network whose published port nobody serves."""
        for family, (host, outside) in FAMILIES.items():
            for kind, target in (("masqueraded", (outside, 9)), ("routed", (host, 8053))):
                with self.subTest(kind, family=family):
                    with self.victims[kind].net.connect(*target, "udp") as client:
                        client.send(b"question")
                        with self.assertRaises(ConnectionRefusedError):
                            client.recv(99)

    @staticmethod
    def next_of(client):
        with contextlib.suppress(OSError):  # the error itself, where it got through
            return client.recv(99)
        return client.recv(99)

    def too_big(self, attacker, sender, target, mark):
        """To the address of `sender`: the packet of its to `target` did not fit."""
        address, ports = sender[0], (sender[1], target[1])
        quoted = frames.packet(address, target[0], frames.UDP, frames.udp(address, target[0], *ports, mark))
        if ":" in address:
            message = frames.icmpv6(attacker.v6, address, 2, (1280).to_bytes(4, "big") + quoted)
            inner = frames.ipv6(attacker.v6, address, frames.ICMPV6, message)
        else:
            inner = frames.ipv4(attacker.v4, address, frames.ICMP, frames.icmp(3, 4, 600, quoted))
        return frames.ethernet(self.gateway_of(attacker), attacker.mac, frames.ethertype(address), inner)

    def nobodies(self, family):
        """Sources that no container of the attacker's network has; those of the own network are the bridge's affair."""
        victim = self.victims["masqueraded"]
        if family == "IPv4":
            return {"somebody far": "8.8.8.8", "another network": victim.v4, "the host": HOST_V4, "a machine outside": "203.0.113.77",
                    "nothing": "0.0.0.0", "everybody": "255.255.255.255", "loopback": "127.0.0.1", "a group": "224.0.0.5",
                    "the link": "169.254.9.9", "another gateway": self.street.gateways("masq")[0]}
        return {"somebody far": "2001:4860::8", "another network": victim.v6, "the host": HOST_V6, "a machine outside": "2001:db8:5::77",
                "nothing": "::", "loopback": "::1", "a group": "ff02::5", "the link": "fe80::9",
                "another gateway": self.street.gateways("masq")[1], "IPv4": "::ffff:8.8.8.8"}

    def test_nobody_s_source_leaves_the_host_or_reaches_another_network(self):
        for lifted, rules in self.both():
            victim = self.victims["masqueraded"]
            with rules(), Ear(self.host.outside, "eth0") as outside_ear, victim.ear() as ear:
                for family, (host, outside) in FAMILIES.items():
                    target, nobodies = victim.v6 if family == "IPv6" else victim.v4, self.nobodies(family)
                    for name, attacker in self.attackers.items():
                        with self.subTest(name, family=family, lifted=lifted), on_one_cpu():
                            marks = {(to, who): new_mark() for to in (outside, target) for who in nobodies}
                            for (to, who), mark in marks.items():
                                self.sends(attacker, nobodies[who], to, mark, (1111, 7000))
                            last = new_mark()
                            say(self.host.net, outside, last)
                            say(self.host.net, target, last)
                            heard = marks_in(outside_ear.until(last) + ear.until(last), marks.values())
                            got = {key for key, mark in marks.items() if mark in heard}
                            if lifted:  # the kernel itself stops some
                                self.assertLessEqual({(outside, "somebody far"), (outside, "another network")}, got)
                            else:
                                self.assertEqual(set(), got)


class ForgedWithBridgeNetfilter(Forged):
    """What is routed passes the firewall's hooks from within the bridge."""

    bridge_netfilter = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not has_bridge_netfilter(cls.host):
            raise unittest.SkipTest("this kernel has no br_netfilter")


class ForgedWithTheDaemon(FairleadCase):
    """The daemon's rules are the same: one attack of each kind."""

    def test_a_forged_flow_does_not_leave_the_host(self):
        stack = self.enterContext(contextlib.ExitStack())
        street = Street(self.host, stack)
        street.network("plain", "46", 1, *POLICIES["allow"])
        guest = street.attach("a", "plain")
        gateway_mac = street.gateway_mac("plain")
        with Ear(self.host.outside, "eth0") as ear, on_one_cpu():
            self.assertIsNotNone(self.host.net.ping(OUTSIDE_V4))
            marks, last = [new_mark(), new_mark()], new_mark()
            guest.send(guest.datagram(gateway_mac, OUTSIDE_V4, marks[0], "8.8.8.8"),
                       guest.datagram(gateway_mac, OUTSIDE_V6, marks[1], "2001:4860::8"),
                       guest.datagram(gateway_mac, OUTSIDE_V4, last))
            self.assertEqual(set(), marks_in(ear.until(last), marks))
