"""CNI with the addresses of another IPAM plugin: the real static, host-local and dhcp. With the daemon and without."""

import json

from support.e2e import cni, frames
from support.e2e.attacker import Ear, Guest, marks_in, new_mark, on_one_cpu
from support.e2e.case import CniCalls, FairleadCase, HostCase
from support.e2e.host import FURTHER_V4, HOST_V4
from support.e2e.waiting import eventually

PATH = {"CNI_PATH": f"{cni.BIN_FOLDER}:{cni.STANDARD_PLUGINS}"}
SUBNET, GATEWAY = "10.60.0.0/24", "10.60.0.1"
LEASES = "/var/lib/cni/networks"
RECORDER = "/run/recorder"
# An IPAM plugin that writes down how it was called, and fails when a file says so.
RECORDER_PROGRAM = f"""#!/bin/sh
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $MARK $(basename $(readlink /proc/$PPID/exe))" >> {RECORDER}/calls
cat > {RECORDER}/stdin
test -e {RECORDER}/fail-$CNI_COMMAND && {{ cat {RECORDER}/fail-$CNI_COMMAND; exit 3; }}
test $CNI_COMMAND = ADD && cat {RECORDER}/answer
exit 0
"""


def network_of(host, ipam, name="net", version="1.0.0", **keys):
    return cni.Network(host, cni.fairlead_conflist(name, version=version, ipam=ipam, **keys), env=PATH)


class CniIpam(CniCalls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_outside("tcp/80")
        eventually(lambda: cls.host.net.answers(FURTHER_V4, 80), "the outside server")
        cls.host.write(f"{cni.BIN_FOLDER}/recorder", RECORDER_PROGRAM, 0o755)

    def setUp(self):
        super().setUp()
        self.host.exec("rm", "-rf", RECORDER, LEASES)
        self.host.exec("mkdir", "-p", RECORDER)
        self.host.write(f"{RECORDER}/answer", json.dumps({"cniVersion": "1.0.0", "ips": [{"address": "10.60.0.77/24"}]}))

    def tearDown(self):
        self.remove_networks()
        super().tearDown()

    def static(self, address="10.60.0.9/24", **keys):
        ipam = {"type": "static", "addresses": [{"address": address, "gateway": GATEWAY}], "routes": [{"dst": "0.0.0.0/0"}],
                "dns": {"nameservers": ["192.0.2.53"], "domain": "example", "search": ["example"]}}
        return network_of(self.host, ipam, **keys)

    def host_local(self, subnet=SUBNET, **keys):
        return network_of(self.host, {"type": "host-local", "delegate": True, "ranges": [[{"subnet": subnet}]],
                                      "routes": [{"dst": "0.0.0.0/0"}]}, **keys)

    def recorder(self, **keys):
        return network_of(self.host, {"type": "recorder"}, subnet=SUBNET, **keys)

    def calls(self):
        return [line.split() for line in self.host.exec("cat", f"{RECORDER}/calls", check=False).out.splitlines()]

    def verbs(self):
        return [call[0] for call in self.calls()]

    def leases(self, name="net"):
        files = self.host.exec("ls", f"{LEASES}/{name}", check=False).out.split()
        return [file for file in files if not file.startswith(("last", "lock"))]

    def test_static_gives_address_routes_and_name_servers(self):
        self.containers.make("one")
        network = self.static()
        with self.leaving_nothing():
            result = network.add("one")
            inside = len(result["interfaces"]) - 1
            self.assertEqual([{"address": "10.60.0.9/24", "gateway": GATEWAY, "interface": inside}], result["ips"])
            self.assertEqual([{"dst": "0.0.0.0/0", "gw": GATEWAY}], result["routes"])
            self.assertEqual({"nameservers": ["192.0.2.53"], "domain": "example", "search": ["example"]}, result["dns"])
            with self.containers.net("one") as namespace:
                self.assertIsNotNone(namespace.ping(GATEWAY))
                self.assertEqual(HOST_V4, namespace.ask(FURTHER_V4, 80).peer)
            network.check("one")
            self.assertEqual(["10.60.0.9/24"], self.host.endpoints()[0]["addresses"])
            network.delete("one")
            network.delete("one", forget=True)
            self.assertEqual([], self.host.endpoints())
            self.remove_networks()

    def test_every_version_is_answered_in_its_own_shape(self):
        for number, version in enumerate(("0.1.0", "0.2.0", "0.3.1", "0.4.0", "1.0.0")):
            with self.subTest(version):
                name = f"c{number}"
                self.containers.make(name)
                network = self.static(f"10.60.{number}.9/16", name=f"net{number}", version=version)
                network.conflist["plugins"][0]["ipam"]["addresses"][0]["address"] = f"10.{60 + number}.0.9/24"
                network.conflist["plugins"][0]["ipam"]["addresses"][0]["gateway"] = f"10.{60 + number}.0.1"
                result = network.add(name)
                self.assertEqual(version, result["cniVersion"])
                address = result["ip4"]["ip"] if version < "0.3" else result["ips"][0]["address"]
                self.assertEqual(f"10.{60 + number}.0.9/24", address)
                network.delete(name)

    def test_the_capability_ips_is_asked_of_the_plugin(self):
        self.containers.make("one")
        network = network_of(self.host, {"type": "static"}, subnet=SUBNET)
        self.assertEqual("10.60.0.44", cni.address_of(network.add("one", ips=["10.60.0.44/24"])))
        network.check("one")

    def test_two_families(self):
        self.containers.make("one")
        network = network_of(self.host, {"type": "static", "addresses": [
            {"address": "10.60.0.9/24", "gateway": GATEWAY}, {"address": "fd00:60::9/64", "gateway": "fd00:60::1"}]})
        network.add("one")
        network.check("one")
        with self.containers.net("one") as namespace:
            self.assertIsNotNone(namespace.ping("fd00:60::1"))

    def test_host_local_keeps_its_own_leases(self):
        self.containers.make("one", "two")
        network = self.host_local()
        first, second = cni.address_of(network.add("one", ports=[(8080, 80)])), cni.address_of(network.add("two"))
        self.assertEqual({first, second}, set(self.leases()))
        self.assertEqual(0, sum(lease["use"] == "endpoint" for lease in self.host.fairlead_json("lease", "ls"))
                         if self.has_leases() else 0)
        with self.containers.net("one") as one, self.containers.net("two") as two, one.listen("0.0.0.0", 80):
            self.assertIsNotNone(two.ping(first))
            self.host.outside.connect(HOST_V4, 8080).close()
        network.delete("one")
        self.assertEqual([second], self.leases())

    def has_leases(self):
        return self.host.fairlead("lease", "ls", check=False).code == 0

    def test_del_frees_the_address_when_the_endpoint_and_the_namespace_are_gone(self):
        self.containers.make("one")
        network = self.host_local()
        network.add("one")
        self.host.fairlead("endpoint", "rm", "-f", f"net/{self.host.endpoints()[0]['id']}")
        self.assertEqual(1, len(self.leases()))
        network.delete("one", netns="", forget=True)
        self.assertEqual([], self.leases())

    def test_a_pool_without_addresses_is_the_plugin_s_own_error_and_leaves_nothing(self):
        self.containers.make("one", "two")
        network = self.host_local("10.60.0.0/30")
        network.add("one")
        with self.leaving_nothing():
            with self.assertRaises(cni.CniError) as caught:
                network.add("two")
            self.assertIn('ipam plugin "host-local": ', caught.exception.message)
            self.assertIn("no IP addresses available", caught.exception.message)
        self.assertEqual(1, len(self.leases()))

    def test_the_same_add_again_gives_the_same_answer(self):
        self.containers.make("one")
        network = self.host_local()
        first = network.add("one", ports=[(8080, 80)])
        self.assertEqual(first, network.add("one", ports=[(8080, 80)]))
        self.assertEqual(1, len(self.leases()))
        with self.assertRaises(cni.CniError) as caught:
            network.add("one", ports=[(8081, 80)])
        self.assertEqual(104, caught.exception.code)
        self.assertEqual(1, len(self.leases()), "the address of the attachment that is there stays")

    def test_a_port_that_is_taken_gives_the_address_back(self):
        self.containers.make("one", "two")
        network = self.host_local()
        network.add("one", ports=[(8080, 80)])
        with self.leaving_nothing(), self.assertRaises(cni.CniError) as caught:
            network.add("two", ports=[(8080, 80)])
        self.assertEqual(101, caught.exception.code)
        self.assertEqual(1, len(self.leases()))

    def test_the_plugin_is_run_by_the_process_that_the_runtime_started(self):
        self.containers.make("one")
        network = self.recorder(version="1.1.0")
        self.host.write(f"{RECORDER}/answer", json.dumps({"cniVersion": "1.1.0", "ips": [{"address": "10.60.0.77/24"}]}))
        network._env = {**PATH, "MARK": "from-the-runtime"}
        network.add("one")
        network.check("one")
        network.collect([("one", "eth0")])
        network.status()
        network.delete("one")
        self.assertEqual([["ADD", "one", "eth0", "from-the-runtime", "fairlead-cni-local"],
                          ["CHECK", "one", "eth0", "from-the-runtime", "fairlead-cni-local"],
                          ["GC", "from-the-runtime", "fairlead-cni-local"],
                          ["STATUS", "from-the-runtime", "fairlead-cni-local"],
                          ["DEL", "one", "eth0", "from-the-runtime", "fairlead-cni-local"]], self.calls())
        given = json.loads(self.host.exec("cat", f"{RECORDER}/stdin").out)
        self.assertEqual(("fairlead", "net", SUBNET), (given["type"], given["name"], given["subnet"]))

    def test_a_failure_of_the_plugin_is_passed_on_and_its_del_is_called(self):
        self.containers.make("one")
        network = self.recorder()
        self.host.write(f"{RECORDER}/fail-ADD", '{"cniVersion":"1.0.0","code":127,"msg":"the pool burns","details":"call 112"}')
        with self.assertRaises(cni.CniError) as caught:
            network.add("one")
        self.assertEqual((127, 'ipam plugin "recorder": the pool burns', "call 112"),
                         (caught.exception.code, caught.exception.message, caught.exception.details))
        self.assertEqual(["ADD", "DEL"], self.verbs())
        self.assertEqual([], self.host.endpoints())

    def test_a_result_that_cannot_be_used_gives_the_address_back(self):
        self.containers.make("one")
        for answer in ("", "not json", "{}", '{"ips":[]}', '{"ips":[{"address":"10.60.0.300/24"}]}', '{"ips":{}}'):
            with self.subTest(answer):
                self.host.exec("rm", "-f", f"{RECORDER}/calls")
                self.host.write(f"{RECORDER}/answer", answer)
                with self.assertRaises(cni.CniError) as caught:
                    self.recorder().add("one")
                self.assertIn('ipam plugin "recorder"', caught.exception.message)
                self.assertEqual(["ADD", "DEL"], self.verbs())

    def test_a_failing_check_status_or_del_of_the_plugin_is_one(self):
        self.containers.make("one")
        network = self.recorder(version="1.1.0")
        network.add("one")
        for verb, call in (("CHECK", lambda: network.check("one")), ("STATUS", network.status),
                           ("GC", lambda: network.collect([("one", "eth0")])), ("DEL", lambda: network.delete("one"))):
            with self.subTest(verb):
                self.host.write(f"{RECORDER}/fail-{verb}", '{"code":50,"msg":"no"}')
                with self.assertRaises(cni.CniError) as caught:
                    call()
                self.assertEqual(50, caught.exception.code)
                self.host.exec("rm", f"{RECORDER}/fail-{verb}")
        self.assertEqual([], self.host.endpoints(), "DEL has removed what is Fairlead's")
        network.delete("one")

    def test_a_plugin_that_is_not_there_is_named_with_its_folders(self):
        self.containers.make("one")
        with self.assertRaises(cni.CniError) as caught:
            network_of(self.host, {"type": "no-such-plugin"}, subnet=SUBNET).add("one")
        self.assertEqual(7, caught.exception.code)
        self.assertIn(PATH["CNI_PATH"], caught.exception.message)
        self.assertIn("no-such-plugin", caught.exception.message)
        self.assertEqual([], self.host.endpoints())
        for name in ("../../bin/sh", "..", "a/b"):
            with self.subTest(name), self.assertRaises(cni.CniError) as caught:
                network_of(self.host, {"type": name}, subnet=SUBNET).add("one")
            self.assertEqual(7, caught.exception.code)

    def test_in_a_network_of_fairlead_s_own_addresses_nobody_gets_the_same_one(self):
        self.host.fairlead("network", "create", "--subnet", SUBNET, "shop")
        self.containers.make("one", "two", "three")
        own = cni.Network(self.host, cni.fairlead_conflist("own", network="shop"))
        taken = cni.address_of(own.add("one"))
        other = self.static(f"{taken}/24", name="other", network="shop")
        with self.leaving_nothing(), self.assertRaises(cni.CniError) as caught:
            other.add("two")
        self.assertEqual(104, caught.exception.code)
        self.assertIn(taken, caught.exception.message)
        free = self.static("10.60.0.99/24", name="other", network="shop")
        free.add("two")
        self.assertNotEqual("10.60.0.99", cni.address_of(own.add("three")))
        with self.containers.net("two") as two:
            self.assertIsNotNone(two.ping(taken))
        with self.assertRaises(cni.CniError):
            own.add("three", "eth1", ips=["10.60.0.99/24"])
        free.delete("two")
        self.assertEqual("10.60.0.99", cni.address_of(own.add("three", "eth1", ips=["10.60.0.99/24"])))

    def test_modes_without_a_bridge(self):
        self.containers.make("one", "two")
        network = self.host_local(options={"mode": "routed"})
        first, _ = cni.address_of(network.add("one")), network.add("two")
        network.check("one")
        with self.containers.net("two") as two:
            self.assertIsNotNone(two.ping(first))
            self.assertEqual(HOST_V4, two.ask(FURTHER_V4, 80).peer)
        network.delete("one")
        network.delete("two")
        self.assertEqual([], self.leases())


class CniIpamWithTheDaemon(CniIpam, FairleadCase):
    pass


class CniIpamWithoutADaemon(CniIpam, HostCase):
    pass


SERVER, LAN, ROUTER_V4 = "dhcp-server", "lan0", "192.168.70.1"


class Dhcp(CniCalls):
    """A LAN whose DHCP server is in a namespace of its own, and the daemon of the dhcp plugin."""

    def setUp(self):
        super().setUp()
        self.containers.make(SERVER)
        self.host.exec("ip", "link", "add", LAN, "type", "veth", "peer", "name", "eth0", "netns", SERVER)
        self.host.exec("ip", "link", "set", LAN, "up")
        for command in (f"addr add {ROUTER_V4}/24 dev eth0", "link set eth0 up", "link set lo up"):
            self.host.exec("ip", "-n", SERVER, *command.split())
        self.host.exec("sh", "-c", "mkdir -p /run/udhcpd; : > /run/udhcpd/leases")
        self.host.write("/run/udhcpd/conf", "\n".join((
            "start 192.168.70.100", "end 192.168.70.102", "interface eth0", "lease_file /run/udhcpd/leases",
            "pidfile /run/udhcpd/pid", f"option router {ROUTER_V4}", "option subnet 255.255.255.0",
            "option dns 192.0.2.53", "option lease 3600")) + "\n")
        self.server = self.host.start("busybox", "udhcpd", "-f", "/run/udhcpd/conf", name="udhcpd", namespace=SERVER)
        self.host.exec("rm", "-rf", "/run/cni")
        self.daemon = self.host.start(f"{cni.STANDARD_PLUGINS}/dhcp", "daemon", name="dhcp")
        eventually(self.host.path("/run/cni/dhcp.sock").exists, "the daemon of the dhcp plugin")

    def tearDown(self):
        self.remove_networks()
        self.daemon.kill()
        self.server.kill()
        self.host.exec("ip", "link", "del", "br0", check=False)
        self.host.exec("ip", "link", "del", LAN, check=False)
        super().tearDown()

    def network(self, **keys):
        return network_of(self.host, {"type": "dhcp"}, **keys)

    def assert_leased(self, network):
        self.containers.make("one", "two")
        with self.leaving_nothing():
            result = network.add("one")
            address = cni.address_of(result)
            self.assertTrue(address.startswith("192.168.70.10"), result)
            self.assertIn({"dst": "0.0.0.0/0", "gw": ROUTER_V4}, result["routes"])
            self.assertEqual(ROUTER_V4, result["ips"][0]["gateway"])
            second = cni.address_of(network.add("two"))
            self.assertNotEqual(address, second)
            with self.containers.net("one") as one, self.containers.net(SERVER) as server:
                self.assertIsNotNone(one.ping(ROUTER_V4))
                self.assertIsNotNone(one.ping(second))
                self.assertIsNotNone(server.ping(address))
            network.check("one")
            # The server hears of it: with three addresses, these would be used up otherwise.
            for _ in range(4):
                network.delete("one")
                network.add("one")
            network.delete("one")
            network.delete("one", forget=True)
            network.delete("two")
            self.remove_networks()

    def test_on_a_bridge_of_the_host_s(self):
        self.host.exec("ip", "link", "add", "br0", "type", "bridge")
        self.host.exec("ip", "link", "set", "br0", "up")
        self.host.exec("ip", "link", "set", LAN, "master", "br0")
        self.assert_leased(cni.Network(self.host, cni.documented_conflists()["lan"], env=PATH))

    def test_on_the_network_of_the_parent(self):
        self.assert_leased(self.network(options={"mode": "macvlan", "parent": LAN}))

    def test_who_may_ask_a_server_may_be_nobody_else(self):
        """The attacks arrive where spoofing is allowed: that is the control."""
        self.host.exec("ip", "link", "add", "br0", "type", "bridge")
        self.host.exec("ip", "link", "set", "br0", "up")
        self.host.exec("ip", "link", "set", LAN, "master", "br0")
        self.containers.make("one")
        for spoofing in ("deny", "allow"):
            with self.subTest(spoofing):
                network = self.network(bridge="br0", name=spoofing, options={"spoofing": spoofing})
                result = network.add("one")
                mine = next(link["mac"] for link in result["interfaces"] if link.get("sandbox"))
                guest = Guest("one", self.containers.net("one"), "eth0", mine, cni.address_of(result))
                question, last, *marks = (new_mark() for _ in range(9))
                everybody = "255.255.255.255"

                def datagram(mark, source="0.0.0.0", ports=(68, 67), sender=mine, tags=()):
                    packet = frames.packet(source, everybody, frames.UDP, frames.udp(source, everybody, *ports, mark))
                    return frames.ethernet(frames.BROADCAST, sender, frames.IPV4, packet, tags)

                attacks = [datagram(marks[0], sender="02:00:00:00:00:99"), datagram(marks[1], ports=(4444, 67)),
                           datagram(marks[2], ports=(68, 53)), datagram(marks[3], ports=(67, 68)),
                           datagram(marks[4], source=guest.v4, ports=(67, 68)), datagram(marks[5], source="192.168.70.250"),
                           frames.ethernet(frames.BROADCAST, mine, frames.ARP,
                                           frames.arp(2, mine, "0.0.0.0", frames.BROADCAST, ROUTER_V4, marks[6]))]
                with self.containers.net(SERVER) as server, Ear(server, "eth0") as ear, on_one_cpu():
                    guest.send(*attacks, datagram(question), guest.greeting(last))
                    heard = ear.until(last)
                self.assertEqual({question} | (set(marks) if spoofing == "allow" else set()), marks_in(heard, [question, *marks]))
                guest.close()
                network.delete("one")
                self.remove_networks()

    def test_an_add_that_waits_for_a_silent_server_ends_with_its_runtime_s_patience(self):
        self.containers.make("one")
        network = self.network(options={"mode": "macvlan", "parent": LAN})
        with self.server.paused(), self.leaving_nothing():
            config = json.dumps({**network.conflist["plugins"][0], "cniVersion": "1.0.0", "name": network.name})
            env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "one", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/one", **PATH}
            self.host.exec("timeout", "--signal=KILL", "3", f"{cni.BIN_FOLDER}/fairlead", check=False, data=config, env=env)
            self.assertEqual([[]], [endpoint["addresses"] for endpoint in self.host.endpoints()], "it has its link")
            plugin = f"{cni.STANDARD_PLUGINS}/dhcp"
            eventually(lambda: self.host.exec("pgrep", "-xf", plugin, check=False).code == 1, "the plugin to end as well")
            network.delete("one", forget=True)
            self.remove_networks()


class DhcpWithTheDaemon(Dhcp, FairleadCase):
    pass


class DhcpWithoutADaemon(Dhcp, HostCase):
    pass
