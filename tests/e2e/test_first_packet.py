"""The first packet after an attach arrives, and an address that comes back is reachable at once."""

from support.e2e import cni
from support.e2e.case import FairleadCase, HostCase
from support.e2e.namespaces import Pinger

ATTACHES = 300
LOST = 0.5  # seconds: a first packet that was lost is answered after a second, when the kernel asks for the MAC again


class FirstPacket:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        cls.containers = cni.Containers(cls.host)
        cls.network = cni.Network(cls.host, cni.fairlead_conflist(
            "net", subnets=["10.100.0.0/16", "fd00:100::/64"]))
        cls.containers.make("peer")
        peer = cls.network.add("peer")
        cls.peer, cls.peer6 = cni.address_of(peer), cni.address_of(peer, 6)

    def pinger(self, name, ipv6=False):
        with self.containers.net(name) as namespace:
            return Pinger(namespace, ipv6)

    def test_of_300_attaches_none_loses_its_first_packet(self):
        names = self.containers.make(*(f"c{number}" for number in range(ATTACHES)))
        lost = []
        with self.pinger("peer") as from_peer:
            for number, name in enumerate(names):
                with self.pinger(name) as from_new:
                    result = self.network.add(name)
                    kind = number % 3
                    if kind == 0:
                        seconds = from_new.ping(self.peer, LOST)
                    elif kind == 1:
                        seconds = from_new.ping(result["ips"][0]["gateway"], LOST)
                    else:
                        seconds = from_peer.ping(cni.address_of(result), LOST)
                if seconds is None:
                    lost.append((name, ("to a peer", "to the gateway", "from a peer")[kind]))
        self.assertEqual([], lost)
        for name in names:
            self.network.delete(name)
        self.containers.remove(*names)

    def test_of_ipv6_too(self):
        names = self.containers.make(*(f"c{number}" for number in range(20)))
        lost = []
        for name in names:
            with self.pinger(name, ipv6=True) as from_new:
                self.network.add(name)
                if from_new.ping(self.peer6, LOST) is None:
                    lost.append(name)
        self.assertEqual([], lost)
        for name in names:
            self.network.delete(name)
        self.containers.remove(*names)

    def test_an_address_that_comes_back_is_reachable_at_once(self):
        """From a container and from the host, which both remember who had it."""
        names = self.containers.make(*(f"c{number}" for number in range(20)))
        lost = []
        with self.pinger("peer") as from_peer, Pinger(self.host.net) as from_host:
            for number, name in enumerate(names):
                self.network.add(name, ips=["10.100.200.7/16"], mac=f"02:00:00:00:01:{number:02x}")
                for who, pinger in (("peer", from_peer), ("host", from_host)):
                    if pinger.ping("10.100.200.7", LOST) is None:
                        lost.append((name, who))
                self.network.delete(name)
        self.assertEqual([], lost)
        self.containers.remove(*names)


class WithTheDaemon(FirstPacket, FairleadCase):
    together = "300 containers"  # of the 1,024 neighbours that the kernel knows in all namespaces


class WithoutADaemon(FirstPacket, HostCase):
    together = "300 containers"
