"""Nobody speaks into a network of several hosts who is not on it: neither in the clear nor into an encrypted one."""

import contextlib
import json
import socket

from support.e2e import frames
from support.e2e.cluster import INTERFACE, address_of
from support.e2e.snapshot import without_questions
from support.e2e.waiting import eventually
from test_cluster import EVIL, TwoHosts

PORT = 4789
STRANGER, STRANGER_V6 = "192.168.90.77", "fd90::77"
SECRET_VNI = 0x77
FORGED = b"INJECTED"


class TunnelCase(TwoHosts):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.one.host.fairlead("network", "create", "--subnet", "10.113.0.0/24", "--ipv6", "plain")
        cls.one.attach("plain", "plain")
        shown = json.loads(cls.one.host.exec("ip", "-json", "-details", "link", "show", cls.one.tunnel("shop")).out)[0]
        cls.vni = int(shown["linkinfo"]["info_data"]["id"])

    @classmethod
    def tearDownClass(cls):
        cls.one.detach("plain", "plain")
        cls.one.host.exec("ip", "netns", "delete", "plain")
        cls.one.host.fairlead("network", "rm", "plain")
        super().tearDownClass()

    @contextlib.contextmanager
    def without_rules(self, node, *commands):
        """What the daemon would mend at once: it is stopped meanwhile, and mends it after."""
        before = self.table(node)
        try:
            with node.fairleadd.paused():
                for command in commands:
                    node.host.exec("nft", *command.split())
                yield
        finally:
            node.host.fairlead("reconcile")
        eventually(lambda: self.table(node) == before, "the rules to be put back", 20)

    def table(self, node):
        """Its words; the elements of a set have no order."""
        return sorted(without_questions(node.host.exec("nft", "--stateless", "list", "ruleset").out).replace(",", " ").split())


class IntoTheClear(TunnelCase):
    """To a container's UDP port on the other host, and on the attacker's own one."""

    def victim(self, node):
        """(name, address) of the container on the network "shop" there."""
        return ("web", self.web) if node is self.one else ("client", self.client)

    def tunnelled(self, node):
        name, address = self.victim(node)
        inner = frames.packet("10.77.14.66", address, frames.UDP, frames.udp("10.77.14.66", address, 6666, 5300, FORGED))
        return frames.vxlan(self.vni, frames.ethernet(node.mac(name), "02:fa:de:ad:be:ef", frames.IPV4, inner))

    def arrives(self, node, attack):
        """Whether the container there gets what `attack` sends, which is sent before what surely arrives."""
        name, address = self.victim(node)
        other = self.two if node is self.one else self.one
        with node.host.named_net(name) as victim, victim.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("0.0.0.0", 5300))
            receiver.settimeout(5)
            with contextlib.suppress(OSError):
                attack(self.tunnelled(node))
            with other.host.named_net(self.victim(other)[0]) as honest, honest.connect(address, 5300, "udp") as connection:
                connection.send(b"honest")
            got = [receiver.recv(100)]
            while got[-1] != b"honest":
                got.append(receiver.recv(100))
            return FORGED in got

    def datagram(self, name, target):
        """Any process of the container: it needs no capability for this."""
        def attack(payload):
            with self.one.host.named_net(name) as container, container.connect(target, PORT, "udp") as connection:
                connection.send(payload)
        return attack

    def forged(self, name, source, target):
        def attack(payload):
            with self.one.host.named_net(name) as container:
                frames.send_ipv4(container, frames.packet(source, target, frames.UDP, frames.udp(source, target, 40000, PORT, payload)))
        return attack

    def test_a_datagram_of_a_container_that_is_masqueraded(self):
        attack = self.datagram("plain", address_of(2))
        self.assertFalse(self.arrives(self.two, attack))
        with self.without_rules(self.one, "flush chain inet fairlead to_tunnel"):
            self.assertTrue(self.arrives(self.two, attack), "the attack itself works")

    def test_a_datagram_of_a_container_of_the_network_itself(self):
        attack = self.datagram("web", address_of(2))
        self.assertFalse(self.arrives(self.two, attack))
        with self.without_rules(self.one, "flush chain inet fairlead to_tunnel"):
            self.assertTrue(self.arrives(self.two, attack), "the attack itself works")

    def test_a_packet_under_the_address_of_a_third_host(self):
        """Under that of the container's own host the kernel forwards nothing."""
        self.one.put_record(f"host/{EVIL}", {"name": "third", "vtep": "192.168.90.66", "epoch": 1, "phase": "member"})
        self.addCleanup(self.one.drop_records, f"host/{EVIL}")
        eventually(lambda: "192.168.90.66" in self.table(self.two), "the third host to be known", 20)
        for name in ("plain", "web"):
            with self.subTest(name):
                attack = self.forged(name, "192.168.90.66", address_of(2))
                self.assertFalse(self.arrives(self.two, attack))
                self.assertFalse(self.arrives(self.two, self.forged(name, address_of(1), address_of(2))))
                with self.without_rules(self.one, "delete table inet fairlead", "delete table bridge fairlead"):
                    self.assertTrue(self.arrives(self.two, attack), "the attack itself works")

    def test_a_packet_to_the_container_s_own_host_under_the_other_one_s_address(self):
        for name in ("plain", "web"):
            with self.subTest(name):
                attack = self.forged(name, address_of(2), address_of(1))
                self.assertFalse(self.arrives(self.one, attack))
                with self.without_rules(self.one, "delete table inet fairlead", "delete table bridge fairlead"):
                    self.assertTrue(self.arrives(self.one, attack), "the attack itself works")

    def test_a_datagram_to_the_container_s_own_host(self):
        for target in (address_of(1), "10.113.0.1"):
            with self.subTest(target):
                self.assertFalse(self.arrives(self.one, self.datagram("plain", target)))
        with self.without_rules(self.one, "flush chain inet fairlead input"):
            self.assertTrue(self.arrives(self.one, self.datagram("plain", address_of(1))), "the attack itself works")

    def test_a_neighbour_on_the_wire_that_is_no_host(self):
        fabric = self.cluster.fabric
        fabric.ip(f"addr add {STRANGER}/24 dev fabric")
        self.addCleanup(fabric.ip, f"addr del {STRANGER}/24 dev fabric")

        def attack(payload):
            with fabric.net.connect(address_of(2), PORT, "udp") as connection:
                connection.send(payload)
        self.assertFalse(self.arrives(self.two, attack))
        with self.without_rules(self.two, f"add element inet fairlead tunnel_hosts_v4 {{ {STRANGER} }}"):
            self.assertTrue(self.arrives(self.two, attack), "the attack itself works")


class IntoTheEncrypted(TunnelCase):
    """The link between the hosts that encrypts is played by a veth pair: what is tested are the rules around it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        one, two = cls.one.host, cls.two.host
        cls.cluster.fabric.ip(f"link add sw0 type veth peer name sw0 netns {two.pid}", f"link set sw0 netns {one.pid}")
        for number, host in ((1, one), (2, two)):
            for command in (f"-6 addr add fdaa::{number}/64 dev sw0 nodad", "link set sw0 up"):
                host.exec("ip", *command.split())
        two.exec("ip", *f"link add vxs type vxlan id {SECRET_VNI} dstport {PORT} local fdaa::2 nolearning".split())
        two.exec("ip", "link", "set", "vxs", "up")
        cls.paused = contextlib.ExitStack()
        for node in (cls.one, cls.two):
            cls.paused.enter_context(node.fairleadd.paused())  # it would take away what is no network's
            for element in ('secure_links { "sw0" }', "tunnel_hosts_v6 { fdaa::1, fdaa::2 }",
                            f"tunnels {{ {PORT} . {SECRET_VNI:#x} : goto secure_tunnel }}",
                            f"secure_tunnels {{ {PORT} . {SECRET_VNI:#x} }}"):
                node.host.exec("nft", f"add element inet fairlead {element}")

    @classmethod
    def tearDownClass(cls):
        cls.paused.close()
        for node in (cls.one, cls.two):
            node.host.fairlead("reconcile")
        cls.two.host.exec("ip", "link", "del", "vxs")
        cls.one.host.exec("ip", "link", "del", "sw0")
        super().tearDownClass()

    def arrives(self, send):
        """Whether the tunnel's device on the second host receives what is sent: a frame of an unknown protocol."""
        with self.two.host.net.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)) as receiver:
            receiver.bind(("vxs", 0x88B5))
            receiver.settimeout(1)
            with contextlib.suppress(OSError):
                send(frames.vxlan(SECRET_VNI, frames.ethernet(frames.BROADCAST, "02:fa:de:ad:be:ef", 0x88B5, FORGED)))
            with contextlib.suppress(TimeoutError):
                return FORGED in receiver.recv(200)
            return False

    def from_namespace(self, namespace, target="fdaa::2"):
        def send(payload):
            with namespace.connect(target, PORT, "udp") as connection:
                connection.send(payload)
        return send

    @contextlib.contextmanager
    def without(self, *commands):
        """Until the class ends the daemon is stopped: what is taken out is put back by hand."""
        before = without_questions(self.one.host.exec("nft", "list", "table", "inet", "fairlead").out)
        for command in commands:
            self.one.host.exec("nft", *command.split())
        try:
            yield
        finally:
            self.one.host.exec("nft", "-f", "-", data="delete table inet fairlead\n" + before)

    def test_the_other_host_s_packets_arrive(self):
        self.assertTrue(self.arrives(self.from_namespace(self.one.host.net)))

    def test_a_container_s_datagram_over_the_link_that_encrypts(self):
        with self.one.host.named_net("plain") as container:
            attack = self.from_namespace(container)
            self.assertFalse(self.arrives(attack))
            with self.without("flush chain inet fairlead forward"):
                self.assertTrue(self.arrives(attack), "the attack itself works")

    def test_a_datagram_in_the_clear(self):
        """Even of a host of the cluster: the device that decrypts did not bring it."""
        self.cluster.fabric.ip(f"addr add {STRANGER_V6}/64 dev fabric nodad")
        self.addCleanup(self.cluster.fabric.ip, f"addr del {STRANGER_V6}/64 dev fabric")
        attack = self.from_namespace(self.cluster.fabric.net, address_of(2, True))
        with self.element(self.two, f"tunnel_hosts_v6 {{ {STRANGER_V6} }}"):
            self.assertFalse(self.arrives(attack))
            with self.element(self.two, f'secure_links {{ "{INTERFACE}" }}'):
                self.assertTrue(self.arrives(attack), "the attack itself works")

    def test_nothing_of_it_leaves_a_host_in_the_clear(self):
        sending = self.from_namespace(self.one.host.net, address_of(2, True))
        with self.element(self.two, f"tunnel_hosts_v6 {{ {address_of(1, True)} }}"), \
                self.element(self.two, f'secure_links {{ "{INTERFACE}" }}'):
            self.assertFalse(self.arrives(sending))
            with self.without("flush chain inet fairlead tunnels_out"):
                self.assertTrue(self.arrives(sending), "it would arrive")

    @staticmethod
    @contextlib.contextmanager
    def element(node, text):
        node.host.exec("nft", f"add element inet fairlead {text}")
        try:
            yield
        finally:
            node.host.exec("nft", f"delete element inet fairlead {text}")
