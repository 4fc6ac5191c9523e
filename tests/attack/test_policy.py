"""What leaves a network with egress=deny, and what policies let through; without a daemon."""

import contextlib
import json

from between import FAMILIES, Between, bound, say
from support.e2e import frames
from support.e2e.attacker import Ear, marks_in, new_mark, on_one_cpu
from support.e2e.case import FairleadCase, HostCase
from support.e2e.host import HOST_V4, HOST_V6, OUTSIDE_V4, OUTSIDE_V6
from support.e2e.name_server import NameServer
from support.e2e.waiting import eventually

GRE, SCTP, ANY_PROTOCOL = 47, 132, 253
METADATA = "169.254.169.254"


class Kept(Between, HostCase):
    """A container of a network with egress=deny, and one of a network without, which is the control."""

    modes = ()

    @classmethod
    def make_networks(cls):
        cls.prisoner = cls.one("prisoner", "cell", "-o", "egress=deny", *cls.modes, number=1, ports=[(8070, 70)])
        cls.free = cls.one("free", "plain", *cls.modes, number=2)
        cls.web = cls.street.attach("web", "plain", ports=[(8080, 80)])
        cls.host.answer_outside("tcp/80", "tcp/443", "udp/80")
        cls.host.answer_here("tcp/9100", "udp/9100", "tcp/53", "udp/53")
        for guest in (cls.prisoner, cls.free):
            for words in (f"route replace {METADATA} via {cls.street.gateways('cell' if guest is cls.prisoner else 'plain')[0]}",):
                cls.host.exec("ip", "-n", guest.name, *words.split())
        for words in (f"address replace {METADATA}/32 dev eth0", f"route replace 10.71.0.0/16 via {HOST_V4}",
                      f"-6 route replace fd00:71::/32 via {HOST_V6}"):
            cls.host.outside_ip(words)
        cls.host.exec("ip", "route", "replace", METADATA, "via", OUTSIDE_V4)
        eventually(lambda: cls.host.net.answers(OUTSIDE_V4, 443), "the outside server")
        eventually(lambda: cls.host.net.answers("127.0.0.1", 9100), "the host's server")
        cls.know_each_other(cls.prisoner, cls.free, cls.web)

    def tearDown(self):
        for policy in self.host.fairlead("policy", "ls", "-q").out.split():
            self.host.fairlead("policy", "rm", policy)

    def policy(self, *words):
        return self.host.fairlead("policy", *words).out.strip()

    def packets(self, guest, mark):
        """Packets of every kind to the outside, each with the mark: (what it is, the packet)."""
        for target in (OUTSIDE_V4, OUTSIDE_V6, METADATA):
            source = guest.v6 if ":" in target else guest.v4
            dns = frames.udp(source, target, 4444, 53, mark)
            ping = (frames.icmpv6(source, target, 128, mark) if ":" in target else frames.icmp(8, 0, 1, mark))
            kinds = {"udp": (frames.UDP, frames.udp(source, target, 4444, 4444, mark)), "dns": (frames.UDP, dns),
                     "tcp": (frames.TCP, frames.tcp(source, target, 4444, 443, 1, 0, 2, mark)),
                     "tcp in the middle": (frames.TCP, frames.tcp(source, target, 4445, 443, 1, 7, 0x10, mark)),
                     "ping": (frames.ICMPV6 if ":" in target else frames.ICMP, ping),
                     "gre": (GRE, bytes(4) + mark), "sctp": (SCTP, bytes(12) + mark), "another protocol": (ANY_PROTOCOL, mark)}
            for kind, (protocol, payload) in kinds.items():
                yield f"{kind} to {target}", frames.packet(source, target, protocol, payload)
        whole = frames.udp(guest.v4, OUTSIDE_V4, 4444, 4446, mark * 8)
        yield "first fragment", frames.ipv4(guest.v4, OUTSIDE_V4, frames.UDP, whole[:24], more=True, identity=7)
        yield "last fragment", frames.ipv4(guest.v4, OUTSIDE_V4, frames.UDP, whole[24:], fragment=24, identity=7)

    def arrived_outside(self, guest):
        """What of all kinds has reached the outside."""
        sent = []
        with Ear(self.host.outside, "eth0") as ear, on_one_cpu():
            for number in range(len(list(self.packets(guest, b"")))):
                mark = new_mark()
                kind, packet = list(self.packets(guest, mark))[number]
                sent.append((kind, mark))
                guest.send(frames.ethernet(self.gateway_of(guest), guest.mac, frames.ethertype(guest.v6 if packet[0] >> 4 == 6 else guest.v4),
                                           packet))
            last = new_mark()
            say(self.host.net, OUTSIDE_V4, last)
            heard = ear.until(last)
        return {kind for kind, mark in sent if marks_in(heard, [mark])}

    def test_nothing_of_any_protocol_leaves(self):
        self.assertEqual(set(), self.arrived_outside(self.prisoner))
        through = self.arrived_outside(self.free)
        for kind in ("udp", "dns", "tcp", "ping", "gre", "another protocol"):
            self.assertIn(f"{kind} to {OUTSIDE_V4}", through)
        self.assertIn(f"udp to {OUTSIDE_V6}", through)
        self.assertIn(f"udp to {METADATA}", through)

    def reaches(self, guest, address, port, proto="tcp"):
        if proto == "tcp":
            with contextlib.suppress(OSError), guest.net.connect(address, port, timeout=0.3):
                return True
            return False
        with guest.net.connect(address, port, "udp") as client:
            client.settimeout(0.3)
            with contextlib.suppress(OSError):
                client.send(b"?")
                return bool(client.recv(99))
            return False

    def test_other_networks_published_ports_and_the_host_are_out_of_reach(self):
        places = [(HOST_V4, 8080, "tcp"), (HOST_V6, 8080, "tcp"), (HOST_V4, 9100, "tcp"), (HOST_V4, 9100, "udp"), (HOST_V6, 9100, "tcp"),
                  (HOST_V4, 53, "udp")]
        for address, port, proto in places:
            with self.subTest(address=address, port=port, proto=proto):
                self.assertFalse(self.reaches(self.prisoner, address, port, proto))
                self.assertTrue(port == 8080 or self.reaches(self.free, address, port, proto))
        for gateway in self.street.gateways("cell"):
            self.assertFalse(self.reaches(self.prisoner, gateway, 9100))
            self.assertTrue(self.reaches(self.prisoner, gateway, 53))
            self.assertFalse(self.reaches(self.prisoner, gateway, 8080))

    def published(self):
        """Where the outside reaches the prisoner's port."""
        return (HOST_V4, 8070), (HOST_V6, 8070)

    def test_published_ports_answer(self):
        for target, port in self.published():
            with self.prisoner.net.listen(self.prisoner.v6 if ":" in target else self.prisoner.v4, 70) as server, \
                    self.host.outside.connect(target, port) as client:
                client.sendall(b"question")
                with server.accept()[0] as connection:
                    self.assertEqual(b"question", connection.recv(99))
                    connection.sendall(b"answer")
                self.assertEqual(b"answer", client.recv(99))

    def test_what_is_allowed_passes_and_nothing_beside_it(self):
        self.assertFalse(self.reaches(self.prisoner, OUTSIDE_V4, 443))
        first = self.policy("allow", "cell", OUTSIDE_V4, "443/tcp")
        self.assertTrue(self.reaches(self.prisoner, OUTSIDE_V4, 443))
        self.assertFalse(self.reaches(self.prisoner, OUTSIDE_V4, 80))
        self.assertFalse(self.reaches(self.prisoner, OUTSIDE_V6, 443))
        self.policy("deny", "cell", "203.0.113.0/24", "400-500/tcp")
        self.assertFalse(self.reaches(self.prisoner, OUTSIDE_V4, 443))
        self.policy("rm", first)

    def test_the_outside_is_not_the_metadata_of_a_cloud(self):
        self.policy("allow", "cell", "outside", "tcp")
        self.assertTrue(self.reaches(self.prisoner, OUTSIDE_V4, 80))
        self.assertTrue(self.reaches(self.free, METADATA, 80))
        self.assertFalse(self.reaches(self.prisoner, METADATA, 80))

    def test_a_flow_ends_with_the_policy_that_allowed_it(self):
        for family, (_, server_address) in FAMILIES.items():
            with self.subTest(family), bound(self.host.outside, server_address, 7001) as server, \
                    bound(self.prisoner.net, self.prisoner.v6 if family == "IPv6" else self.prisoner.v4, 5555) as client:
                policy = self.policy("allow", "cell", server_address, "7001/udp")
                client.connect((server_address, 7001))
                client.send(b"question")
                seen = server.recvfrom(99)[1]
                server.sendto(b"answer", seen)
                self.assertEqual(b"answer", client.recv(99))
                self.policy("rm", policy)
                client.settimeout(0.3)
                server.settimeout(0.3)
                client.send(b"more")
                self.assertRaises(OSError, server.recv, 99)
                server.sendto(b"more", seen)
                self.assertRaises(OSError, client.recv, 99)

    def test_a_denial_ends_flows_of_others_too(self):
        with bound(self.host.outside, OUTSIDE_V4, 7002) as server, bound(self.free.net, self.free.v4, 5556) as client:
            client.connect((OUTSIDE_V4, 7002))
            client.send(b"question")
            seen = server.recvfrom(99)[1]
            self.policy("deny", "plain", "outside")
            server.settimeout(0.3)
            client.settimeout(0.3)
            client.send(b"more")
            self.assertRaises(OSError, server.recv, 99)
            server.sendto(b"more", seen)
            self.assertRaises(OSError, client.recv, 99)

    def test_a_flushed_table_comes_back_as_it_was(self):
        self.policy("allow", "cell", OUTSIDE_V4, "443/tcp")
        self.host.exec("nft", "flush", "ruleset")
        self.host.fairlead("reconcile")
        self.assertTrue(self.reaches(self.prisoner, OUTSIDE_V4, 443))
        self.assertFalse(self.reaches(self.prisoner, OUTSIDE_V4, 80))
        self.assertEqual(set(), self.arrived_outside(self.prisoner) - {f"tcp to {OUTSIDE_V4}", f"tcp in the middle to {OUTSIDE_V4}"})

    def test_killed_anywhere_the_next_call_finishes_or_undoes(self):
        asked = ("policy", "allow", "cell", OUTSIDE_V4, "443/tcp")
        for point in ("policy.add.committed", "policy.add.written"):
            with self.subTest(point):
                self.assertNotEqual(0, self.host.fairlead(*asked, check=False, env={"FAIRLEAD_FAULT": point}).code)
                policy = self.policy(*asked[1:])
                self.assertTrue(self.reaches(self.prisoner, OUTSIDE_V4, 443))
                self.policy("rm", policy)
                self.assertFalse(self.reaches(self.prisoner, OUTSIDE_V4, 443))
        for point in ("policy.remove.committed", "policy.remove.written"):
            with self.subTest(point):
                policy = self.policy(*asked[1:])
                self.assertNotEqual(0, self.host.fairlead("policy", "rm", policy, check=False, env={"FAIRLEAD_FAULT": point}).code)
                self.host.fairlead("policy", "rm", "-f", policy)
                self.assertFalse(self.reaches(self.prisoner, OUTSIDE_V4, 443))
                self.assertEqual("", self.host.fairlead("policy", "ls", "-q").out)
        self.assertEqual([], self.host.fairlead_json("status")["problems"])


class KeptWhenRouted(Kept):
    """Without translation: the outside knows the way to the containers."""

    modes = ("-o", "gateway_mode_ipv4=routed", "-o", "gateway_mode_ipv6=routed")

    def published(self):
        return (self.prisoner.v4, 70), (self.prisoner.v6, 70)


class KeptUnprotected(Kept):
    """With gateway_mode=nat-unprotected."""

    modes = ("-o", "gateway_mode_ipv4=nat-unprotected", "-o", "gateway_mode_ipv6=nat-unprotected")


class KeptWithBridgeNetfilter(Kept):
    """Where frames between ports of a bridge pass the tables of packets as well."""

    bridge_netfilter = 1

    def test_neighbours_still_talk(self):
        neighbour = self.street.attach("neighbour", "cell")
        with neighbour.net.listen(neighbour.v4, 7003), neighbour.net.listen(neighbour.v6, 7003):
            self.assertTrue(self.reaches(self.prisoner, neighbour.v4, 7003))
            self.assertTrue(self.reaches(self.prisoner, neighbour.v6, 7003))


class Names(Between, FairleadCase):
    """Names of the DNS in policies, whose servers an attacker may have."""

    @classmethod
    def make_networks(cls):
        cls.server = NameServer(cls.host.outside, OUTSIDE_V4)
        cls.addClassCleanup(cls.server.close)
        cls.host.write("/etc/resolv.conf", f"nameserver {OUTSIDE_V4}\noptions timeout:1\n")
        cls.server.names["git.example"] = (OUTSIDE_V4, OUTSIDE_V6)
        cls.prisoner = cls.one("prisoner", "cell", "-o", "egress=deny", "-o", "egress_allow=git.example:443/tcp", number=1)
        cls.free = cls.one("free", "plain", number=2)
        cls.host.answer_outside("tcp/80", "tcp/443")
        cls.host.answer_here("tcp/9100")
        eventually(lambda: cls.host.net.answers(OUTSIDE_V4, 443), "the outside server")

    def reaches(self, address, port):
        with contextlib.suppress(OSError), self.prisoner.net.connect(address, port, timeout=0.3):
            return True
        return False

    def test_the_daemon_asks_for_what_a_network_names(self):
        eventually(lambda: self.reaches(OUTSIDE_V4, 443), "the name's address to be open")
        self.assertTrue(self.reaches(OUTSIDE_V6, 443))
        self.assertFalse(self.reaches(OUTSIDE_V4, 80))

    def test_a_name_opens_neither_the_host_nor_a_neighbour(self):
        with self.free.net.listen(self.free.v4, 9100):
            self.server.names["evil.example"] = (self.free.v4, "169.254.169.254", HOST_V4, "127.0.0.1", OUTSIDE_V4)
            policy = json.loads(self.host.fairlead("policy", "allow", "cell", "evil.example", "9100/tcp", "--json").out)
            self.addCleanup(self.host.fairlead, "policy", "rm", policy["state"]["id"])
            self.assertEqual({HOST_V4, OUTSIDE_V4}, set(policy["state"]["addresses"]))
            for address in (self.free.v4, HOST_V4, self.street.gateways("cell")[0]):
                self.assertFalse(self.reaches(address, 9100))
            self.assertIn("169.254.169.254", " ".join(self.host.fairlead_json("status")["notes"]))
            explicit = self.host.fairlead("policy", "allow", "cell", self.free.v4, "9100/tcp").out.strip()
            self.addCleanup(self.host.fairlead, "policy", "rm", explicit)
            self.assertTrue(self.reaches(self.free.v4, 9100))

    def test_without_a_server_and_without_the_daemon_the_last_known_addresses_stay(self):
        eventually(lambda: self.reaches(OUTSIDE_V4, 443), "the name's address to be open")
        self.fairleadd.kill()
        self.addCleanup(self.restart_fairleadd)
        self.host.exec("nft", "flush", "ruleset")
        self.host.fairlead("reconcile", check=False)
        self.assertTrue(self.reaches(OUTSIDE_V4, 443))
        self.assertFalse(self.reaches(OUTSIDE_V4, 80))
