"""A host with networks whose packets are routed: between each other, out of the host and into it."""

import contextlib
import socket
import unittest

from street import Street, has_bridge_netfilter, set_bridge_netfilter
from support.e2e.attacker import Guest
from support.e2e.host import HOST_V4, HOST_V6, OUTSIDE_V4, OUTSIDE_V6, UPLINK
from support.e2e.waiting import eventually

FAMILIES = {"IPv4": (HOST_V4, OUTSIDE_V4), "IPv6": (HOST_V6, OUTSIDE_V6)}


def bound(net, address, port):
    """A UDP socket of a namespace; it answers nothing by itself."""
    made = net.listen(address, port, "udp")
    made.settimeout(3)
    return made


def say(net, target, mark):
    """One datagram to a port that nobody serves."""
    with net.connect(target, 9, "udp") as sender:
        sender.send(mark)


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
        guest = cls.street.attach(name, network, **more)
        cls.gateway_macs[name] = cls.street.first_hops[name]
        return guest

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
