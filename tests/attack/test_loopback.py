"""What must not be reachable is not."""

import contextlib
import json
import socket
import struct
from pathlib import Path

from support.e2e import cni
from support.e2e.case import CniCalls, DockerCase, FairleadCase, HostCase
from support.e2e.host import API_SOCKET, HOST_V4, HOST_V6
from support.e2e.namespaces import advertise_router
from support.e2e.snapshot import without_questions
from support.e2e.waiting import eventually


class Loopback(DockerCase):
    """The opening that lets the host reach published ports by 127.0.0.1 lets nobody else reach 127.0.0.1."""

    def setUp(self):
        super().setUp()
        self.docker.network("net", "--subnet", "10.110.0.0/24", "--ipv6", "--subnet", "fd00:110::/64")

    def test_a_container_does_not_reach_services_of_the_host_s_127_0_0_1(self):
        with contextlib.closing(self.host.net.listen("127.0.0.1", 6379)), \
                contextlib.closing(self.host.net.listen("::1", 6380)):
            self.docker.run("web", "--publish", "127.0.0.1:8080:80", "--cap-add", "NET_ADMIN", network="net")
            self.assertEqual("web", self.host.net.ask("127.0.0.1", 8080).name)
            for address, port in ((HOST_V4, 6379), ("10.110.0.1", 6379), (HOST_V6, 6380), ("fd00:110::1", 6380)):
                self.assertFalse(self.connects("web", address, port))
            # A container that sends 127.0.0.1 to its gateway, with all it takes to do so.
            self.docker.exec("web", "ip", "route", "add", "127.0.0.1/32", "via", "10.110.0.1", "dev", "eth0", "src",
                             self.docker.address("web", "net"), check=False)
            self.docker.exec("web", "ip", "address", "delete", "127.0.0.1/8", "dev", "lo")
            self.docker.exec("web", "ip", "route", "add", "127.0.0.1/32", "via", "10.110.0.1", check=False)
            self.assertFalse(self.connects("web", "127.0.0.1", 6379))

    def connects(self, container, address, port):
        try:
            with self.docker.net(container) as namespace:
                namespace.connect(address, port, timeout=0.7).close()
            return True
        except OSError:
            return False

    def test_a_port_published_on_127_0_0_1_is_not_reached_from_outside(self):
        self.docker.run("web", "--publish", "127.0.0.1:8080:80", "--publish", "127.0.0.1:5353:53/udp", network="net",
                        serve=("tcp/80", "udp/53"))
        self.host.outside_ip("link set eth0 up")
        self.assertFalse(self.host.outside.answers(HOST_V4, 8080))
        self.assertFalse(self.host.outside.answers(HOST_V4, 5353, "udp"))
        # An outside host that routes 127.0.0.1 over the wire.
        self.host.exec("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1", namespace="outside")
        self.host.outside_ip("address flush dev lo", f"route add 127.0.0.1/32 via {HOST_V4}")
        try:
            self.assertFalse(self.host.outside.answers("127.0.0.1", 8080))
            self.assertFalse(self.host.outside.answers("127.0.0.1", 5353, "udp"))
        finally:
            self.host.outside_ip("route del 127.0.0.1/32", "address add 127.0.0.1/8 dev lo")

    def test_a_port_published_on_127_0_0_1_is_not_reached_from_another_container_s_gateway(self):
        self.docker.run("web", "--publish", "127.0.0.1:8080:80", network="net")
        self.docker.network("other")
        self.docker.run("client", network="other")
        self.assertFalse(self.docker.answers("client", HOST_V4, 8080))
        gateway = self.docker.default_route("client")
        self.assertFalse(self.docker.answers("client", gateway, 8080))

    def test_the_outside_does_not_reach_a_container_s_other_ports_by_its_published_one(self):
        self.docker.run("web", "--publish", "8080:80", network="net", serve=("tcp/80-81",))
        self.assertEqual(80, self.host.outside.ask(HOST_V4, 8080).own_port)
        self.assertFalse(self.host.outside.answers(HOST_V4, 81, timeout=0.3))

    def test_the_sockets_are_for_root(self):
        shown = self.host.exec("stat", "-c", "%a %U", "/run/docker/plugins/fairlead.sock", "/run/fairlead/api.sock").out
        self.assertEqual("600 root\n660 root\n", shown)

    def test_state_is_for_root(self):
        shown = self.host.exec("stat", "-c", "%a", "/var/lib/fairlead/state.db").out.strip()
        self.assertEqual("0", shown[-1])


def datagram(mac, source, destination, port, text, tags=0):
    """A frame with a UDP datagram, behind so many VLAN tags of VID 0, which a host ignores."""
    header = struct.pack("!BBHHHBBH4s4s", 69, 0, 28 + len(text), 1, 0, 64, socket.IPPROTO_UDP, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    total = sum(struct.unpack("!10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~total & 0xFFFF) + header[12:]
    return (bytes.fromhex(mac.replace(":", "")) + b"\x02\xfa\0\0\0\1" + b"\x81\0\0\0" * tags + b"\x08\0" + header
            + struct.pack("!HHHH", 1111, port, 8 + len(text), 0) + text)


class Wire(CniCalls):
    """CVE-2020-8558: whoever can send frames to a bridge sends them to the host's 127.0.0.1."""

    PORT = 9012
    BRIDGE, ADDRESS = "br-lan", "172.31.0.1"

    def setUp(self):
        super().setUp()
        self.containers.make("lan", "web")
        self.host.exec("ip", "-batch", "-", data=f"""
            link add {self.BRIDGE} type bridge
            addr add {self.ADDRESS}/24 dev {self.BRIDGE}
            link set {self.BRIDGE} up
            link add lan0 type veth peer name eth0 netns lan
            link set lan0 master {self.BRIDGE} up""")
        self.host.exec("ip", "-netns", "lan", "link", "set", "eth0", "up")
        self.network = cni.Network(self.host, cni.fairlead_conflist("net", "10.113.0.0/24", bridge=self.BRIDGE))
        self.service = self.host.net.listen("0.0.0.0", self.PORT, "udp")
        self.service.settimeout(5)
        eventually(lambda: self.arrives(self.ADDRESS, "lan", self.BRIDGE, self.ADDRESS), "the bridge to pass frames")

    def tearDown(self):
        self.service.close()
        self.network.delete("web", forget=True)
        self.host.fairlead("network", "rm", "net", check=False)
        # By itself: the kernel removes the interfaces of a namespace some time after its name is gone.
        self.host.exec("ip", "link", "del", "lan0")
        self.containers.remove_all()
        self.host.exec("ip", "link", "del", self.BRIDGE)
        super().tearDown()

    def arrives(self, destination, sender, bridge, address, tags=0):
        """Whether the frame comes before the harmless one behind it."""
        mac = self.host.link(bridge)["address"]
        with self.containers.net(sender) as namespace, namespace.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth0", 0))
            wire.send(datagram(mac, "172.31.0.66", destination, self.PORT, b"attack", tags))
            wire.send(datagram(mac, "172.31.0.66", address, self.PORT, b"harmless"))
        came = False
        while (text := self.service.recv(100)) != b"harmless":
            came = came or text == b"attack"
        return came

    def assert_kept_out(self, when, sender="lan", bridge=BRIDGE, address=ADDRESS):
        for tags in (0, 1, 2, 6):
            for destination in ("127.0.0.1", "127.0.0.53"):
                self.assertFalse(self.arrives(destination, sender, bridge, address, tags), f"{destination}, {tags} tags {when}")

    def flush(self):
        self.host.exec("nft", "flush", "ruleset")

    def localnet(self, bridge=BRIDGE):
        return self.host.exec("sysctl", "-n", f"net.ipv4.conf.{bridge}.route_localnet").out.strip()


class LoopbackWithoutADaemon(Wire, HostCase):
    """Nobody repairs anything."""

    def test_its_neighbours_stay_out_whatever_becomes_of_the_firewall_and_the_network(self):
        self.assert_kept_out("before")
        self.network.add("web", ports=[(8080, 80)])
        self.assertEqual("1", self.localnet())
        self.assert_kept_out("while a port is published")
        self.flush()
        self.assert_kept_out("after the flush")
        self.host.exec("tc", "filter", "del", "dev", self.BRIDGE, "ingress")
        self.assertTrue(self.arrives("127.0.0.1", "lan", self.BRIDGE, self.ADDRESS), "the control")
        self.host.fairlead("reconcile")
        self.flush()
        self.assert_kept_out("after reconcile")
        self.network.delete("web")
        self.host.fairlead("network", "rm", "net")
        self.flush()
        self.assertEqual("0", self.localnet())
        self.assertEqual("", self.host.exec("tc", "filter", "show", "dev", self.BRIDGE, "ingress").out)
        self.assert_kept_out("after the network")

    def test_a_container_stays_out_of_it_on_fairlead_s_own_bridge(self):
        network = cni.Network(self.host, cni.fairlead_conflist("own", "10.114.0.0/24"))
        network.add("web", ports=[(8080, 80)])
        try:
            bridge = self.own_bridge()
            self.host.exec("sysctl", "-qw", f"net.ipv4.conf.{bridge}.rp_filter=0", "net.ipv4.conf.all.rp_filter=0")
            self.assertEqual("1", self.localnet(bridge))
            self.flush()
            where = {"sender": "web", "bridge": bridge, "address": "10.114.0.1"}
            self.assert_kept_out("after the flush", **where)
            self.host.exec("tc", "filter", "del", "dev", bridge, "ingress")
            self.assertTrue(self.arrives("127.0.0.1", *where.values()), "the control")
        finally:
            network.delete("web")
            self.host.fairlead("network", "rm", "own")

    def own_bridge(self):
        links = json.loads(self.host.exec("ip", "-json", "link", "show", "type", "bridge").out)
        return next(link["ifname"] for link in links if link["ifname"].startswith("fl-"))


class LoopbackWithTheDaemon(Wire, FairleadCase):
    def test_its_neighbours_stay_out_whatever_becomes_of_the_firewall_and_the_network(self):
        self.assert_kept_out("before")
        self.network.add("web", ports=[(8080, 80)])
        self.assertEqual("1", self.localnet())
        for _ in range(5):
            self.flush()
            self.assert_kept_out("after the flush")
        self.network.delete("web")
        self.host.fairlead("network", "rm", "net")
        self.assertEqual("0", self.localnet())
        self.assert_kept_out("after the network")
        self.host.exec("sysctl", "-qw", f"net.ipv4.conf.{self.BRIDGE}.route_localnet=1")
        self.assertTrue(self.arrives("127.0.0.1", "lan", self.BRIDGE, self.ADDRESS), "the control")

    def test_a_filter_that_is_lost_is_put_back(self):
        self.network.add("web", ports=[(8080, 80)])
        for loss in ("filter del dev br-lan ingress", "qdisc del dev br-lan clsact"):
            self.host.exec("tc", *loss.split())
            eventually(lambda: "direct-action" in self.host.exec("tc", "filter", "show", "dev", "br-lan", "ingress",
                                                                 check=False).out, "the filter")
        self.assertEqual("1", self.localnet())


class Advertisements(DockerCase):
    """Docker moves the interface into the container itself, which takes its settings away."""

    def test_an_ipv4_container_takes_no_router_advertisement_of_its_neighbour(self):
        self.docker.network("net", "--subnet", "10.112.0.0/24", "-o", "spoofing=allow")  # what is looked at is who receives it
        self.docker.run("web", network="net")
        self.docker.run("evil", network="net")
        with self.docker.net("evil") as evil, self.docker.net("web") as web:
            advertise_router(evil, "eth0", "2001:db8:bad::")
            self.assertIsNotNone(evil.ping(self.docker.address("web", "net")))
            with web.entered():
                self.assertNotIn("20010db80bad", Path("/proc/thread-self/net/if_inet6").read_text())


class Spoofing(DockerCase):
    def test_a_packet_from_outside_with_a_container_s_address_is_no_way_in(self):
        self.docker.network("net", "--subnet", "10.111.0.0/24")
        self.docker.run("web", "--ip", "10.111.0.9", network="net")
        self.host.outside_ip(f"route replace 10.111.0.0/24 via {HOST_V4}")
        eventually(lambda: self.docker.answers("web", "10.111.0.9", 80), "web")
        with contextlib.suppress(OSError):
            self.host.outside_ip("address add 10.111.0.200/32 dev eth0")
        try:
            with self.assertRaises(OSError):
                self.host.outside.ask("10.111.0.9", 80, timeout=1, source=("10.111.0.200", 0))
        finally:
            self.host.outside_ip("address del 10.111.0.200/32 dev eth0")


class AlteredTable(FairleadCase):
    """What others do to the tables `inet fairlead` and `bridge fairlead` is noticed, told and taken back, whatever it is."""

    ALTERATIONS = (
        "flush table inet fairlead",
        "flush chain inet fairlead forward",
        "insert rule inet fairlead forward accept",
        "add rule inet fairlead published_only accept",
        "add chain inet fairlead evil { type filter hook forward priority -10; policy accept; }",
        "add chain inet fairlead input { policy drop; }",
        "add set inet fairlead evil { type ipv4_addr; }",
        'add element inet fairlead bridges { "evil0" }',
        "add element inet fairlead published_v6 { tcp . 2001:db8:2::1 . 4445 : fd68::2 . 80 }",
        "flush map inet fairlead published_any_v4",
        "flush set inet fairlead bridges",
        "add table inet fairlead { flags dormant; }",
        "flush chain bridge fairlead from_ports",
        "insert rule bridge fairlead from_ports accept",
        'add element bridge fairlead unchecked { "flh0" }',
        "flush set bridge fairlead senders_v4",
        "add table bridge fairlead { flags dormant; }",
        "delete table bridge fairlead",
        "delete table inet fairlead",
        "flush ruleset",
    )

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        cls.containers = cni.Containers(cls.host)
        cls.containers.make("web")
        cls.network = cni.Network(cls.host, cni.fairlead_conflist("net", "10.112.0.0/24"))
        cls.network.add("web", ports=[(8080, 80)])

    def table(self):
        return "".join(without_questions(self.host.exec("nft", "--stateless", "list", "table", family, "fairlead", check=False).out)
                       for family in ("inet", "bridge"))

    def daemon_status(self):
        """As the daemon tells it: the command line looks for itself, and has mended nothing."""
        return self.host.exec("curl", "--silent", "--unix-socket", API_SOCKET, "http://localhost/v1/status").out

    def test_is_mended_by_the_daemon_and_counted(self):
        before = self.table()
        for number, alteration in enumerate(self.ALTERATIONS, 1):
            with self.subTest(alteration):
                self.host.exec("nft", alteration)
                eventually(lambda: self.table() == before, "the table to be mended", 20)
                eventually(lambda number=number: f"rendered again {number} time" in self.daemon_status(), "it to be counted", 20)
        self.assertEqual(len(self.ALTERATIONS), self.fairleadd.log().count("rendered the firewall table again"))

    def test_is_told_by_check_and_status_and_mended_by_reconcile_without_a_daemon(self):
        self.assertEqual(0, self.fairleadd.stop())
        before = self.table()
        try:
            for alteration in self.ALTERATIONS:
                with self.subTest(alteration):
                    self.assertNotIn("Problems", self.host.fairlead("status").out)
                    self.network.check("web")
                    self.host.exec("nft", alteration)
                    self.assertIn("the nftables table is not as it was written", self.host.fairlead("status").out)
                    self.assertIn("rendered the firewall table again", self.host.fairlead("reconcile").out)
                    self.assertEqual(before, self.table())
                    self.assertEqual("nothing to do\n", self.host.fairlead("reconcile").out)
            self.host.exec("nft", "flush", "chain", "inet", "fairlead", "forward")
            with self.assertRaisesRegex(cni.CniError, "of chain forward are missing"):
                self.network.check("web")
        finally:
            self.restart_fairleadd()
        eventually(lambda: self.table() == before, "the daemon's first look to mend the table", 20)

    def test_is_not_what_fairlead_itself_does(self):
        renderings = self.fairleadd.log().count("rendered the firewall table again")
        names = self.containers.make(*(f"c{number}" for number in range(20)))
        for number, name in enumerate(names):
            self.network.add(name, ports=[(9000 + number, 80)])
        for name in names:
            self.network.delete(name)
        self.containers.remove(*names)
        self.host.fairlead("reconcile")
        self.assertEqual(renderings, self.fairleadd.log().count("rendered the firewall table again"))
