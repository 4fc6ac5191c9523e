"""What passes between networks, out of the host and into it: the source is checked before a flow is believed."""

import contextlib
import errno
import os
import socket
import unittest

from street import POLICIES, Street, has_bridge_netfilter, set_bridge_netfilter
from support.e2e import frames
from support.e2e.attacker import Ear, Guest, marks_in, new_mark, on_one_cpu
from support.e2e.case import FairleadCase, HostCase
from support.e2e.host import HOST_V4, HOST_V6, OUTSIDE_V4, OUTSIDE_V6, UPLINK
from support.e2e.waiting import eventually

FAMILIES = {"IPv4": (HOST_V4, OUTSIDE_V4), "IPv6": (HOST_V6, OUTSIDE_V6)}
SERVER, CLIENT = 7001, 5555


def bound(net, address, port):
    """A UDP socket of a namespace; it answers nothing by itself."""
    made = net.listen(address, port, "udp")
    made.settimeout(3)
    return made


class Between(unittest.TestCase):
    """A host without a daemon, so that the rules that are taken out for a control stay out."""

    bridge_netfilter = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = cls.enterClassContext(contextlib.ExitStack())
        cls.street = Street(cls.host, stack)
        cls.outside = stack.enter_context(cls.outside_guest())
        if has_bridge_netfilter(cls.host):
            set_bridge_netfilter(cls.host, cls.bridge_netfilter)
        cls.gateway_macs = {}
        cls.make_networks()

    @classmethod
    def know_each_other(cls, *guests):
        """No packet waits until somebody has said where its target is, and comes after the last one."""
        for address in (address for guest in guests for address in (guest.v4, guest.v6)):
            eventually(lambda address=address: cls.host.net.ping(address), address)

    @classmethod
    def make_networks(cls):
        raise NotImplementedError

    @classmethod
    @contextlib.contextmanager
    def outside_guest(cls):
        cls.host.exec("ping", "-c1", "-W3", OUTSIDE_V4)
        cls.host.exec("ping", "-c1", "-W3", OUTSIDE_V6)
        with cls.host.outside.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
            probe.bind(("eth0", 0))
            mac = probe.getsockname()[4].hex(":")
        guest = Guest("outside", cls.host.outside, "eth0", mac, OUTSIDE_V4, OUTSIDE_V6)
        yield guest

    @classmethod
    def uplink_mac(cls):
        return cls.host.link(UPLINK)["address"]

    @classmethod
    def one(cls, name, network, *options, families="46", number, **more):
        """A network with one container on it."""
        cls.street.network(network, families, number, *options)
        cls.gateway_macs[name] = cls.street.gateway_mac(network)
        return cls.street.attach(name, network, **more)

    def gateway_of(self, guest):
        return self.gateway_macs[guest.name]

    def sends(self, guest, source, target, mark, ports=(4444, 4444)):
        """A datagram by way of the host, whatever its source."""
        guest.send(guest.datagram(self.gateway_of(guest), target, mark, source, ports))

    @contextlib.contextmanager
    def unfiltered(self):
        """Translation stays, and what drops is gone: the chains of filters are empty, and what bridges look at."""
        shown = self.host.exec("nft", "list", "chains").out.splitlines()
        self.host.exec("nft", "delete", "table", "bridge", "fairlead", check=False)
        table = chain = ""
        for line in shown:
            words = line.split()
            if words[:1] == ["table"]:
                table = " ".join(words[1:3])
            elif words[:1] == ["chain"]:
                chain = words[1]
            elif words[:3] == ["type", "filter", "hook"] and table == "inet fairlead":
                self.host.exec("nft", "flush", "chain", *table.split(), chain)
        try:
            yield
        finally:
            self.host.fairlead("reconcile")

    @contextlib.contextmanager
    def filtered(self):
        yield

    def both(self):
        """(is it without the rules?, with them or without): the attack, and its control."""
        return ((False, self.filtered), (True, self.unfiltered))


class Forged(Between, HostCase):
    """Packets of others' flows, sources that are nobody's: from plain and internal networks, spoofing allowed or not."""

    @classmethod
    def make_networks(cls):
        numbers = iter(range(1, 100))
        cls.attackers = {}
        for policy, options in POLICIES.items():
            for kind, more in (("plain", ()), ("internal", ("--internal",)), ("no-icc", ("-o", "icc=false"))):
                name = f"{kind}-{policy}"
                cls.attackers[name] = cls.one(f"a-{name}", name, *more, *options, number=next(numbers))
        cls.victims = {
            "masqueraded": cls.one("b-masq", "masq", number=next(numbers)),
            "routed": cls.one("b-routed", "routed", "-o", "gateway_mode_ipv4=routed", "-o", "gateway_mode_ipv6=routed",
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
                            self.say(self.host.net, outside, last)
                            self.say(self.host.net, target, last)
                            heard = marks_in(outside_ear.until(last) + ear.until(last), marks.values())
                            got = {key for key, mark in marks.items() if mark in heard}
                            if lifted:  # the kernel itself stops some
                                self.assertLessEqual({(outside, "somebody far"), (outside, "another network")}, got)
                            else:
                                self.assertEqual(set(), got)

    @staticmethod
    def say(net, target, mark):
        with net.connect(target, 9, "udp") as sender:
            sender.send(mark)


class ForgedWithBridgeNetfilter(Forged):
    """What is routed passes the firewall's hooks from within the bridge."""

    bridge_netfilter = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not has_bridge_netfilter(cls.host):
            raise unittest.SkipTest("this kernel has no br_netfilter")


SERVICES = (("tcp", 9100), ("udp", 9100), ("tcp", 53), ("udp", 53))


class Internal(Between, HostCase):
    """An internal network reaches of the host its DNS server and the gateway's ping, unless more is asked for."""

    @classmethod
    def make_networks(cls):
        cls.guests = {"internal": cls.one("shut", "shut", "--internal", number=1),
                      "with host_access=allow": cls.one("open", "open", "--internal", "-o", "host_access=allow", number=2)}
        cls.street.network("plain", "46", 3)
        cls.web = cls.street.attach("web", "plain", ports=[(8080, 80)])
        cls.host.answer_here(*(f"{proto}/{port}" for proto, port in SERVICES))
        cls.host.answer_outside("tcp/80", "udp/80")
        eventually(lambda: not cls.host.exec("ip", "-6", "address", "show", "tentative").out, "the host's link-local addresses")
        eventually(lambda: cls.host.net.answers("127.0.0.1", 9100), "the host's server")
        eventually(lambda: cls.host.net.answers(OUTSIDE_V4, 80), "the outside server")

    def own_gateways(self, guest):
        return self.street.gateways(guest.name)

    def host_addresses(self, guest):
        """The host's addresses that a container may try: its gateway's, another network's, the uplink's."""
        return [*self.own_gateways(guest), *self.street.gateways("plain"), HOST_V4, HOST_V6]

    def route_all(self, guest):
        """A container that may does not wait for a default route."""
        v4, v6 = self.own_gateways(guest)
        for words in (f"route replace default via {v4}", f"-6 route replace default via {v6}"):
            self.host.exec("ip", "-n", guest.name, *words.split())

    def reached(self, guest):
        """The services (address, protocol, port) that answer: all are asked at once."""
        self.route_all(guest)
        wanted = [(address, proto, port) for address in self.host_addresses(guest) for proto, port in SERVICES]
        with contextlib.ExitStack() as stack:
            asked = {}
            for address, proto, port in wanted:
                with contextlib.suppress(OSError):
                    asked[address, proto, port] = stack.enter_context(self.begin(guest, address, proto, port))
            return {key for key, connection in asked.items() if self.is_answered(connection)}

    @staticmethod
    def begin(guest, address, proto, port):
        kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
        connection = guest.net.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        connection.setblocking(False)
        number = connection.connect_ex((address, port))
        if number not in (0, errno.EINPROGRESS):
            connection.close()
            raise OSError(number, os.strerror(number))
        if proto == "udp":
            connection.send(b"?")
        return connection

    @staticmethod
    def is_answered(connection):
        """Packets on this machine take microseconds: those asked first have had the time of all."""
        connection.settimeout(0.05)
        try:
            return bool(connection.recv(99))
        except OSError:
            return False

    def test_it_reaches_dns_on_its_gateway_and_nothing_else_of_the_host(self):
        guest = self.guests["internal"]
        gateways = self.own_gateways(guest)
        self.assertEqual({(address, proto, 53) for address in gateways for proto in ("tcp", "udp")}, self.reached(guest))

    def test_it_reaches_all_where_that_is_asked_for(self):
        guest = self.guests["with host_access=allow"]
        self.assertLessEqual({(address, proto, port) for address in self.own_gateways(guest) for proto, port in SERVICES},
                             self.reached(guest))

    def test_it_pings_its_gateway_and_no_other_address_of_the_host(self):
        guest = self.guests["internal"]
        self.route_all(guest)
        for address in self.host_addresses(guest):
            with self.subTest(address):
                answered = guest.net.ping(address, 1 if address in self.own_gateways(guest) else 0.2) is not None
                self.assertEqual(address in self.own_gateways(guest), answered)

    def heard_by_the_host(self, guest, target_mac, target, source=None):
        """Does a socket of the host's get a datagram to the address? One to port 53 of the gateway comes after it."""
        gateway = self.own_gateways(guest)[1 if ":" in target else 0]
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        with self.host.net.socket(family, socket.SOCK_DGRAM) as server, \
                self.host.net.socket(family, socket.SOCK_RAW, frames.UDP) as all_of_it:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("::" if ":" in target else "0.0.0.0", 9200))
            all_of_it.settimeout(3)
            mark, last = new_mark(), new_mark()
            with on_one_cpu():
                guest.send(guest.datagram(target_mac, target, mark, source, (9200, 9200)),
                           guest.datagram(self.gateway_of(guest), gateway, last, None, (9200, 53)))
                while last not in all_of_it.recv(2048):
                    pass
            server.setblocking(False)
            try:
                return server.recv(2048) == mark
            except BlockingIOError:
                return False

    def test_what_is_sent_to_all_reaches_no_service_of_the_host(self):
        """By broadcast, by multicast, by the link-local address of the bridge, and to 127.0.0.1."""
        for kind, guest in self.guests.items():
            gateway_mac = self.gateway_of(guest)
            subnet = guest.v4.rsplit(".", 1)[0] + ".255"
            for target, mac in (("255.255.255.255", frames.BROADCAST), (subnet, frames.BROADCAST),
                                ("224.0.0.1", "01:00:5e:00:00:01"), (frames.ALL_NODES, frames.ALL_NODES_MAC),
                                (frames.link_local(gateway_mac), gateway_mac)):
                with self.subTest(kind, target=target):
                    source = guest.link_local if target.startswith(("fe80", "ff02")) else None
                    self.assertEqual(kind != "internal", self.heard_by_the_host(guest, mac, target, source))
            self.assertFalse(self.heard_by_the_host(guest, gateway_mac, "127.0.0.1"))

    def test_it_reaches_no_other_network_and_nothing_outside(self):
        for guest in self.guests.values():
            self.route_all(guest)
            with self.web.ear() as ear, Ear(self.host.outside, "eth0") as outside, on_one_cpu():
                marks = {address: new_mark() for address in (self.web.v4, self.web.v6, OUTSIDE_V4, OUTSIDE_V6, "198.51.100.7")}
                for address, mark in marks.items():
                    self.sends(guest, None, address, mark)
                    for published in (HOST_V4, HOST_V6):
                        self.sends(guest, None, published, mark, (4444, 8080))
                last = new_mark()
                Forged.say(self.host.net, self.web.v4, last)
                Forged.say(self.host.net, OUTSIDE_V4, last)
                self.assertEqual(set(), marks_in(ear.until(last) + outside.until(last), marks.values()))
            with self.assertRaises(OSError):
                guest.net.connect(HOST_V4, 8080, timeout=0.2)

    def test_the_host_reaches_it(self):
        guest = self.guests["internal"]
        for address in (guest.v4, guest.v6):
            self.assertIsNotNone(self.host.net.ping(address))
            with guest.net.listen(address, 80) as server, self.host.net.connect(address, 80) as client:
                client.sendall(b"question")
                with server.accept()[0] as connection:
                    self.assertEqual(b"question", connection.recv(99))
                    connection.sendall(b"answer")
                self.assertEqual(b"answer", client.recv(99))


FAR = 0x40000000


class OutOfWindow(Between, HostCase):
    """Segments that belong to no window earn no reset from the host, whose connection it is not."""

    @classmethod
    def make_networks(cls):
        cls.street.network("net", "46", 1)
        cls.client = cls.street.attach("client", "net")
        cls.web = cls.street.attach("web", "net", ports=[(8080, 80)])
        cls.gateway_macs = {"client": cls.street.gateway_mac("net"), "web": cls.street.gateway_mac("net")}

    @contextlib.contextmanager
    def connected(self, kind, family):
        """(socket outside, the other end, the outside's port, the host's port) of a connection across the host."""
        host, outside = FAMILIES[family]
        if kind == "published":
            with self.web.net.listen("::", 80) as server, self.host.outside.connect(host, 8080) as far:
                with server.accept()[0] as near:
                    yield far, near, far.getsockname()[1], 8080
            return
        net = self.host.net if kind == "the host's own" else self.client.net
        with self.host.outside.listen(outside, 8090) as server, net.connect(outside, 8090) as near:
            far, peer = server.accept()
            with far:
                yield far, near, 8090, peer[1]

    @staticmethod
    def converse(far, near):
        for one, other in ((far, near), (near, far)):
            one.settimeout(2)
            one.sendall(b"still there")
            other.settimeout(2)
            if other.recv(99) != b"still there":
                raise ConnectionError("cut off")

    SEGMENTS = {"far ahead": (frames.ACK | frames.PUSH, FAR, 0), "acknowledges what was not sent": (frames.ACK, 0, FAR),
                "resets far ahead": (frames.RST, FAR, 0), "ends far ahead": (frames.FIN | frames.ACK, FAR, 0)}

    def attack(self, kind, family, segment):
        """The flags that come back to the outside for one segment out of the window, and whether the connection goes on."""
        host, outside = FAMILIES[family]
        flags, ahead, acknowledged = segment
        with self.connected(kind, family) as (far, near, far_port, host_port), Ear(self.host.outside, "eth0") as ear:
            sent, expected = self.numbers(ear, far, near, host_port, far_port)
            forged = frames.tcp(outside, host, far_port, host_port, expected + ahead, sent + acknowledged, flags, b"x" * 8)
            last = new_mark()
            with on_one_cpu():
                self.outside.send(frames.ethernet(self.uplink_mac(), self.outside.mac, frames.ethertype(host),
                                                  frames.packet(outside, host, frames.TCP, forged)))
                Forged.say(self.host.net, outside, last)
                answers = {segment.flags for segment in self.segments(ear.until(last), host_port, far_port)}
            try:
                self.converse(far, near)
            except OSError:
                return answers, False
            return answers, True

    def numbers(self, ear, far, near, host_port, far_port):
        """What the outside has heard of the other end: its next number, and the one that it waits for."""
        self.converse(far, near)
        last = new_mark()
        Forged.say(self.host.net, far.getsockname()[0], last)
        newest = self.segments(ear.until(last), host_port, far_port)[-1]
        return newest.sequence + newest.size, newest.acknowledged

    @staticmethod
    def segments(heard, *ports):
        found = (frames.read_tcp(frame) for frame in heard)
        return [segment for segment in found if segment and segment.ports == ports]

    def test_they_earn_no_reset_and_the_connection_goes_on(self):
        for kind in ("masqueraded", "published"):
            for family in FAMILIES:
                for name, segment in self.SEGMENTS.items():
                    with self.subTest(kind, family=family, segment=name):
                        answers, goes_on = self.attack(kind, family, segment)
                        self.assertFalse(any(flags & frames.RST for flags in answers))
                        self.assertTrue(goes_on)

    def test_they_do_without_the_rule(self):
        with self.unfiltered():
            for kind in ("masqueraded", "published"):
                for family in FAMILIES:
                    with self.subTest(kind, family=family):
                        answers, goes_on = self.attack(kind, family, self.SEGMENTS["far ahead"])
                        self.assertTrue(any(flags & frames.RST for flags in answers))
                        self.assertFalse(goes_on)

    def test_the_host_s_own_connections_answer_as_the_kernel_does(self):
        """Which asks the peer what it means (RFC 5961), and does not reset."""
        for family in FAMILIES:
            with self.subTest(family):
                answers, goes_on = self.attack("the host's own", family, self.SEGMENTS["far ahead"])
                self.assertIn(frames.ACK, answers)
                self.assertTrue(goes_on)

    def test_a_closed_port_of_the_host_still_says_so(self):
        for host in (HOST_V4, HOST_V6):
            with self.assertRaises(ConnectionRefusedError):
                self.host.outside.connect(host, 9)

    def test_a_container_s_own_do_not_leave_under_its_address(self):
        for kind, guest in (("masqueraded", self.client), ("published", self.web)):
            for family, (_, outside) in FAMILIES.items():
                with self.subTest(kind, family=family), self.connected(kind, family) as (far, near, far_port, host_port), \
                        Ear(self.host.outside, "eth0") as ear, on_one_cpu():
                    sent, expected = self.numbers(ear, far, near, host_port, far_port)
                    source, mark, last = guest.v6 if family == "IPv6" else guest.v4, new_mark(), new_mark()
                    segment = frames.tcp(source, outside, near.getsockname()[1], far_port, sent + FAR, expected, frames.ACK, mark)
                    guest.send(frames.ethernet(self.gateway_of(guest), guest.mac, frames.ethertype(source),
                                               frames.packet(source, outside, frames.TCP, segment)))
                    Forged.say(self.host.net, outside, last)
                    self.assertEqual(set(), marks_in(ear.until(last), [mark]))
                    self.converse(far, near)


SIDE_HOST_V4, SIDE_V4, SIDE_HOST_V6, SIDE_V6 = "192.0.2.2", "192.0.2.1", "2001:db8:6::2", "2001:db8:6::1"


class TwoUplinks(Between, HostCase):
    """A second neighbour, at an interface of its own."""

    @classmethod
    def make_networks(cls):
        side = cls.host.add_uplink("side", "uplink1", (SIDE_HOST_V4, SIDE_V4), (SIDE_HOST_V6, SIDE_V6))
        cls.side = cls.enterClassContext(side)
        cls.host.outside_ip(*(f"route replace {to} via {HOST_V4}" for to in ("10.71.0.0/16", SIDE_HOST_V4)),
                            *(f"-6 route replace {to} via {HOST_V6}" for to in ("fd00:71::/32", SIDE_HOST_V6)))
        for words in (f"route add default via {SIDE_HOST_V4}", f"-6 route add default via {SIDE_HOST_V6}"):
            cls.host.exec("ip", "-n", "side", *words.split())
        cls.guests = {}
        kinds = {"strict": (), "any": ("-o", "publish=any"), "trusting": ("-o", "trusted_interfaces=uplink1"),
                 "trusting-both": ("-o", "trusted_interfaces=uplink1,uplink0"),
                 "docker-s-way": ("-o", "com.docker.network.bridge.trusted_host_interfaces=uplink1:uplink7"),
                 "trusting-closed": ("-o", "trusted_interfaces=uplink1", "-o", "icc=false"),
                 "internal": ("--internal",), "routed": ("-o", "gateway_mode_ipv4=routed", "-o", "gateway_mode_ipv6=routed"),
                 "unprotected": ("-o", "gateway_mode_ipv4=nat-unprotected", "-o", "gateway_mode_ipv6=nat-unprotected")}
        for number, (name, options) in enumerate(kinds.items(), 1):
            ports = {"strict": 8000, "any": 8100}.get(name)
            published = [] if ports is None else [
                (ports + offset, 53, "udp", address)
                for offset, address in enumerate((HOST_V4, SIDE_HOST_V4, HOST_V6, SIDE_HOST_V6, "127.0.0.1"))]
            cls.guests[name] = cls.one(name, name, *options, number=number, ports=published)
        cls.strangers = {"outside": cls.host.outside, "side": cls.side}
        cls.know_each_other(*cls.guests.values())
        for address in (SIDE_V4, SIDE_V6):
            eventually(lambda address=address: cls.host.net.ping(address), "the other uplink")

    def heard(self, guest, sendings):
        """Those of {key: (namespace, address, port)} whose datagram the container gets; the host says the last word."""
        marks = {key: new_mark() for key in sendings}
        last = new_mark()
        with guest.ear() as ear, on_one_cpu():
            for key, (net, address, port) in sendings.items():
                with net.connect(address, port, "udp") as sender:
                    sender.send(marks[key])
            Forged.say(self.host.net, guest.v4, last)
            found = marks_in(ear.until(last), marks.values())
        return {key for key, mark in marks.items() if mark in found}

    def published_at(self, base):
        """{(who, address): where to} of all that may try the ports, by every address."""
        addresses = (HOST_V4, SIDE_HOST_V4, HOST_V6, SIDE_HOST_V6, "127.0.0.1")
        askers = {**self.strangers, "host": self.host.net, "container": self.guests["unprotected"].net}
        return {(who, address): (net, address, base + offset) for who, net in askers.items() for offset, address in enumerate(addresses)
                if who == "host" or address != "127.0.0.1"}

    def test_a_port_is_reached_where_its_address_is(self):
        sendings = self.published_at(8000)
        wanted = {(who, address) for who, address in sendings if who in ("host", "container")}
        wanted |= {("outside", HOST_V4), ("outside", HOST_V6), ("side", SIDE_HOST_V4), ("side", SIDE_HOST_V6)}
        self.assertEqual(wanted, self.heard(self.guests["strict"], sendings))

    def test_it_is_reached_everywhere_where_that_is_asked_for(self):
        sendings = self.published_at(8100)
        self.assertEqual(set(sendings), self.heard(self.guests["any"], sendings))

    # Which neighbours reach ports that are not published, by the container's own address.
    REACHED_BY = {"strict": set(), "any": set(), "internal": set(), "routed": set(), "unprotected": {"outside", "side"},
                  "trusting": {"side"}, "trusting-both": {"outside", "side"}, "docker-s-way": {"side"}, "trusting-closed": {"side"}}

    def test_a_container_s_own_address_is_reached_by_trusted_interfaces_only(self):
        for name, wanted in self.REACHED_BY.items():
            for family in FAMILIES:
                with self.subTest(name, family=family):
                    guest = self.guests[name]
                    address = guest.v6 if family == "IPv6" else guest.v4
                    sendings = {who: (net, address, 9300) for who, net in self.strangers.items()}
                    self.assertEqual(wanted, self.heard(guest, sendings))

    def test_a_trusted_neighbour_is_answered(self):
        for name in ("trusting", "docker-s-way"):
            guest = self.guests[name]
            for address in (guest.v4, guest.v6):
                with guest.net.listen(address, 80) as server, self.side.connect(address, 80) as client, server.accept()[0] as connection:
                    connection.sendall(b"answer")
                    self.assertEqual(b"answer", client.recv(99))

    def test_trust_in_an_interface_is_none_in_other_networks(self):
        """Nor in what comes in by it under an address of the network's own."""
        for name in ("trusting", "strict"):
            guest = self.guests[name]
            others = {other: (each.net, guest.v4, 9300) for other, each in self.guests.items() if other not in (name, "internal")}
            self.assertEqual(set(), self.heard(guest, others))


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
