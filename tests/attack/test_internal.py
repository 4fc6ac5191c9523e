"""What an internal network reaches of its host."""

import contextlib
import errno
import os
import socket

from between import Between, say
from support.e2e import frames
from support.e2e.attacker import Ear, marks_in, new_mark, on_one_cpu
from support.e2e.case import HostCase
from support.e2e.host import HOST_V4, HOST_V6, OUTSIDE_V4, OUTSIDE_V6
from support.e2e.waiting import eventually

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
                say(self.host.net, self.web.v4, last)
                say(self.host.net, OUTSIDE_V4, last)
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
