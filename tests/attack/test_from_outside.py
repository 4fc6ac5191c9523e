"""What neighbours on the wire reach, and what they cannot end."""

import contextlib

from between import FAMILIES, Between, say
from support.e2e import frames
from support.e2e.attacker import Ear, marks_in, new_mark, on_one_cpu
from support.e2e.case import HostCase
from support.e2e.host import HOST_V4, HOST_V6
from support.e2e.waiting import eventually

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
                say(self.host.net, outside, last)
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
        say(self.host.net, far.getsockname()[0], last)
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
                    say(self.host.net, outside, last)
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
            say(self.host.net, guest.v4, last)
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
