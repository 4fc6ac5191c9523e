"""mode=routed: a link to the host for each container and no bridge, from Docker, CNI and the API at once."""

import json

from support.e2e import cni
from support.e2e.case import CniCalls, DockerCase, FairleadCase
from support.e2e.host import FURTHER_V4, FURTHER_V6, HOST_V4, HOST_V6, OUTSIDE_V4, UPLINK
from support.e2e.images import IMAGE
from support.e2e.waiting import eventually
from test_docker_ports import Forms
from test_join import Namespaces, join

SUBNET, SUBNET6 = "10.78.0.0/24", "fd00:78::/64"


class Routed(DockerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_outside("tcp/80")
        cls.host.answer_here("tcp/9")  # brings the program to the host
        eventually(lambda: cls.host.net.answers(FURTHER_V4, 80), "the outside server")

    def setUp(self):
        super().setUp()
        self.others = Namespaces(self.host)

    def tearDown(self):
        super().tearDown()
        self.others.remove_all()
        for network in self.host.networks():
            self.host.fairlead("network", "rm", "-f", network["name"])

    def make_network(self, name, *options, subnets=(SUBNET, SUBNET6)):
        given = [word for subnet in subnets for word in ("--subnet", subnet)]
        self.host.fairlead("network", "create", "--mode", "routed", *given, *options, name)

    def fill(self, name):
        """A container of Docker, one of CNI and one of the API: {name: (namespace, [addresses])}."""
        join(self.docker, name, "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET6)
        self.docker.run("docked", network=name)
        cni.install_fairlead(self.host)
        self.conflist = cni.Network(self.host, cni.fairlead_conflist("c", network=name))
        found = {"by-cni": self.others.by_cni("by-cni", self.conflist), "by-api": self.others.by_api("by-api", name)}
        found = {who: (self.others.net(who), addresses) for who, addresses in found.items()}
        found["docked"] = (self.docker.net("docked"), [self.docker.address("docked", name), self.docker.address6("docked", name)])
        return found

    def test_docker_cni_and_the_api_reach_each_other_the_host_and_the_world(self):
        self.make_network("r")
        everybody = self.fill("r")
        for client, (namespace, own) in everybody.items():
            for server, (_, addresses) in everybody.items():
                for number, address in enumerate(addresses if client != server else ()):
                    answer = namespace.ask(address, 80)
                    self.assertEqual((server, own[number]), (answer.name, answer.peer), f"{client} -> {server}")
            self.assertEqual(HOST_V4, namespace.ask(FURTHER_V4, 80).peer)
            self.assertEqual(HOST_V6, namespace.ask(FURTHER_V6, 80).peer)
            for gateway in ("10.78.0.1", "fd00:78::1"):
                self.assertIsNotNone(namespace.ping(gateway), f"{client} -> {gateway}")
            for number, gateway in enumerate(("10.78.0.1", "fd00:78::1")):
                self.assertEqual(gateway, self.host.net.ask(own[number], 80).peer)
        self.conflist.check("by-cni")
        self.assertEqual([], json.loads(self.host.exec("ip", "-json", "link", "show", "master", "fl-" + self.id_of("r")).out))

    def id_of(self, name):
        return next(network["id"][:12] for network in self.host.networks() if network["name"] == name)

    def test_what_was_changed_behind_its_back_is_mended(self):
        self.make_network("r")
        everybody = self.fill("r")
        for change in (f"link del fl-{self.id_of('r')}", *(f"link set {link['ifname']} down" for link in self.links())):
            self.host.exec("ip", *change.split())
        self.host.fairlead("reconcile")
        for namespace, _ in everybody.values():
            for other, addresses in everybody.values():
                for address in addresses if other is not namespace else ():
                    self.assertIsNotNone(namespace.ping(address))
        self.conflist.check("by-cni")

    def links(self):
        return [link for link in json.loads(self.host.exec("ip", "-json", "link").out) if link["ifname"].startswith("flr")]

    def test_networks_are_isolated_and_icc_can_be_switched_off(self):
        self.make_network("r")
        self.make_network("other", subnets=("10.79.0.0/24",))
        self.make_network("alone", "-o", "icc=false", subnets=("10.80.0.0/24",))
        self.host.fairlead("network", "create", "--subnet", "10.81.0.0/24", "bridged")
        made = {name: self.others.by_api(name, network)[0] for name, network in
                (("r1", "r"), ("r2", "r"), ("o1", "other"), ("a1", "alone"), ("a2", "alone"), ("b1", "bridged"))}
        for client in made:
            for server, address in made.items():
                if client != server:
                    wanted = {client, server} == {"r1", "r2"}
                    self.assertEqual(wanted, self.others.net(client).answers(address, 80), f"{client} -> {server}")
        self.assertEqual("o1", self.host.net.ask(made["o1"], 80).name)

    def test_an_internal_network_has_its_members_and_its_gateway_s_ping(self):
        self.make_network("r", "--internal")
        everybody = self.fill("r")
        with self.host.net.listen("0.0.0.0", 7777):
            for client, (namespace, own) in everybody.items():
                for server, (_, addresses) in everybody.items():
                    for address in addresses if client != server else ():
                        self.assertEqual(server, namespace.ask(address, 80).name)
                for gateway in ("10.78.0.1", "fd00:78::1"):
                    self.assertIsNotNone(namespace.ping(gateway), client)
                self.assertFalse(namespace.answers("10.78.0.1", 7777))
                for far in (FURTHER_V4, HOST_V4, OUTSIDE_V4):
                    with self.assertRaises(OSError):
                        namespace.ask(far, 80, timeout=0.5)

    def test_a_subnet_of_one_address_has_the_host_on_its_link(self):
        self.docker.network("one", "--subnet", "10.99.0.9/32", "--ipv6", "--subnet", "fd00:99::9/128", "-o", "mode=routed")
        for _ in range(2):
            self.docker.run("only", network="one")
            self.assertEqual(("10.99.0.9", "fd00:99::9"), (self.docker.address("only", "one"), self.docker.address6("only", "one")))
            self.assertEqual(HOST_V4, self.docker.ask("only", FURTHER_V4, 80).peer)
            self.assertEqual(HOST_V6, self.docker.ask("only", FURTHER_V6, 80).peer)
            self.assertEqual("only", self.host.net.ask("10.99.0.9", 80).name)
            self.docker.fails("run", "--network", "one", "--name", "second", IMAGE, "true")
            self.docker.remove("only", "second")
        said = self.docker.fails("network", "create", "-d", "fairlead", "--ipam-driver", "fairlead", "--subnet", "10.99.0.10/32", "bridged")
        self.assertIn("subnet 10.99.0.10/32 has one address, and this network needs two", said)
        self.assertIn("use -o mode=routed", said)

    def test_with_the_runtime_s_own_addresses_neighbours_are_answered_for(self):
        self.docker.network("net", "--subnet", SUBNET, "-o", "mode=routed", ipam="default")
        self.docker.run("one", network="net")
        self.docker.run("two", network="net")
        self.assertEqual("two", self.docker.ask("one", self.docker.address("two", "net"), 80).name)
        self.assertEqual(HOST_V4, self.docker.ask("one", FURTHER_V4, 80).peer)
        said = self.docker.fails("network", "create", "-d", "fairlead", "--ipv6", "--subnet", SUBNET6, "-o", "mode=routed", "six")
        self.assertIn("--ipam-driver fairlead", said)

    def test_a_part_of_the_host_s_own_network_is_answered_for(self):
        self.make_network("r", "-o", f"routed_proxy={UPLINK}", "-o", "gateway_mode_ipv4=routed", "-o", "gateway_mode_ipv6=routed",
                          subnets=("203.0.113.64/28", "2001:db8:5:0:64::/80"))
        addresses = self.others.by_api("member", "r")
        for address in addresses:
            self.assertIsNotNone(self.host.outside.ping(address, 3.0))
        self.others.off_by_api("member", "r")
        self.assertEqual("", self.host.exec("ip", "neigh", "show", "proxy").out.strip())

    def test_what_it_cannot_do_is_refused(self):
        for options, words in ((("-o", "spoofing=allow"), "use mode bridge"), (("-o", "routed_porxy=eth0"), "routed_proxy"),
                               (("-o", "routed_proxy=nothing"), "does not exist"), (("-o", "parent=eth0"), "parent"),
                               (("-o", "encrypted=true"), "encrypted")):
            said = self.host.fairlead("network", "create", "--mode", "routed", *options, "no", check=False)
            self.assertNotEqual(0, said.code, options)
            self.assertIn(words, said.err)
        self.assertEqual([], self.host.networks())

    def test_nothing_is_left(self):
        with self.leaving_nothing():
            self.make_network("r")
            self.fill("r")
            self.docker.remove("docked")
            self.conflist.delete("by-cni")
            self.others.off_by_api("by-api", "r")
            self.assertEqual([], self.links())
            self.others.remove_all()
            self.docker.remove_everything()
            for network in self.host.networks():
                self.host.fairlead("network", "rm", "-f", network["name"])


class Ports(Forms):
    """What holds of published ports on a bridge holds without one."""

    def setUp(self):
        DockerCase.setUp(self)
        self.docker.network("net", "--subnet", "10.30.0.0/24", "--ipv6", "--subnet", "fd00:30::/64", "-o", "mode=routed")
