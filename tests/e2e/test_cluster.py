"""Three hosts, each with fairleadd and dockerd, and an etcd of three members: one network over all of them."""

import contextlib
import functools
import re
import socket
import threading
import time
import unittest

from support.e2e.cluster import Cluster, address_of
from support.e2e.docker import stand_in
from support.e2e.host import have_fairlead
from support.e2e.images import IMAGE
from support.e2e.namespaces import Pinger
from support.e2e.waiting import DeadlineExceeded, eventually


@functools.lru_cache(maxsize=None)
def the_cluster(docker):
    """One for all classes of this process that want it like this: see `together`."""
    return unittest.enterModuleContext(Cluster(docker=docker))


class ClusterCase(unittest.TestCase):
    """A cluster, which classes with the same `together` share, and a network "shop" on all of its hosts."""

    docker = True
    together = "cluster with Docker"
    waits = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not have_fairlead() or stand_in():
            raise unittest.SkipTest("no fairleadd in the folder of --bin")
        cls.cluster = the_cluster(cls.docker)
        cls.nodes = cls.cluster.nodes

    def join_all(self, name="shop", *options):
        for node in self.nodes:
            node.join(name, *options)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.leave_nothing)  # also after a setUp that failed

    def leave_nothing(self):
        for node in self.nodes:
            if node.docker is not None:
                node.docker.remove_everything()
            if node.fairleadd.running():
                self.remove_the_rest(node)
        # A host leaves a network of the cluster behind the answer: the next test must not join this one's.
        try:
            eventually(lambda: not any("/net/" in key for key in self.nodes[0].etcd_keys()), "the cluster to be without networks", 20)
        except DeadlineExceeded as error:
            kept = {node.name: (node.host.networks(), node.host.endpoints()) for node in self.nodes}
            raise AssertionError(f"{error}; the hosts have {kept}, etcd has {self.nodes[0].etcd_keys()}") from error

    @staticmethod
    def remove_the_rest(node):
        """What was made without Docker."""
        for endpoint in node.host.endpoints():
            node.detach(endpoint["id"], endpoint["network"])
        for network in node.host.networks():
            node.host.fairlead("network", "rm", network["name"])
        for namespace in node.host.path("/run/netns").iterdir():
            node.host.exec("ip", "netns", "delete", namespace.name)

    def assert_all_reach_all(self, names, network="shop"):
        for client, node in names.items():
            for server, other in names.items():
                if client == server:
                    continue
                for address in (other.docker.address(server, network), other.docker.address6(server, network)):
                    if address:
                        self.assertEqual(server, node.docker.ask(client, address, 80).name, f"{client} -> {address}")


class ContainersAndTunnels(ClusterCase):
    """In a cluster without any network of several hosts: a container of a host's own network."""

    docker = False
    together = "cluster without Docker"
    waits = False

    def test_a_container_sends_nothing_to_the_tunnels_of_its_host_and_of_others(self):
        one = self.nodes[0]
        one.host.fairlead("network", "create", "--subnet", "10.113.0.0/24", "--ipv6", "plain")
        one.attach("web", "plain")
        vxlan = bytes([8, 0, 0, 0, 0, 0, 42, 0]) + b"x" * 60
        with one.host.named_net("web") as web:
            for ipv6 in (False, True):
                for target in self.nodes:
                    for port, arrives in ((4790, True), (4789, False)):
                        with self.subTest(target=target.number, ipv6=ipv6, port=port):
                            address = address_of(target.number, ipv6)
                            self.assertEqual(arrives, self.gets_through(web, target, address, port, vxlan, 10 if arrives else 1))
        one.detach("web", "plain")
        one.host.fairlead("network", "rm", "plain")

    def gets_through(self, sender, node, address, port, datagram, patience):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with node.host.net.socket(family, socket.SOCK_DGRAM) as receiver:
            receiver.bind((address, port))
            receiver.settimeout(patience)
            with sender.connect(address, port, "udp") as connection:
                connection.send(datagram)
            with contextlib.suppress(TimeoutError):
                return receiver.recv(100) == datagram
            return False


class BrokenTunnels(ClusterCase):
    docker = False
    together = "cluster without Docker"
    waits = False

    def test_a_tunnel_that_somebody_takes_away_is_back_within_a_second(self):
        one, two = self.nodes[:2]
        for node in (one, two):
            node.host.fairlead("network", "create", "-o", "mode=overlay", "--subnet", "10.77.0.0/20", "shop")
        address, _ = one.attach("web", "shop"), two.attach("client", "shop")
        device = one.tunnel("shop")
        with two.host.named_net("client") as client, Pinger(client) as pinger:
            eventually(lambda: pinger.ping(address, 0.1), "host 2 to reach the container on host 1")
            for change in (f"link set {device} down", f"link set {device} nomaster", f"link delete {device}"):
                times = []
                for _ in range(3):
                    one.host.exec("ip", *change.split())
                    start = time.monotonic()
                    eventually(lambda: pinger.ping(address, 0.05), f"the tunnel after {change}", 20)
                    times.append(time.monotonic() - start)
                print(f"     reached again after {change}: worst {max(times) * 1000:.0f} ms of {len(times)}", flush=True)
                self.assertLess(max(times), 5, change)
        self.assertIn(f"mended interface {device}", one.fairleadd.log())


class FromDocker(ClusterCase):
    def test_containers_on_three_hosts_reach_each_other_over_both_families_and_nothing_is_flooded(self):
        self.join_all("shop", "--ipv6")
        names = {f"web{node.number}": node for node in self.nodes}
        for name, node in names.items():
            node.docker.run(name, network="shop")
        addresses = [node.docker.address(name, "shop") for name, node in names.items()]
        self.assertEqual(3, len(set(addresses)), addresses)
        one, two, three = self.nodes
        eventually(lambda: all(len(node.remote_entries("shop")[0]) == 4 for node in self.nodes), "everybody to know everybody")
        capture = three.host.start("tcpdump", "-n", "-i", "eth1", "-c", "1", "udp", "port", "4789", name="tcpdump")
        eventually(lambda: "listening on" in capture.log(), "tcpdump to listen")
        with contextlib.suppress(OSError):  # nobody has it: the question must not leave the host
            one.docker.ask("web1", re.sub(r"\d+$", "250", addresses[0]), 80, timeout=0.5)
        self.assertEqual("web2", one.docker.ask("web1", addresses[1], 80).name)
        self.assertEqual("web1", two.docker.ask("web2", addresses[0], 80).name)
        time.sleep(0.5)
        self.assertTrue(capture.running(), "host 3 saw packets between hosts 1 and 2:\n" + capture.log())
        capture.stop()
        self.assert_all_reach_all(names)

    def test_containers_get_out_and_ports_are_published_as_on_a_bridge_network(self):
        self.join_all()
        one, two = self.nodes[0], self.nodes[1]
        one.docker.run("web", "--publish", "8080:80", network="shop")
        self.assertEqual("web", two.host.net.ask(address_of(1), 8080).name)
        one.host.answer_outside("tcp/80")
        eventually(lambda: one.docker.ask("web", "203.0.113.1", 80), "the way out")

    def test_docker_s_own_allocator_is_refused_with_the_command_that_works(self):
        docker = self.nodes[0].docker
        said = docker.fails("network", "create", "-d", "fairlead", "-o", "mode=overlay", "-o", "network=shop", "shop")
        command = re.search(r"docker network create .*", said).group(0).rstrip('"')
        self.assertIn("--ipam-driver fairlead", command)
        docker(*command.split()[1:])
        docker.run("web", network="shop")
        self.assertEqual([], [line for line in docker("network", "ls", "-q", "--filter", "name=nothing").out.split()])

    def test_without_a_name_the_error_says_which_option_is_missing(self):
        said = self.nodes[0].docker.fails("network", "create", "-d", "fairlead", "--ipam-driver", "fairlead", "-o", "mode=overlay", "shop")
        self.assertIn("-o network=NAME", said)

    def test_a_fixed_address_is_given_once_in_the_whole_cluster(self):
        for node in self.nodes:
            node.join("small", "--subnet", "10.77.0.0/24")
        one, two = self.nodes[0], self.nodes[1]
        one.docker.run("web", "--ip", "10.77.0.50", network="small")
        said = two.docker.fails("run", "--rm", "--network", "small", "--ip", "10.77.0.50", IMAGE, "true")
        self.assertIn("10.77.0.50", said)
        one.docker.remove("web")
        two.docker.run("web2", "--ip", "10.77.0.50", network="small")

    def test_the_network_goes_with_the_last_host_that_leaves_it(self):
        self.join_all()
        one, two, three = self.nodes
        for node in (one, two):
            node.docker.remove_network("shop")
        self.assertEqual([], one.host.networks())
        eventually(lambda: three.status()["networks"] == 1, "the network to be there still")
        three.docker.run("web", network="shop")
        three.docker.remove("web")
        three.docker.remove_network("shop")
        eventually(lambda: three.status()["networks"] == 0, "the network to be gone from the cluster")
        for node in self.nodes:
            self.assertNotIn("flx", node.host.exec("ip", "-brief", "link").out)

    def test_the_command_line_makes_a_network_that_docker_on_another_host_joins(self):
        one, two = self.nodes[0], self.nodes[1]
        one.host.fairlead("network", "create", "-o", "mode=overlay", "--subnet", "10.78.0.0/20", "shop")
        two.join("shop")
        two.docker.run("web", network="shop")
        self.assertTrue(two.docker.address("web", "shop").startswith("10.78."))
        self.assertEqual({"node1": "alive", "node2": "alive", "node3": "alive"}, one.hosts())
        one.host.fairlead("network", "rm", "shop")


class Faults(ClusterCase):
    def setUp(self):
        super().setUp()
        self.join_all()
        self.names = {f"web{node.number}": node for node in self.nodes}
        for name, node in self.names.items():
            node.docker.run(name, network="shop")
        # etcd may still be recovering from what the test before did to it.
        eventually(lambda: all(len(node.remote_entries("shop")[0]) == 2 for node in self.nodes), "everybody to know everybody", 40)

    @contextlib.contextmanager
    def a_running_connection(self):
        """From a container of host 1 to one of host 2: it must carry data all the time."""
        one, two = self.nodes[0], self.nodes[1]
        address = two.docker.address("web2", "shop")
        lost, stop = [], threading.Event()
        with one.docker.net("web1") as namespace, Pinger(namespace) as pinger:
            def run():
                while not stop.wait(0.05):
                    if pinger.ping(address, 1.0) is None:
                        lost.append(time.monotonic())
            thread = threading.Thread(target=run)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()
        self.assertEqual([], lost, "packets were lost meanwhile")

    def assert_everybody_learns_of(self, name, node, within):
        start = time.monotonic()
        address = node.docker.address(name, "shop")
        others = [other for other in self.nodes if other is not node]
        eventually(lambda: all(address in other.remote_entries("shop")[0] for other in others), f"everybody to know {name}", within)
        print(f"    everybody knew {name} after {time.monotonic() - start:.2f} s")

    def test_kill_9_of_an_agent(self):
        one = self.nodes[0]
        with self.a_running_connection():
            one.fairleadd.kill()
            self.nodes[2].docker.run("new3", network="shop")
            one.start_fairleadd()
            self.assert_everybody_learns_of("new3", self.nodes[2], 15)
            one.docker.run("new1", network="shop")
            self.assert_everybody_learns_of("new1", one, 15)
        self.assert_all_reach_all({**self.names, "new1": one, "new3": self.nodes[2]})

    def test_kill_9_of_a_dockerd(self):
        one = self.nodes[0]
        with self.a_running_connection():
            one.docker.kill()
            one.docker.start()
            one.docker.run("new", network="shop")
            self.assert_everybody_learns_of("new", one, 15)
        self.assert_all_reach_all({**self.names, "new": one})

    def test_kill_9_of_the_leader_of_etcd(self):
        leader = self.cluster.etcd_leader()
        with self.a_running_connection():
            leader.etcd.kill()
            self.nodes[0].docker.run("new", network="shop")
            self.assert_everybody_learns_of("new", self.nodes[0], 15)
            leader.start_etcd(fresh=False)
        eventually(lambda: all(not member.get("error") for member in self.nodes[0].status()["etcd"]), "three members", 30, 0.5)

    def test_a_host_that_cannot_reach_etcd_goes_on_and_tells_the_others_when_it_can(self):
        one = self.nodes[0]
        with self.a_running_connection():
            one.cut_from(2379, 2380)
            eventually(lambda: self.nodes[1].hosts()["node1"] == "suspect", "host 1 to be suspect", 40, 0.5)
            one.docker.run("new", network="shop")  # out of the addresses that it owns
            self.assertIn(self.nodes[0].docker.address("web1", "shop"), self.nodes[1].remote_entries("shop")[0],
                          "a suspect host keeps its entries")
            one.heal()
            self.assert_everybody_learns_of("new", one, 40)
            eventually(lambda: self.nodes[1].hosts()["node1"] == "alive", "host 1 to be alive", 20, 0.5)
        self.assert_all_reach_all({**self.names, "new": one})

    def test_etcd_cut_in_two(self):
        alone = self.nodes[2]
        with self.a_running_connection():
            alone.cut_from(2380)
            self.nodes[0].docker.run("new1", network="shop")
            alone.docker.run("new3", network="shop")
            self.assert_everybody_learns_of("new1", self.nodes[0], 40)
            self.assert_everybody_learns_of("new3", alone, 40)
            alone.heal()
        self.assert_all_reach_all({**self.names, "new1": self.nodes[0], "new3": alone})

    def test_what_others_delete_from_a_tunnel_is_put_back(self):
        one = self.nodes[0]
        device = one.tunnel("shop")
        one.host.exec("ip", "link", "delete", device)
        eventually(lambda: len(one.remote_entries("shop")[0]) == 2, "the tunnel to be there again", 10)
        self.assert_all_reach_all(self.names)


class AHostIsLost(ClusterCase):
    def test_its_entries_stay_until_it_is_removed(self):
        self.join_all()
        one, two, three = self.nodes
        for node in self.nodes:
            node.docker.run(f"web{node.number}", network="shop")
        address = three.docker.address("web3", "shop")
        eventually(lambda: address in one.remote_entries("shop")[0], "host 1 to know web3")
        self.assertIn("is this host", one.host.fairlead("host", "rm", "-f", "node1", check=False).err)
        self.assertIn("is alive", one.host.fairlead("host", "rm", "node3", check=False).err)
        three.host.close()
        self.nodes.remove(three)
        eventually(lambda: one.hosts()["node3"] == "suspect", "host 3 to be suspect", 60, 0.5)
        self.assertIn(address, one.remote_entries("shop")[0])
        two.host.fairlead("host", "rm", "node3")
        eventually(lambda: address not in one.remote_entries("shop")[0], "web3 to be forgotten", 45, 0.5)
        self.assertEqual("gone", one.hosts()["node3"])
        self.assertEqual("web2", one.docker.ask("web1", two.docker.address("web2", "shop"), 80).name)


class AClone(ClusterCase):
    """Host 3 becomes a clone of host 1. All hosts here have one boot id: they share a kernel."""

    docker = False
    together = "cluster without Docker"
    waits = False

    def test_a_refused_clone_takes_nothing_from_the_host_that_runs(self):
        one, two, three = self.nodes
        for node in (one, two):
            node.host.fairlead("network", "create", "-o", "mode=overlay", "--subnet", "10.79.0.0/20", "shop")
        web, client = one.attach("web", "shop"), two.attach("client", "shop")
        eventually(lambda: web in two.remote_entries("shop")[0] and client in one.remote_entries("shop")[0], "both to know each other")
        entries, host = two.remote_entries("shop"), self.record_of(two, "node1")
        three.fairleadd.stop()
        with two.host.named_net("client") as namespace, Pinger(namespace) as pinger:
            for files in ("host-id", "*"):
                with self.subTest(files=files):
                    self.copy_state(one, three, files)
                    three.fairleadd = three.host.start_fairleadd()
                    eventually(lambda: any("if this machine is a clone" in text for text in three.status()["problems"]),
                               "the clone to be refused", 30, 0.2)
                    said = " ".join(three.status()["problems"])
                    self.assertFalse(three.status()["joined"])
                    self.assertIsNotNone(pinger.ping(web, 2.0))
                    three.fairleadd.stop()
                    new = one.attach(f"new-{len(files)}", "shop")
                    eventually(lambda: new in two.remote_entries("shop")[0], "host 2 to know what host 1 says", 15)
                    one.detach(f"new-{len(files)}", "shop")
                    eventually(lambda: entries == two.remote_entries("shop"), "host 2 to know what it knew", 15)
                    self.assertIsNotNone(pinger.ping(web, 2.0))
                    self.assertEqual(host, self.record_of(two, "node1"))
                    self.assertEqual(([], True), (one.status()["problems"], one.status()["joined"]))
                    self.assertIn("another machine uses this host's id", said)
                    self.assertIn("node1 at 192.168.90.1", said)

    @staticmethod
    def record_of(asked, name):
        return next(host for host in asked.host.fairlead_json("host", "ls") if host["name"] == name)

    @staticmethod
    def copy_state(source, target, files):
        target.host.exec("sh", "-c", "find /var/lib/fairlead -mindepth 1 -maxdepth 1 ! -name etcd -exec rm -rf {} +")
        archive = source.host.exec("sh", "-c", f"cd /var/lib/fairlead && tar c --exclude=./etcd --exclude=etcd {files} | base64").out
        target.host.exec("sh", "-c", "base64 -d | tar x -C /var/lib/fairlead", data=archive)


class Latency(ClusterCase):
    docker = False
    together = "Latency"
    waits = False
    alone = True

    def test_a_new_container_is_reachable_from_every_host_within_100_ms(self):
        one, others = self.nodes[0], self.nodes[1:]
        for node in self.nodes:
            node.host.fairlead("network", "create", "-o", "mode=overlay", "shop")
        for node in others:
            node.attach("looker", "shop")
        eventually(lambda: all(len(node.remote_entries("shop")[0]) == 1 for node in others), "the lookers to be known")
        times = []
        for count in range(60):
            name = f"new{count}"
            one.add_netns(name)
            address = one.attach(name, "shop", there=True)
            start = time.monotonic()
            for node in others:
                self.wait_for_neighbour(node.host.net, address)
                # The first question that a container asks: one asked before has to wait for its own repetition.
                with node.host.named_net("looker") as namespace, Pinger(namespace) as pinger:
                    self.assertIsNotNone(pinger.ping(address, 1.0), f"{node.name} does not reach {address}")
            times.append((time.monotonic() - start) * 1000)
        times.sort()
        print(f"    reachable from both others after p50 {times[len(times) // 2]:.1f} ms, p99 {times[-1]:.1f} ms (the worst of {len(times)})")
        self.assertLess(times[-1], 100)

    def wait_for_neighbour(self, namespace, address):
        end = time.monotonic() + 5
        with namespace.entered():
            while time.monotonic() < end:
                with open("/proc/thread-self/net/arp", encoding="ascii") as neighbours:
                    if any(line.split()[0] == address for line in neighbours):
                        return
                time.sleep(0.001)
        self.fail(f"{address} did not become known")
