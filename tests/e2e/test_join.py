"""One network for all runtimes at once: who makes it, who joins it, who leaves it first. With each version of Docker."""

import contextlib
import ipaddress
import json
import re
import unittest

from support.e2e import cni, newer_docker
from support.e2e.case import DockerCase
from support.e2e.cluster import Cluster, ask
from support.e2e.docker import stand_in
from support.e2e.host import API_SOCKET, have_fairlead
from support.e2e.images import IMAGE
from support.e2e.podman import Podman

SUBNET, SUBNET6 = "10.71.0.0/24", "fd00:71::/64"


def join(docker, name, *options, network=None):
    """docker network create of a network that Fairlead has already."""
    network = network or name
    docker("network", "create", "--driver", "fairlead", "--ipam-driver", "fairlead", "--ipam-opt", f"network={network}",
           "--opt", f"network={network}", *options, name)


def requests_of_docker(host):
    """How many since fairleadd started; equal lines in a row are not all written."""
    numbers = re.findall(r"docker id=(\d+) verb=", host.path("/run/host/fairleadd.log").read_text())
    return max(map(int, numbers), default=0)


class Namespaces:
    """Containers without a runtime: namespaces that the API or CNI puts on a network."""

    def __init__(self, host):
        self.host = host
        self.namespaces = cni.Containers(host)

    def by_api(self, name, network):
        self.namespaces.make(name)
        made = self.call("POST", "/v1/endpoints", {"network": network, "id": name, "container": name,
                                                    "netns": f"/run/netns/{name}"})
        return self.serve(name, [address.split("/")[0] for address in made["addresses"]])

    def off_by_api(self, name, network):
        self.call("DELETE", f"/v1/endpoints/{network}/{name}")

    def by_cni(self, name, network):
        self.namespaces.make(name)
        result = network.add(name)
        return self.serve(name, [entry["address"].split("/")[0] for entry in result["ips"]])

    def net(self, name):
        return self.namespaces.net(name)

    def make_network(self, name, subnet):
        self.call("POST", "/v1/networks", {"name": name, "subnets": [{"subnet": subnet}]})

    def remove_all(self):
        for endpoint in self.host.endpoints():
            self.host.fairlead("endpoint", "rm", "-f", f"{endpoint['network']}/{endpoint['id']}")
        self.namespaces.remove_all()

    def serve(self, name, addresses):
        self.host.exec("ip", "-n", name, "link", "set", "lo", "up")
        self.host.start("nsenter", f"--net=/run/netns/{name}", "/run/host/answer", name, "tcp/80", name=f"answer-{name}")
        return addresses

    def call(self, method, path, body=None):
        status, text = ask(self.host.path(API_SOCKET), method, path, body)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {text}")
        return json.loads(text or "null")


class JoinCase(DockerCase):
    fairleadd_options = ("--log-level", "debug")  # which tells of every request

    @classmethod
    def setUpClass(cls):
        if stand_in():
            raise unittest.SkipTest("of Fairlead's own")
        super().setUpClass()
        cls.host.answer_here("tcp/9")  # brings the program to the host

    def setUp(self):
        super().setUp()
        self.others = Namespaces(self.host)

    def tearDown(self):
        super().tearDown()
        self.others.remove_all()
        for network in self.host.networks():
            self.host.fairlead("network", "rm", "-f", network["name"])

    def assert_all_reach_all(self, nets, addresses):
        """`nets`: {name: namespace}; `addresses`: {name: [address...]}."""
        for client, namespace in nets.items():
            for server, places in addresses.items():
                for place in places if client != server else ():
                    self.assertEqual(server, namespace.ask(place, 80).name, f"{client} -> {server} {place}")

    def run_in_docker(self, name, network):
        self.docker.run(name, network=network)
        return self.addresses_in_docker(name, network)

    def addresses_in_docker(self, name, network):
        return [place for place in (self.docker.address(name, network), self.docker.address6(name, network)) if place]


class Joins:
    """With each version of Docker: mixed in below."""

    def test_a_network_of_the_command_line_is_joined_without_a_subnet(self):
        with self.leaving_nothing():
            self.host.fairlead("network", "create", "--subnet", SUBNET, "--subnet", SUBNET6, "--ipv6", "shop")
            before = requests_of_docker(self.host)
            join(self.docker, "shop", "--ipv6")
            self.assertLess(requests_of_docker(self.host) - before, 20)
            addresses = {"alone": self.others.by_api("alone", "shop")}
            for name in ("web", "database"):
                addresses[name] = self.run_in_docker(name, "shop")
            self.assert_connected(addresses)
            self.assertIn(addresses["web"][0], self.docker.resolves("database", "web"))
            self.docker.stop()
            self.docker.start()
            self.docker("start", "web", "database")
            for name in ("web", "database"):
                self.docker.wait_serving(name)
                addresses[name] = self.addresses_in_docker(name, "shop")
            self.assert_connected(addresses)
            self.docker.remove("web", "database")
            self.docker.remove_network("shop")
            self.assertEqual(["shop"], [network["name"] for network in self.host.networks()])
            self.assertEqual("alone", self.host.net.ask(addresses["alone"][0], 80).name)
            self.others.off_by_api("alone", "shop")
            self.others.remove_all()
            self.host.fairlead("network", "rm", "shop")

    def assert_connected(self, addresses):
        everywhere = [place for places in addresses.values() for place in places]
        self.assertEqual(len(everywhere), len(set(everywhere)), addresses)
        for place in everywhere:
            subnet = ipaddress.ip_network(SUBNET6 if ":" in place else SUBNET)
            self.assertIn(ipaddress.ip_address(place), subnet)
        with contextlib.ExitStack() as stack:
            nets = {name: stack.enter_context(self.others.net(name) if name == "alone" else self.docker.net(name))
                    for name in addresses}
            self.assert_all_reach_all(nets, addresses)

    def test_joined_with_its_subnets_docker_shows_them_and_takes_addresses(self):
        self.host.fairlead("network", "create", "--subnet", SUBNET, "--subnet", SUBNET6, "--ipv6", "shop")
        join(self.docker, "shop", "--subnet", SUBNET, "--ipv6", "--subnet", SUBNET6)
        shown = self.docker.inspect("network", "shop")["IPAM"]["Config"]
        self.assertEqual([SUBNET, SUBNET6], [config["Subnet"] for config in shown])
        self.docker.run("web", "--ip", "10.71.0.77", "--ip6", "fd00:71::77", network="shop")
        self.assertEqual("web", self.host.net.ask("10.71.0.77", 80).name)
        self.assertEqual("web", self.host.net.ask("fd00:71::77", 80).name)

    def test_several_networks_of_docker_are_one(self):
        self.host.fairlead("network", "create", "--subnet", SUBNET, "shop")
        for name in ("one", "two", "three"):
            join(self.docker, name, network="shop")
        web, client = self.run_in_docker("web", "one"), self.run_in_docker("client", "three")
        self.assertEqual("web", self.docker.ask("client", web[0], 80).name)
        self.assertNotEqual(web, client)
        self.docker.remove_network("two")
        self.assertEqual("client", self.docker.ask("web", client[0], 80).name)

    def test_half_of_the_command_is_refused_with_the_command_that_works(self):
        self.host.fairlead("network", "create", "--subnet", SUBNET, "--subnet", SUBNET6, "--ipv6", "shop")
        for half in (("-o", "network=shop"), ("--ipam-driver", "fairlead", "-o", "network=shop"),
                     ("--ipam-driver", "fairlead", "--ipam-opt", "network=shop")):
            with self.subTest(half):
                said = self.docker.fails("network", "create", "-d", "fairlead", *half, "shop")
                command = re.search(r"docker network create .*", said).group(0).rstrip('"')
                self.docker(*command.split()[1:])
                address = self.run_in_docker("web", "shop")[0]
                self.assertIn(ipaddress.ip_address(address), ipaddress.ip_network(SUBNET))
                self.docker.remove("web")
                self.docker.remove_network("shop")

    def test_a_name_server_in_the_subnet_is_an_error_that_says_what_works(self):
        """dockerd compares IPv6 pools with the host's name servers, and would ask for ever."""
        self.host.fairlead("network", "create", "--subnet", SUBNET, "--subnet", SUBNET6, "--ipv6", "shop")
        servers = self.host.path("/etc/resolv.conf")
        kept = servers.read_text()
        servers.write_text("nameserver fd00:71::53\nnameserver 10.71.0.53\n")
        try:
            before = requests_of_docker(self.host)
            said = self.docker.fails("network", "create", "--driver", "fairlead", "--ipam-driver", "fairlead",
                                     "--ipam-opt", "network=shop", "--opt", "network=shop", "--ipv6", "shop")
            self.assertIn(f"with --ipv6 --subnet {SUBNET6} it takes it", said)
            self.assertLess(requests_of_docker(self.host) - before, 300)
            join(self.docker, "shop", "--ipv6", "--subnet", SUBNET6)
        finally:
            servers.write_text(kept)
        self.assertIn(ipaddress.ip_address(self.run_in_docker("web", "shop")[1]), ipaddress.ip_network(SUBNET6))


class Docker20(Joins, JoinCase):
    pass


class NewerDockerCase(JoinCase):
    suite = None

    @classmethod
    def setUpClass(cls):
        newer_docker.require(cls.suite)
        super().setUpClass()

    @classmethod
    def make_docker(cls):
        return newer_docker.NewerDocker(cls.host, cls.suite)


class Docker26(Joins, NewerDockerCase):
    suite = "trixie"


class Docker28OrNewer(Joins, NewerDockerCase):
    suite = "sid"

    def test_a_network_of_ipv6_alone(self):
        self.host.fairlead("network", "create", "--subnet", SUBNET6, "six")
        said = self.docker.fails("network", "create", "--driver", "fairlead", "--ipam-driver", "fairlead", "--ipam-opt",
                                 "network=six", "--opt", "network=six", "six")
        self.assertIn("with --ipv4=false --ipv6", said)
        join(self.docker, "six", "--ipv4=false", "--ipv6")
        web, client = self.run_in_docker("web", "six"), self.run_in_docker("client", "six")
        self.assertEqual([1, 1], [len(web), len(client)])
        self.assertEqual("web", self.docker.ask("client", web[0], 80).name)


class AllRuntimes(JoinCase):
    """Docker, CNI, Podman and the API on one network; dockerd with live restore."""

    live_restore = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        cls.podman = Podman(cls.host).load_image()
        cls.host.exec("mkdir", "-p", "/var/lib/cni/results")  # Podman's first container makes it, and it stays

    def tearDown(self):
        self.podman("rm", "--all", "--force", "--time", "0")
        super().tearDown()

    def join_by_cni(self, name, network):
        return cni.Network(self.host, cni.fairlead_conflist(name, network=network))

    def run_in_podman(self, name, network):
        self.podman.use_network(cni.fairlead_conflist(f"pod-{network}", network=network))
        self.podman.run(name, network=f"pod-{network}")
        return [self.podman.address(name, f"pod-{network}")]

    def run_everywhere(self, in_docker, in_fairlead):
        """A container of each runtime on the network that Docker and Fairlead call so; all reach all."""
        conflist = self.join_by_cni("cni-net", in_fairlead)
        addresses = {"of-docker": self.run_in_docker("of-docker", in_docker),
                     "of-cni": self.others.by_cni("of-cni", conflist),
                     "of-podman": self.run_in_podman("of-podman", in_fairlead),
                     "of-api": self.others.by_api("of-api", in_fairlead)}
        places = [place for each in addresses.values() for place in each]
        self.assertEqual(len(places), len(set(places)), addresses)
        with self.docker.net("of-docker") as of_docker, self.podman.net("of-podman") as of_podman, \
                self.others.net("of-cni") as of_cni, self.others.net("of-api") as of_api:
            self.assert_all_reach_all({"of-docker": of_docker, "of-podman": of_podman, "of-cni": of_cni,
                                       "of-api": of_api}, addresses)
        return {"docker": lambda: self.leave_docker(in_docker), "cni": lambda: conflist.delete("of-cni"),
                "podman": lambda: self.podman.remove("of-podman"),
                "api": lambda: self.others.off_by_api("of-api", in_fairlead)}

    def leave_docker(self, network):
        self.docker.remove("of-docker")
        self.docker.remove_network(network)

    def test_docker_joins_what_others_made_and_all_leave_in_any_order(self):
        makers = {"the command line": lambda: self.host.fairlead("network", "create", "--subnet", SUBNET, "shop"),
                  "the API": lambda: self.others.make_network("shop", SUBNET),
                  "CNI": self.make_by_cni}
        orders = (("docker", "cni", "podman", "api"), ("api", "docker", "cni", "podman"),
                  ("podman", "cni", "api", "docker"))
        for (maker, make), order in zip(makers.items(), orders):
            with self.subTest(maker), self.leaving_nothing():
                make()
                join(self.docker, "shop")
                leave = self.run_everywhere("shop", "shop")
                for runtime in order:
                    leave[runtime]()
                self.others.remove_all()
                self.host.fairlead("network", "rm", "shop")

    def make_by_cni(self):
        """The first container of a conflist makes the network, which stays."""
        network = cni.Network(self.host, cni.fairlead_conflist("shop", SUBNET))
        self.others.by_cni("first", network)
        network.delete("first")

    def test_others_join_what_docker_made_and_all_leave_in_any_order(self):
        for order in (("docker", "cni", "podman", "api"), ("cni", "api", "podman", "docker")):
            with self.subTest(order[0] + " first"), self.leaving_nothing():
                self.docker.network("shop")
                made = "docker-" + self.docker.inspect("network", "shop")["Id"][:12]
                leave = self.run_everywhere("shop", made)
                for runtime in order:
                    leave[runtime]()
                self.others.remove_all()
                self.host.fairlead("network", "rm", "-f", made, check=order[0] == "docker")  # it stayed for the others

    def test_the_addresses_of_a_small_network_are_given_once_until_none_is_left(self):
        self.host.fairlead("network", "create", "--subnet", "10.72.0.0/28", "small")
        join(self.docker, "small")
        conflist = self.join_by_cni("cni-small", "small")
        given = []
        for number in range(4):
            given += self.run_in_docker(f"docker{number}", "small")
            given += self.others.by_cni(f"cni{number}", conflist)
            given += self.others.by_api(f"api{number}", "small")
        given += self.run_in_podman("podman", "small")
        self.assertEqual({f"10.72.0.{number}" for number in range(2, 15)}, set(given))
        self.assertEqual(13, len(given))
        self.assertIn("no address", self.docker.fails("run", "--rm", "--network", "small", IMAGE, "true"))

    def test_a_container_outlives_dockerd(self):
        self.host.fairlead("network", "create", "--subnet", SUBNET, "shop")
        join(self.docker, "shop")
        address = self.run_in_docker("web", "shop")[0]
        self.docker.kill()
        self.docker.start()
        self.assertEqual(address, self.docker.address("web", "shop"))
        other = self.run_in_docker("client", "shop")[0]
        self.assertEqual("client", self.docker.ask("web", other, 80).name)
        self.docker("restart", "--time", "0", "web")
        self.docker.wait_serving("web")
        self.assertEqual("web", self.docker.ask("client", self.docker.address("web", "shop"), 80).name)

    def test_a_network_with_addresses_of_docker_s_own_is_not_shared(self):
        self.docker.network("private", "--subnet", SUBNET, ipam="default")
        made = "docker-" + self.docker.inspect("network", "private")["Id"][:12]
        said = self.docker.fails("network", "create", "--driver", "fairlead", "--ipam-driver", "fairlead", "--ipam-opt",
                                 f"network={made}", "--opt", f"network={made}", "second")
        self.assertIn("make it with addresses from Fairlead", said)


class OverSeveralHosts(unittest.TestCase):
    """An overlay is joined by the command that makes it: the first time it is not there yet."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not have_fairlead() or stand_in():
            raise unittest.SkipTest("no fairleadd in the folder of --bin")
        cls.node = cls.enterClassContext(Cluster(hosts=1)).nodes[0]
        cls.docker = cls.node.docker

    def tearDown(self):
        self.docker.remove_everything()
        super().tearDown()

    def test_the_second_network_of_docker_is_the_first_one(self):
        self.node.join("shop")
        join(self.docker, "again", "--opt", "mode=overlay", network="shop")
        join(self.docker, "once-more", network="shop")
        for name, network in (("one", "shop"), ("two", "again"), ("three", "once-more")):
            self.docker.run(name, network=network)
        given = {self.docker.address(name, network) for name, network in
                 (("one", "shop"), ("two", "again"), ("three", "once-more"))}
        self.assertEqual(3, len(given))
        for address in given - {self.docker.address("one", "shop")}:
            self.assertTrue(self.docker.answers("one", address, 80))

    def test_a_name_server_in_the_subnet_that_is_chosen_is_no_loop(self):
        """dockerd gives the pool up and takes the same one once more."""
        self.node.join("shop")
        subnet = self.docker.inspect("network", "shop")["IPAM"]["Config"][0]["Subnet"]
        self.docker.remove_network("shop")
        servers = self.node.host.path("/etc/resolv.conf")
        kept = servers.read_text()
        servers.write_text(f"nameserver {ipaddress.ip_network(subnet)[53]}\n")
        try:
            self.node.join("shop")
        finally:
            servers.write_text(kept)
        self.assertEqual("0.0.0.0/0", self.docker.inspect("network", "shop")["IPAM"]["Config"][0]["Subnet"])
        self.docker.run("web", network="shop")
        self.assertIn(ipaddress.ip_address(self.docker.address("web", "shop")), ipaddress.ip_network(subnet))
