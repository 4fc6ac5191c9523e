"""mode=macvlan: containers that are hosts of the parent's network, from Docker, CNI and the API at once."""

import json

from support.e2e import cni
from support.e2e.case import DockerCase
from support.e2e.images import IMAGE
from support.e2e.waiting import eventually
from test_join import Namespaces, join

PARENT, ROUTER = "lan0", "lan-router"
SUBNET, ROUTER_V4 = "10.77.0.0/24", "10.77.0.1"


class Macvlan(DockerCase):
    """The parent is a veth whose other end is in the namespace of a router, which is outside of the host."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_here("tcp/9")  # brings the program to the host

    def setUp(self):
        super().setUp()
        self.others = Namespaces(self.host)
        self.others.namespaces.make(ROUTER)
        self.host.exec("ip", "link", "add", PARENT, "type", "veth", "peer", "name", "lan1", "netns", ROUTER)
        self.host.exec("ip", "link", "set", PARENT, "up")
        for command in (f"addr add {ROUTER_V4}/24 dev lan1", "link set lan1 up"):
            self.host.exec("ip", "-n", ROUTER, *command.split())
        self.others.serve(ROUTER, [ROUTER_V4])
        self.router = self.others.net(ROUTER)

    def tearDown(self):
        super().tearDown()
        self.others.remove_all()
        for network in self.host.networks():
            self.host.fairlead("network", "rm", "-f", network["name"])
        self.host.exec("ip", "link", "del", PARENT, check=False)

    def make_network(self, *options):
        self.host.fairlead("network", "create", "--mode", "macvlan", "-o", f"parent={PARENT}", "--subnet", SUBNET, *options, "lan")

    def links(self, kind="macvlan"):
        text = self.host.exec("ip", "-json", "link", "show", "type", kind).out
        return [link["ifname"] for link in json.loads(text or "[]") if link]

    def test_docker_cni_and_the_api_are_on_one_network_with_the_router(self):
        self.make_network()
        join(self.docker, "lan")
        self.docker.run("docked", network="lan")
        cni.install_fairlead(self.host)
        conflist = cni.Network(self.host, cni.fairlead_conflist("c", network="lan"))
        addresses = {"docked": [self.docker.address("docked", "lan")], "by-cni": self.others.by_cni("by-cni", conflist),
                     "by-api": self.others.by_api("by-api", "lan"), ROUTER: [ROUTER_V4]}
        nets = {"docked": self.docker.net("docked"), "by-cni": self.others.net("by-cni"), "by-api": self.others.net("by-api"),
                ROUTER: self.router}
        for client, namespace in nets.items():
            for server, (address,) in addresses.items():
                if client != server:
                    answer = namespace.ask(address, 80)
                    self.assertEqual(server, answer.name)
                    self.assertEqual(addresses[client][0], answer.peer, f"{client} -> {server}: nothing is translated")
        self.assertEqual([], self.links(), "nothing of a container is in the host")
        conflist.check("by-cni")

        conflist.delete("by-cni")
        self.others.off_by_api("by-api", "lan")
        self.docker.remove("docked")
        self.assertEqual([], self.host.endpoints())
        for name in ("by-cni", "by-api"):
            self.assertNotIn("eth0", self.host.exec("ip", "-n", name, "link").out)

    def test_the_network_as_docker_s_users_make_it(self):
        self.docker.network("lan", "--subnet", SUBNET, "--gateway", ROUTER_V4, "-o", "mode=macvlan", "-o", f"parent={PARENT}")
        self.docker.run("one", network="lan")
        self.docker.run("two", network="lan")
        self.assertEqual(ROUTER_V4, self.docker.default_route("one"))
        self.assertEqual("two", self.docker.ask("one", self.docker.address("two", "lan"), 80).name)
        self.assertEqual("one", self.router.ask(self.docker.address("one", "lan"), 80).name)

    def test_private_containers_reach_the_router_and_not_each_other(self):
        self.make_network("-o", "macvlan_mode=private")
        one, two = (self.others.by_api(name, "lan")[0] for name in ("one", "two"))
        self.assertTrue(self.others.net("one").ping(ROUTER_V4))
        self.assertEqual("two", self.router.ask(two, 80).name)
        self.assertFalse(self.others.net("one").answers(two, 80))
        self.assertFalse(self.others.net("two").answers(one, 80))

    def test_passthru_has_the_parent_to_itself(self):
        self.make_network("-o", "macvlan_mode=passthru")
        (address,) = self.others.by_api("one", "lan")
        self.assertEqual("one", self.router.ask(address, 80).name)
        with self.assertRaisesRegex(AssertionError, "(?i)busy|in use|invalid|exist"):
            self.others.by_api("two", "lan")
        self.assertEqual(["one"], [endpoint["id"] for endpoint in self.host.endpoints()])
        refused = self.host.fairlead("network", "create", "--mode", "macvlan", "-o", f"parent={PARENT}", "other", check=False)
        self.assertRegex(refused.err, f"interface {PARENT} is the parent of network lan, and with macvlan_mode=passthru")

    def test_published_ports_are_refused_with_the_reason(self):
        self.make_network()
        join(self.docker, "lan")
        error = self.docker.fails("run", "-d", "-p", "8080:80", "--network", "lan", "--name", "web", IMAGE)
        self.assertRegex(error, "network lan has mode macvlan, in which containers cannot publish ports: each has an address")
        self.docker("rm", "-f", "web")
        self.assertEqual([], self.host.endpoints())
        cni.install_fairlead(self.host)
        conflist = cni.Network(self.host, cni.fairlead_conflist("c", network="lan"))
        self.others.namespaces.make("web")
        with self.assertRaisesRegex(cni.CniError, "in which containers cannot publish ports"):
            conflist.add("web", ports=[(8080, 80)])
        self.assertEqual([], self.host.endpoints())

    def test_two_networks_on_one_parent_in_one_container_are_told_apart(self):
        self.make_network()
        self.host.exec("ip", "link", "add", "lan2", "type", "veth", "peer", "name", "lan3")
        self.host.fairlead("network", "create", "--mode", "macvlan", "-o", "parent=lan2", "--subnet", "10.78.0.0/24", "--subnet",
                           "fd78::/64", "other")
        self.others.by_api("web", "lan")
        self.host.fairlead("network", "create", "--mode", "macvlan", "-o", "parent=lan2", "--subnet", "10.79.0.0/24", "third")
        for network in ("other", "third"):
            self.others.call("POST", "/v1/endpoints", {"network": network, "id": network, "container": "web", "ifname": f"{network}0",
                                                        "netns": "/run/netns/web"})
        self.others.call("DELETE", "/v1/endpoints/other/other")
        left = self.host.exec("ip", "-n", "web", "-o", "link").out
        self.assertIn("eth0", left)
        self.assertIn("third0", left)
        self.assertNotIn("other0", left)
        self.host.exec("ip", "link", "del", "lan2")
        self.assertIn("network third: its parent interface lan2 does not exist", self.host.fairlead("status", check=False).out)

    def test_a_container_may_change_its_mac(self):
        self.make_network()
        self.others.by_api("web", "lan")
        self.host.exec("ip", "-n", "web", "link", "set", "eth0", "address", "02:00:00:00:00:99")
        self.host.fairlead("reconcile")
        self.assertEqual(["web"], [endpoint["id"] for endpoint in self.host.endpoints()])

    def test_what_makes_no_sense_is_refused(self):
        for options, reason in (([], "needs the interface of the host"), (["-o", "parent=nosuch0"], "interface nosuch0 does not exist"),
                                (["-o", f"parent={PARENT}", "-o", "macvlan_mode=bridged"], "none of bridge, private, vepa, passthru"),
                                (["-o", f"parent={PARENT}", "-o", "macvlan_mod=vepa"], 'did you mean "macvlan_mode"'),
                                (["-o", f"parent={PARENT}", "--internal"], "cannot be internal"),
                                (["-o", f"parent={PARENT}", "-o", "bridge=br0"], 'option "bridge" is not for mode'),
                                (["-o", f"parent={PARENT}", "-o", "mtu=9000"], "takes at most")):
            refused = self.host.fairlead("network", "create", "--mode", "macvlan", *options, "odd", check=False)
            self.assertNotEqual(0, refused.code, options)
            self.assertIn(reason, refused.err)
        self.assertEqual([], self.host.networks())

    def test_a_container_that_went_without_a_word_gives_its_address_back(self):
        self.make_network()
        self.others.by_api("gone", "lan")
        self.others.namespaces.remove("gone")
        eventually(lambda: self.host.fairlead("reconcile") and not self.host.endpoints(), "the endpoint is collected")
        join(self.docker, "lan")
        self.docker.run("docked", network="lan")
        self.host.fairlead("reconcile")
        self.assertEqual(1, len(self.host.endpoints()), "a container that runs is left alone")
