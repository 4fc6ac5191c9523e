"""CNI in a list of plugins: fairlead behind and before the standard ones. With the daemon and without."""

import json

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase, HostCase
from support.e2e.host import FURTHER_V4, HOST_V4
from support.e2e.waiting import eventually

OWN, OTHER = "10.62.0.0/24", "10.63.0.0/24"
STANDARD = ("ptp", "bridge", "loopback", "portmap", "bandwidth", "tuning", "firewall", "host-local", "static")


def main_plugin(kind):
    """A standard main plugin with addresses of its own."""
    plugin = {"type": kind, "ipMasq": True, "ipam": {"type": "host-local", "subnet": OTHER, "routes": [{"dst": "0.0.0.0/0"}]}}
    return {**plugin, "bridge": "other0", "isGateway": True} if kind == "bridge" else plugin


class CniChain(CniCalls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in STANDARD:
            cls.host.exec("ln", "-sf", f"{cni.STANDARD_PLUGINS}/{name}", f"{cni.BIN_FOLDER}/{name}")
        cls.host.answer_outside("tcp/80")
        eventually(lambda: cls.host.net.answers(FURTHER_V4, 80), "the outside server")

    def tearDown(self):
        self.remove_networks()
        self.host.exec("rm", "-rf", "/var/lib/cni/networks")
        for table in ("nat", "filter"):
            self.host.exec("iptables", "-t", table, "-F", check=False)
            self.host.exec("iptables", "-t", table, "-X", check=False)
        self.host.exec("ip", "link", "del", "other0", check=False)
        super().tearDown()

    def list_of(self, *plugins, version="1.0.0", **keys):
        own = {"type": "fairlead", "subnet": OWN, **keys}
        whole = [own if plugin == "fairlead" else plugin for plugin in plugins]
        return cni.Network(self.host, {"cniVersion": version, "name": "chained", "plugins": whole})

    def assert_clean(self, container):
        links = json.loads(self.host.exec("ip", "-json", "-netns", container, "link").out)
        self.assertEqual(["lo"], [link["ifname"] for link in links])
        self.assertEqual([], self.host.endpoints())

    def check_ours(self, network, container):
        """Of Fairlead alone: ptp and bridge take every address of the result for one of their own interface."""
        result = network._results[container, "eth0"][0]
        own = next(plugin for plugin in network.conflist["plugins"] if plugin["type"] == "fairlead")
        config = {**own, "cniVersion": result["cniVersion"], "name": network.name, "prevResult": result}
        network.call("fairlead", "CHECK", config, container)

    # ---- behind others

    def test_behind_a_main_plugin_it_adds_its_interface_to_the_result(self):
        for kind in ("ptp", "bridge"):
            for version in ("0.3.1", "0.4.0", "1.0.0"):
                with self.subTest(kind, version=version):
                    self.containers.make("one")
                    network = self.list_of(main_plugin(kind), "fairlead", version=version, ifname="net1")
                    result = network.add("one")
                    inside = {link["name"]: number for number, link in enumerate(result["interfaces"]) if link.get("sandbox")}
                    self.assertEqual({"eth0", "net1"}, set(inside))
                    of = {ip["interface"]: ip["address"] for ip in result["ips"]}
                    self.assertTrue(of[inside["eth0"]].startswith("10.63.0."), of)
                    self.assertTrue(of[inside["net1"]].startswith("10.62.0."), of)
                    self.assertEqual(version, result["cniVersion"])
                    with self.containers.net("one") as namespace:
                        self.assertIsNotNone(namespace.ping("10.62.0.1"))
                        self.assertIsNotNone(namespace.ping("10.63.0.1"))
                        self.assertEqual(HOST_V4, namespace.ask(FURTHER_V4, 80).peer)
                    if version != "0.3.1":
                        self.check_ours(network, "one")
                    network.delete("one")
                    network.delete("one", forget=True)
                    self.assert_clean("one")
                    self.containers.remove("one")
                    self.host.exec("ip", "link", "del", "other0", check=False)

    def test_behind_loopback_it_needs_no_name_of_its_own(self):
        self.containers.make("one")
        network = self.list_of({"type": "loopback"}, "fairlead")
        result = network.add("one")
        self.assertEqual(["lo", "eth0"], [link["name"] for link in result["interfaces"] if link.get("sandbox")])
        network.check("one")
        network.delete("one")
        self.assert_clean("one")

    def test_two_interfaces_of_one_name_are_refused(self):
        self.containers.make("one")
        network = self.list_of(main_plugin("ptp"), "fairlead")
        with self.assertRaises(cni.CniError) as caught:
            network.add("one")
        self.assertEqual(7, caught.exception.code)
        self.assertIn('"ifname": "net1"', caught.exception.message)
        self.assertIn("eth0", caught.exception.message)
        network.delete("one")
        self.assert_clean("one")

    def test_a_version_without_lists_is_refused(self):
        self.containers.make("one")
        result = {"cniVersion": "0.2.0", "ip4": {"ip": "10.63.0.2/24"}}
        config = {"type": "fairlead", "name": "chained", "cniVersion": "0.2.0", "subnet": OWN, "prevResult": result}
        with self.assertRaises(cni.CniError) as caught:
            self.list_of("fairlead").call("fairlead", "ADD", config, "one")
        self.assertIn("0.3.0", caught.exception.message)

    def test_twice_in_one_list(self):
        self.host.fairlead("network", "create", "--subnet", OTHER, "shop")
        self.containers.make("one", "two")
        network = self.list_of("fairlead", {"type": "fairlead", "network": "shop", "ifname": "net1"}, version="1.1.0")
        result = network.add("one")
        self.assertEqual(["eth0", "net1"], [link["name"] for link in result["interfaces"] if link.get("sandbox")])
        network.add("two")
        network.check("one")
        network.status()
        network.collect([("one", "eth0")])
        self.assertEqual([("one", "eth0"), ("one", "net1")],
                         sorted((endpoint["container"], endpoint["ifname"]) for endpoint in self.host.endpoints()))
        network.check("one")
        network.delete("one")
        self.assert_clean("one")

    def test_a_lost_interface_is_found_by_check_whoever_made_it(self):
        self.containers.make("one")
        network = self.list_of(main_plugin("ptp"), "fairlead", ifname="net1")
        network.add("one")
        self.host.exec("ip", "-netns", "one", "address", "flush", "dev", "net1")
        with self.assertRaises(cni.CniError) as caught:
            self.check_ours(network, "one")
        self.assertIn("net1", str(caught.exception))
        network.delete("one")
        self.assert_clean("one")

    def test_the_conflists_of_the_documentation(self):
        self.host.fairlead("network", "create", "--subnet", "10.66.0.0/24", "shop")
        shown = cni.documented_conflists()
        self.assertLessEqual({"shop-from-cni", "fixed", "files", "two-networks"}, set(shown))
        for name, conflist in shown.items():
            if name == "lan":
                continue  # test_cni_ipam.py has a DHCP server
            with self.subTest(name):
                self.containers.make("one")
                network = cni.Network(self.host, conflist)
                self.assertTrue(network.add("one", ports=[(8086, 80)])["ips"])
                self.check_ours(network, "one")
                with self.containers.net("one") as namespace, namespace.listen("0.0.0.0", 80):
                    self.assertEqual(HOST_V4, namespace.ask(FURTHER_V4, 80).peer)
                    if any("portMappings" in plugin.get("capabilities", {}) for plugin in conflist["plugins"]):
                        self.host.outside.connect(HOST_V4, 8086).close()
                network.delete("one")
                self.assert_clean("one")
                self.containers.remove("one")

    # ---- before others

    def test_portmap_behind_it(self):
        self.containers.make("one")
        network = self.list_of("fairlead", {"type": "portmap", "capabilities": {"portMappings": True}})
        network.add("one", ports=[(8085, 80)])
        self.assertEqual([], self.host.ports(), "they are portmap's")
        self.check_ours(network, "one")  # Debian's portmap looks for IPv4's rules among IPv6's, behind whatever plugin
        with self.containers.net("one") as namespace, namespace.listen("0.0.0.0", 80):
            self.host.outside.connect(HOST_V4, 8085).close()
        network.delete("one")
        self.assert_clean("one")

    def test_firewall_and_tuning_behind_it(self):
        self.containers.make("one")
        tuning = {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.log_martians": "1"}, "mtu": 1400}
        network = self.list_of("fairlead", {"type": "firewall"}, tuning)
        before = self.list_of("fairlead").add("one")
        self.list_of("fairlead").delete("one")
        result = network.add("one")
        self.assertEqual([link["name"] for link in before["interfaces"]], [link["name"] for link in result["interfaces"]])
        self.assertEqual("1", self.host.exec("ip", "netns", "exec", "one", "sysctl", "-n",
                                             "net.ipv4.conf.eth0.log_martians").out.strip())
        network.check("one")
        with self.containers.net("one") as namespace:
            self.assertEqual(HOST_V4, namespace.ask(FURTHER_V4, 80).peer)
        network.delete("one")
        self.assert_clean("one")

    def test_bandwidth_behind_it(self):
        if self.host.exec("ip", "link", "add", "ifb-probe", "type", "ifb", check=False).code != 0:
            self.skipTest("this kernel has no ifb")
        self.host.exec("ip", "link", "del", "ifb-probe")
        self.containers.make("one")
        network = self.list_of("fairlead", {"type": "bandwidth", "capabilities": {"bandwidth": True}})
        rates = {"ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 8_000_000, "egressBurst": 800_000}
        result = network.add("one", bandwidth=rates)
        host_side = next(link["name"] for link in result["interfaces"] if link["name"].startswith("flh"))
        self.assertIn("tbf", self.host.exec("tc", "qdisc", "show", "dev", host_side).out)
        network.check("one")
        network.delete("one")
        self.assert_clean("one")


class CniChainWithTheDaemon(CniChain, FairleadCase):
    pass


class CniChainWithoutADaemon(CniChain, HostCase):
    pass
