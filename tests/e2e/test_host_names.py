"""host_interface_prefix=veth: the host's ends of containers' links under names that others look for."""

import json

from support.e2e import cni
from support.e2e.case import CniCalls, DockerCase, FairleadCase, HostCase
from support.e2e.host import FURTHER_V4, HOST_V4
from support.e2e.waiting import eventually

VETH = {"host_interface_prefix": "veth"}
STRANGERS = ("vethflabcdefgh", "veth1a2b3c4d", "vethfr1234567")  # as other runtimes may call theirs


class HostNames(CniCalls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_outside("tcp/80")
        eventually(lambda: cls.host.net.answers(FURTHER_V4, 80), "the outside server")

    def tearDown(self):
        self.remove_networks()
        self.host.exec("ip", "link", "del", "mybr", check=False)
        super().tearDown()

    def network(self, name="net", subnet="10.64.0.0/24", options=None, **keys):
        return cni.Network(self.host, cni.fairlead_conflist(name, subnet, options={**VETH, **(options or {})}, **keys))

    def veths(self):
        links = json.loads(self.host.exec("ip", "-json", "link", "show", "type", "veth").out or "[]")
        return sorted(link["ifname"] for link in links if link and link["ifname"].startswith("veth"))

    def use(self, network, prefix):
        """ADD, what a container can do, CHECK, reconcile, DEL."""
        self.containers.make("one", "two")
        with self.leaving_nothing():
            result = network.add("one", ports=[(8080, 80)])
            outside = [link["name"] for link in result["interfaces"] if not link.get("sandbox")]
            self.assertRegex(outside[-1], f"^{prefix}[0-9a-z]{{8}}$")
            self.assertEqual([outside[-1]], self.veths())
            address = cni.address_of(network.add("two"))
            self.assertEqual(2, len(self.veths()))
            with self.containers.net("one") as one, one.listen("0.0.0.0", 80):
                self.assertIsNotNone(one.ping(address))
                self.assertEqual(HOST_V4, one.ask(FURTHER_V4, 80).peer)
                self.host.outside.connect(HOST_V4, 8080).close()
            network.check("one")
            self.assertEqual([], self.host.fairlead_json("reconcile")["network"]["actions"])
            self.assertEqual(2, len(self.veths()))
            network.check("one")
            network.delete("one")
            network.delete("two")
            self.assertEqual([], self.veths())
            self.remove_networks()

    def test_on_a_bridge(self):
        self.use(self.network(), "vethfl-")

    def test_without_a_bridge(self):
        self.use(self.network(options={"mode": "routed"}), "vethfr-")

    def test_links_of_others_under_veth_are_nobody_s_of_fairlead_s(self):
        """Neither their frames are checked, on a bridge that both are on, nor are they taken for what a crash has left."""
        self.host.exec("ip", "link", "add", "mybr", "type", "bridge")
        network = self.network(bridge="mybr")
        self.containers.make("one", *(f"of-{name}" for name in STRANGERS))
        address = cni.address_of(network.add("one"))
        for number, name in enumerate(STRANGERS):
            self.host.exec("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", f"of-{name}")
            self.host.exec("ip", "link", "set", name, "master", "mybr", "up")
            for command in (f"addr add 10.64.0.{200 + number}/24 dev eth0", "link set eth0 up"):
                self.host.exec("ip", "-n", f"of-{name}", *command.split())
            with self.containers.net(f"of-{name}") as stranger:
                eventually(lambda stranger=stranger: stranger.ping(address), f"{name} to pass")
        self.host.fairlead("reconcile")
        for name in STRANGERS:
            self.assertIn(name, self.veths())
            self.host.exec("ip", "link", "del", name)
        network.delete("one")

    def test_what_a_crash_has_left_is_removed_and_nothing_else(self):
        self.containers.make("one", "stranger")
        self.host.exec("ip", "link", "add", STRANGERS[0], "type", "veth", "peer", "name", "eth0", "netns", "stranger")
        left = "vethfl-0123abcz"
        self.host.exec("ip", "link", "add", left, "type", "veth", "peer", "name", "eth1", "netns", "stranger")
        network = self.network()
        network.add("one")
        self.assertEqual(3, len(self.veths()))
        eventually(lambda: self.host.fairlead("reconcile") and left not in self.veths(), "the link that no record names to go", 90, 2)
        self.assertIn(STRANGERS[0], self.veths())
        network.check("one")
        self.host.exec("ip", "link", "del", STRANGERS[0])
        network.delete("one")

    def test_prefixes_by_which_nobody_would_know_them_are_refused(self):
        for prefix in ("", "cali", "eth", "lxc", "flh", "vethfl-", "veth*", "veth0", "VETH", "-", "a" * 300):
            with self.subTest(prefix):
                failed = self.host.fairlead("network", "create", "-o", f"host_interface_prefix={prefix}", "odd", check=False)
                self.assertNotEqual(0, failed.code)
                self.assertIn("host_interface_prefix", failed.err)
        self.assertEqual([], self.host.networks())

    def test_a_network_keeps_its_names(self):
        self.containers.make("one", "two")
        network = self.network()
        network.add("one")
        other = cni.Network(self.host, cni.fairlead_conflist("net", "10.64.0.0/24"))
        with self.assertRaises(cni.CniError) as caught:
            other.add("two")
        self.assertEqual(105, caught.exception.code)
        self.assertIn("host_interface_prefix", str(caught.exception))
        network.delete("one")


class HostNamesWithTheDaemon(HostNames, FairleadCase):
    def test_a_port_that_somebody_takes_off_its_bridge_is_put_back(self):
        self.containers.make("one")
        network = self.network()
        network.add("one")
        bridge = next(link["ifname"] for link in json.loads(self.host.exec("ip", "-json", "link", "show", "type", "bridge").out))
        name, = self.veths()
        self.host.exec("ip", "link", "set", name, "nomaster")
        eventually(lambda: self.host.link(name).get("master") == bridge, "the port to be back on its bridge")
        network.check("one")
        network.delete("one")


class HostNamesWithoutADaemon(HostNames, HostCase):
    pass


class HostNamesOfDocker(DockerCase):
    def test_docker_s_containers(self):
        self.docker.network("net", "--subnet", "10.65.0.0/24", "-o", "host_interface_prefix=veth")
        self.docker.run("one", "--publish", "8080:80", network="net")
        self.docker.run("two", network="net")
        names = [link["ifname"] for link in json.loads(self.host.exec("ip", "-json", "link", "show", "type", "veth").out)]
        self.assertEqual(2, sum(name.startswith("vethfl-") for name in names), names)
        self.assertEqual("two", self.docker.ask("one", self.docker.address("two", "net"), 80).name)
        self.assertEqual("one", self.host.outside.ask(HOST_V4, 8080).name)
        self.docker.remove("one")
        self.docker.remove("two")
        names = [link["ifname"] for link in json.loads(self.host.exec("ip", "-json", "link", "show", "type", "veth").out or "[]") if link]
        self.assertEqual([], [name for name in names if name.startswith("veth")])
